"""LGQ: a codebook learned through soft assignments that harden as the temperature falls.

Learnable Geometric Quantization, arXiv 2602.16086. With tokens z [N, D] (after LGQ's own normalisation), centres
c [K, D] and temperature τ:

    d²_nk = |z_n − c_k|²      p_nk = softmax_k(−d²_nk/τ)      q_soft = Σ_k p_nk c_k      q_hard = c_argmin d²
    q = q_soft + stopgrad(q_hard − q_soft)
    quantization = mean over N and D of (q − z)²      (no stop-gradient)
    peakedness   = mean_n (1 − Σ_k p²)                in [0, 1 − 1/K]
    usage        = K Σ_k u_k², u_k = mean_n p_nk      in [1, K]

p are the responsibilities of an isotropic Gaussian mixture with variance τ/2 and equal weights; the free energy
F_n = −τ log Σ_k exp(−d²_nk/τ) obeys 0 ≤ min_k d²_nk − F_n ≤ τ log K. The decoder's gradient reaches the encoder through
dq/dz = (2/τ) Cov_p(c), not through the identity: its mean diagonal is reported as the encoder gain.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..assignment import SoftAssignment, Softness
from ..base import (
    UNSOLVED,
    QuantizerOutput,
    VectorQuantizerConfig,
    left_out_of_hash_at,
    straight_through,
    to_grid,
    to_tokens,
)
from ..capabilities import SoftQuantizer, StartsFromData, TakesCodebooks, require_vectors
from ..distributed_mean import mean_over_processes, world_size
from ..initialization import INITIALIZATIONS, OnRound, initial_codebook, start_levels, tokens_needed, unheard
from ..soft_codes import assign_softly, expected_codes, softness_of
from ..temperature import TemperatureSchedule, temperature_for

NORMS = ("layer", "batch", "none")
USAGE_FORMS = ("published", "unbiased")
CALIBRATION_TOKENS = 256  # at most, and
CALIBRATION_PAIRS = 2**22  # of tokens and codes, at most
CALIBRATION_STEPS = 10
NEGLIGIBLE_GAIN = 0.01


@dataclass(frozen=True)
class LGQConfig(VectorQuantizerConfig):
    """LGQ with centres spread over the encoder's own tokens at the start (k-means++)."""

    method: ClassVar[str] = "lgq"
    default_loss_weights: ClassVar[dict[str, float]] = {
        "quantization": 1.0,
        "peakedness": 0.005,
        "usage": 0.005,
    }

    temperature: TemperatureSchedule = field(default_factory=TemperatureSchedule)
    norm: str = "layer"  # of the tokens over D: layer (as published), batch (running standardisation), none
    initialization: str = "kmeans++"
    usage_form: str = "published"  # published: depends on the number of tokens; unbiased: does not
    drop: float = left_out_of_hash_at(0.0)  # share of a token's largest responsibility under which others count as 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_choice("norm", NORMS)
        self._require_choice("initialization", INITIALIZATIONS)
        start_levels(self.initialization, self.codebook_size)  # raises where K makes no grid
        self._require_choice("usage_form", USAGE_FORMS)
        self._require("drop", 0 <= self.drop < 1, "give a share in [0, 1); 0 is exact")

    def temperatures(self, dim: int) -> tuple[float, float]:
        first, last = (self.temperature.absolute(self.temperature.at(progress), dim) for progress in (0.0, 1.0))
        return first or UNSOLVED, last or UNSOLVED

    @property
    def normalizes(self) -> bool:
        return self.norm != "none"

    @property
    def fewest_tokens(self) -> int:
        return 2 if self.norm == "batch" else 1  # a single token has no variance

    def for_raw_tokens(self, dim: int) -> Self:
        # A LayerNorm over few dimensions leaves hardly any of them; over two, two points.
        return replace(self, norm="none")

    def build(self, dim: int, generator: torch.Generator | None = None) -> LGQ:
        return LGQ(dim, self, generator)


@dataclass(frozen=True)
class LGQPaperConfig(LGQConfig):
    """LGQ with the settings of the published runs: centres start as tokens drawn at random."""

    method: ClassVar[str] = "lgq-paper"
    initialization: str = "random"


class LGQ(StartsFromData, TakesCodebooks, SoftQuantizer):
    """Learnable Geometric Quantization of latents [B, D, H, W] with K centres."""

    solved_temperature: Tensor
    steps_since_solved: Tensor

    def __init__(self, dim: int, config: LGQConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(dim, [config.codebook_size])
        self.config, self.method = config, config.method
        self.init_tokens = tokens_needed(config.codebook_size)
        self.norm = _norm(config.norm, dim)
        self.centres = nn.Parameter(torch.randn(config.codebook_size, dim, generator=generator))
        self._scheduled = config.temperature.at(0.0)
        if config.temperature.unit == "effective_codes":
            # Buffers, so that a resumed run continues with the same temperature. Their values are at hand as numbers,
            # too, so that no step waits for the device to read them.
            self._solved, self._since_solved = UNSOLVED, CALIBRATION_STEPS
            self.register_buffer("solved_temperature", torch.tensor(UNSOLVED, dtype=torch.float64))
            self.register_buffer("steps_since_solved", torch.tensor(CALIBRATION_STEPS))

    @property
    def scheduled_temperature(self) -> float:
        known = self.config.temperature.absolute(self._scheduled, self.dim)
        return self._solved if known is None else known

    @property
    def lattice(self) -> tuple[int, ...]:
        return start_levels(self.config.initialization, self.config.codebook_size, self.dim)

    def anneal(self, progress: float) -> None:
        self._scheduled = self.config.temperature.at(progress)

    @torch.no_grad()
    def initialize(self, tokens: Tensor, generator: torch.Generator | None = None, on_round: OnRound = unheard) -> None:
        if isinstance(self.norm, nn.BatchNorm1d):
            self.norm.running_mean, self.norm.running_var = tokens.mean(0), tokens.var(0)
            tokens = functional.batch_norm(tokens, self.norm.running_mean, self.norm.running_var, eps=self.norm.eps)
        else:
            tokens = self.norm(tokens)
        initialization = self.config.initialization
        self.centres.copy_(initial_codebook(tokens, self.codebook_size, initialization, generator, on_round))

    def continuous(self, latents: Tensor) -> Tensor:
        return to_grid(self._normalized(latents), latents)

    def codebooks(self) -> list[Tensor]:
        return [self.centres.detach()]

    def forward(self, latents: Tensor) -> QuantizerOutput:
        tokens = self._normalized(latents)
        if not self.training:
            codes = to_grid(self.assign(tokens), latents)
            return QuantizerOutput(self.lookup(codes), codes)
        self._calibrate(tokens)
        temperature = self.temperature
        assignment = self._assign(tokens, temperature, finite=True)  # otherwise the loss is not, which is looked at
        quantized = straight_through(
            self.centres[assignment.codes], gradient_of=expected_codes(assignment, self.centres)
        )
        usage = usage_regularizers(assignment)
        return QuantizerOutput(
            quantized=to_grid(quantized, latents),
            codes=to_grid(assignment.codes[:, None], latents),
            losses={
                "quantization": (quantized - tokens).square().mean(),
                "peakedness": 1 - assignment.s2.mean(),
                "usage": usage[self.config.usage_form],
            },
            diagnostics={
                "temperature": torch.tensor(temperature, dtype=torch.float64),
                **self._diagnose(tokens, assignment, temperature),
                **{f"usage_{form}": value.detach() for form, value in usage.items()},
            },
        )

    def soft_assign(self, latents: Tensor, temperature: float) -> SoftAssignment:
        """`out` [N, D + 1] is the expectation of [c, |c|²], as `assign_softly` describes it."""
        return self._assign(self._normalized(latents), temperature)

    def soft(self, latents: Tensor, temperature: float) -> Tensor:
        return to_grid(expected_codes(self.soft_assign(latents, temperature), self.centres), latents)

    @torch.no_grad()
    def softness(self, latents: Tensor, temperature: float) -> Softness:
        tokens = self._normalized(latents)
        return softness_of(tokens, self.centres, self._assign(tokens, temperature), temperature)

    def with_codebooks(self, codebooks: Sequence[Tensor]) -> Self:
        codebook = require_vectors(codebooks, self.dim)
        other = copy.deepcopy(self)
        other.levels = (len(codebook),)
        other.centres = nn.Parameter(codebook.to(self.centres).clone())
        return other

    def _normalized(self, latents: Tensor) -> Tensor:
        # Distances are taken in float32: under bfloat16 autocast up to 3 % of the codes would flip.
        return self.norm(to_tokens(latents).to(torch.promote_types(latents.dtype, torch.float32)))

    def _assign(self, tokens: Tensor, temperature: float, finite: bool = False) -> SoftAssignment:
        """Tokens [N, D], normalised → their soft assignment, as `assign_softly` describes it."""
        return assign_softly(tokens, self.centres, temperature, drop=self.config.drop, finite=finite)

    @torch.no_grad()
    def _diagnose(self, tokens: Tensor, assignment: SoftAssignment, temperature: float) -> dict[str, Tensor]:
        softness = softness_of(tokens, self.centres, assignment, temperature)
        gain = softness.encoder_gain
        free_energy = ((tokens - softness.hard).square().sum(1) - softness.free_energy_gap).mean()
        return {
            "effective_codes": softness.entropy.mean().exp(),
            "encoder_gain_mean": gain.mean(),
            "encoder_gain_median": gain.median(),
            "encoder_gain_share_below_1_percent": (gain < NEGLIGIBLE_GAIN).float().mean(),
            "free_energy": free_energy,
            "free_energy_per_dimension": free_energy / self.dim,
        }

    @torch.no_grad()
    def _calibrate(self, tokens: Tensor) -> None:
        """Every CALIBRATION_STEPS steps, solve the temperature for the schedule's number of effective codes."""
        if self.config.temperature.unit != "effective_codes":
            return
        self._since_solved += 1
        self.steps_since_solved.fill_(self._since_solved)
        if self._since_solved < CALIBRATION_STEPS:
            return
        # Spread over the whole batch; a fixed stride could pick a single column of the grid of latents.
        count = min(len(tokens), CALIBRATION_TOKENS, max(1, CALIBRATION_PAIRS // self.codebook_size))
        chosen = torch.linspace(0, len(tokens) - 1, count).round().long()
        distances = torch.cdist(tokens[chosen.to(tokens.device)], self.centres).square()
        self._solved, self._since_solved = temperature_for(distances, self._scheduled), 0
        self.solved_temperature.fill_(self._solved)
        self.steps_since_solved.zero_()

    def _load_from_state_dict(self, *arguments: Any, **settings: Any) -> None:
        super()._load_from_state_dict(*arguments, **settings)
        if self.config.temperature.unit == "effective_codes":
            self._solved, self._since_solved = self.solved_temperature.item(), int(self.steps_since_solved)


def usage_regularizers(assignment: SoftAssignment) -> dict[str, Tensor]:
    """L_usage by form: `published`, K Σ_k u_k², and `unbiased` over N independent tokens, of all processes.

    The published form cannot fall below (K/N) Σp²: with K ≳ N it flattens p instead of spreading the usage. The
    unbiased (N L_usage − K mean Σp²)/(N − 1) estimates K Σ_k E[p_k]²; in a single batch it may lie below 1.
    Neither is a mean over tokens, so processes that train together average the responsibilities, not the losses.
    """
    size, tokens = len(assignment.usage), len(assignment.s2) * world_size()
    published = size * mean_over_processes(assignment.usage).square().sum()
    unbiased = (tokens * published - size * mean_over_processes(assignment.s2.mean())) / max(1, tokens - 1)
    return {"published": published, "unbiased": unbiased}


def _norm(norm: str, dim: int) -> nn.Module:
    match norm:
        case "layer":
            return nn.LayerNorm(dim)
        case "batch":
            return nn.BatchNorm1d(dim, affine=False)
        case _:
            return nn.Identity()

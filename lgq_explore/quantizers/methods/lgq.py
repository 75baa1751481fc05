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

This is the default. Each of these settings changes one part of it:

    estimator    the paths of the decoder's gradient, and L_quant (see `estimators`)
    usage_form   L_usage in another form (see `usage_regularizers`)
    cell_means   γ of a term in L_quant that moves each chosen code to the mean of its cell
    revival      dead centres begin anew at tokens far from all others (see `revival`)
    distance     cosine: tokens and centres are of length 1, and logits cos/τ, as in the authors' code
                 (github.com/KurbanIntelligenceLab/LGQ at 9d78742), whose decoder however sees centres of any length
    learned_widths, learned_prior
                 a width s_k and a weight π_k of each component (see `weighted_mixture`). The authors' widths, too,
                 divide d² by s_k, and lack the normaliser −(D/2) log s_k: there a code grows with its width
    learned_centres
                 False: the codebook stays where it starts, and soft assignment moves the encoder alone
    gain_floor   a temperature that is solved for is raised until the median encoder gain is this high
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..assignment import SoftAssignment, Softness
from ..base import (
    UNSOLVED,
    QuantizerOutput,
    VectorQuantizerConfig,
    left_out_of_hash_at,
    to_grid,
)
from ..capabilities import StartsFromData, TakesCodebooks, require_vectors
from ..components import EqualComponents, LearnedComponents
from ..estimators import ESTIMATORS, Estimate, cell_means_loss, paper_estimate, split_estimate
from ..initialization import INITIALIZATIONS, OnRound, initial_codebook, start_levels, tokens_needed, unheard
from ..mixture import Mixture
from ..revival import Revival
from ..solved_temperature import FollowsSchedule
from ..temperature import SOLVED_UNITS, TemperatureSchedule
from ..token_norm import NORMS, NormalizedVectors
from ..usage_regularizers import USAGE_FORMS, usage_regularizers

REPORTED_FORMS = ("published", "unbiased")
DISTANCES = ("squared", "cosine")
COSINE_SCALE = 2.0
"""On the unit sphere |z − c|² = 2 (1 − cos), so that cos/τ is −|z − c|²/(2τ) but for a constant."""
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
    norm: str = "layer"  # of the tokens, one of NORMS; layer as published
    initialization: str = "kmeans++"
    usage_form: str = "published"  # one of USAGE_FORMS
    estimator: str = left_out_of_hash_at("paper")  # one of ESTIMATORS: the paths from the decoder to the encoder
    identity_share: float = left_out_of_hash_at(0.5)  # α of the estimator mixture: 0 is paper, 1 is split
    commitment: float = left_out_of_hash_at(0.25)  # β of the estimators split and mixture
    distance: str = left_out_of_hash_at("squared")  # one of DISTANCES
    learned_widths: bool = left_out_of_hash_at(False)  # s of each code, relative to the others
    learned_prior: bool = left_out_of_hash_at(False)  # π of each code, a moving average of its usage
    learned_centres: bool = left_out_of_hash_at(True)  # False: the centres stay where they start
    cell_means: float = left_out_of_hash_at(0.0)  # γ of a pull on the chosen codes to the means of their cells
    revival: float = left_out_of_hash_at(0.0)  # share of the steps, from the first, in which dead centres are revived
    gain_floor: float = left_out_of_hash_at(0.0)  # median encoder gain under which a solved temperature is raised
    drop: float = left_out_of_hash_at(0.0)  # share of a token's largest responsibility under which others count as 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_choice("norm", NORMS)
        self._require_choice("initialization", INITIALIZATIONS)
        start_levels(self.initialization, self.codebook_size)  # raises where K makes no grid
        self._require_choice("usage_form", USAGE_FORMS)
        self._require_choice("estimator", ESTIMATORS)
        self._require("identity_share", 0 <= self.identity_share <= 1, "give a share in [0, 1]")
        self._require("commitment", 0 <= self.commitment < float("inf"), "give a finite number of at least 0")
        self._require("cell_means", 0 <= self.cell_means < float("inf"), "give a finite number of at least 0")
        self._require("revival", 0 <= self.revival <= 1, "give a share of the steps in [0, 1]; 0 is never")
        stays = not self.learned_centres
        self._require("revival", not (stays and self.revival), "centres that stay where they start are not revived")
        self._require(
            "cell_means", not (stays and self.cell_means), "centres that stay where they start are not pulled"
        )
        self._require_choice("distance", DISTANCES)
        self._require("gain_floor", 0 <= self.gain_floor < 1, "give a share in [0, 1); straight-through has 1")
        is_solved, units = self.temperature.is_solved, " or ".join(SOLVED_UNITS)
        self._require("gain_floor", is_solved or not self.gain_floor, f"it needs a temperature in unit {units}")
        by_likelihood = self.temperature.unit == "likelihood"
        self._require("learned_widths", not (self.learned_widths and by_likelihood), "unit likelihood has equal ones")
        self._require("drop", 0 <= self.drop < 1, "give a share in [0, 1); 0 is exact")

    def temperatures(self, dim: int) -> tuple[float, float]:
        first, last = (self.temperature.absolute(self.temperature.at(progress), dim) for progress in (0.0, 1.0))
        return first or UNSOLVED, last or UNSOLVED

    @property
    def straight_share(self) -> float:
        """α, the share of the decoder's gradient that goes straight through to the encoder."""
        return {"paper": 0.0, "split": 1.0}.get(self.estimator, self.identity_share)

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


class LGQ(StartsFromData, TakesCodebooks, NormalizedVectors, FollowsSchedule):
    """Learnable Geometric Quantization of latents [B, D, H, W] with K centres."""

    def __init__(self, dim: int, config: LGQConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(dim, [config.codebook_size])
        self.config, self.method = config, config.method
        self.init_tokens = tokens_needed(config.codebook_size, config.initialization)
        self.temperature_scale = COSINE_SCALE if config.distance == "cosine" else 1.0
        self._normalize_by(config.norm)
        centres = torch.randn(config.codebook_size, dim, generator=generator)
        self.centres = nn.Parameter(centres, requires_grad=config.learned_centres)
        self._learns_directions = config.distance == "cosine"
        self._follow(config.temperature, config.gain_floor)
        self.components = _components(config)
        self.components.at(self.temperature * self.temperature_scale)
        self.metric = self.components.metric
        self.revival = Revival(config.codebook_size) if config.revival > 0 else None
        self._progress = 0.0

    @property
    def lattice(self) -> tuple[int, ...]:
        return start_levels(self.config.initialization, self.config.codebook_size, self.dim)

    @property
    def mixture(self) -> Mixture:
        return self.components.mixture(self._on_sphere(self.centres) if self._learns_directions else self.centres)

    def anneal(self, progress: float) -> None:
        super().anneal(progress)
        self._progress = progress

    @torch.no_grad()
    def initialize(self, tokens: Tensor, generator: torch.Generator | None = None, on_round: OnRound = unheard) -> None:
        tokens = self._on_sphere(self._normalized_first(tokens))
        initialization = self.config.initialization
        self.centres.copy_(initial_codebook(tokens, self.codebook_size, initialization, generator, on_round))

    def codebooks(self) -> list[Tensor]:
        return [self.mixture.codes.detach()]

    def distances(self, points: Tensor) -> Tensor:
        return self.mixture.energies(points)

    def assign(self, points: Tensor, allowed: Tensor | None = None) -> Tensor:
        if allowed is None:
            return self.mixture.nearest(points)[:, None]
        codes = self.allowed_codes(allowed)
        return codes[self.mixture.only(codes).nearest(points)][:, None]

    def forward(self, latents: Tensor) -> QuantizerOutput:
        tokens = self._normalized(latents)
        if not self.training:
            codes = to_grid(self.assign(tokens), latents)
            return QuantizerOutput(self.lookup(codes), codes)
        if self.revival is not None and self._progress < self.config.revival:
            self.revival.revive(self.centres, tokens, self.mixture)
        self._calibrate(tokens)
        temperature = self.temperature
        self.components.at(temperature * self.temperature_scale)
        mixture = self.mixture
        assignment = self._assign(mixture, tokens, temperature, finite=True)  # otherwise the loss is not, which is seen
        estimate, usage = self._estimate(mixture, tokens, assignment, temperature), usage_regularizers(assignment)
        self.components.follow(assignment.usage)
        return QuantizerOutput(
            quantized=to_grid(estimate.quantized, latents),
            codes=to_grid(assignment.codes[:, None], latents),
            losses={
                "quantization": estimate.loss + self._pull(mixture, tokens, assignment),
                "peakedness": 1 - assignment.s2.mean(),
                "usage": usage[self.config.usage_form],
            },
            diagnostics={
                "temperature": torch.tensor(temperature, dtype=torch.float64),
                **self._diagnose(mixture, tokens, assignment, temperature),
                **{f"usage_{form}": usage[form].detach() for form in (*REPORTED_FORMS, self.config.usage_form)},
            },
        )

    def soft_assign(self, latents: Tensor, temperature: float) -> SoftAssignment:
        """`out` [N, D + 1] is the expectation of [c, |c|²], with c measured from `mixture.origin`."""
        return self._assign(self.mixture, self._normalized(latents), temperature)

    def soft(self, latents: Tensor, temperature: float) -> Tensor:
        return to_grid(self.mixture.expected(self.soft_assign(latents, temperature)), latents)

    @torch.no_grad()
    def softness(self, latents: Tensor, temperature: float) -> Softness:
        tokens, mixture = self._normalized(latents), self.mixture
        return self._softness(mixture, tokens, self._assign(mixture, tokens, temperature), temperature)

    def with_codebooks(self, codebooks: Sequence[Tensor]) -> Self:
        codebook = require_vectors(codebooks, self.dim)
        other = copy.deepcopy(self)
        other.levels = (len(codebook),)
        other.centres = nn.Parameter(codebook.to(self.centres).clone(), requires_grad=self.config.learned_centres)
        other._learns_directions = False  # the codes are as given
        if len(codebook) != len(self.centres):
            other.components = self.components.made_equal(len(codebook))
            other.revival = self.revival and Revival(len(codebook)).to(self.revival.shares)
        return other

    def _normalized(self, latents: Tensor) -> Tensor:
        return self._on_sphere(super()._normalized(latents))

    def _on_sphere(self, vectors: Tensor) -> Tensor:
        """Vectors [N, D], of length 1 where the distance is that of directions."""
        return functional.normalize(vectors, dim=1) if self.config.distance == "cosine" else vectors

    def _assign(self, mixture: Mixture, tokens: Tensor, temperature: float, finite: bool = False) -> SoftAssignment:
        """Tokens [N, D], normalised → their soft assignment, as `soft_assign` describes it."""
        return mixture.assign(tokens, temperature * self.temperature_scale, self.config.drop, finite)

    def _softness(self, mixture: Mixture, tokens: Tensor, assignment: SoftAssignment, temperature: float) -> Softness:
        softness = mixture.softness(tokens, assignment, temperature * self.temperature_scale)
        return replace(softness, temperature=temperature)

    def _estimate(self, mixture: Mixture, tokens: Tensor, assignment: SoftAssignment, temperature: float) -> Estimate:
        """The chosen codes with the estimator's gradient, and its L_quant."""
        config, hard = self.config, mixture.codes[assignment.codes]
        paper = paper_estimate(tokens, hard, mixture.expected(assignment))
        if config.estimator == "paper":
            return paper
        # The regularizers reach the encoder, and q_soft must not: so its tokens are assigned a second time.
        unheard_by_tokens = self._assign(mixture, tokens.detach(), temperature, finite=True)
        split = split_estimate(tokens, hard, mixture.expected(unheard_by_tokens), config.commitment)
        return split if config.estimator == "split" else paper.mixed_with(split, config.straight_share)

    def _pull(self, mixture: Mixture, tokens: Tensor, assignment: SoftAssignment) -> Tensor | float:
        """What the centres of cells are pulled to their means by."""
        if self.config.cell_means == 0:
            return 0.0
        return self.config.cell_means * cell_means_loss(tokens, mixture.codes[assignment.codes])

    @torch.no_grad()
    def _diagnose(
        self, mixture: Mixture, tokens: Tensor, assignment: SoftAssignment, temperature: float
    ) -> dict[str, Tensor]:
        softness = self._softness(mixture, tokens, assignment, temperature)
        gain = softness.encoder_gain.lerp(torch.ones_like(softness.encoder_gain), self.config.straight_share)
        energies = mixture.energies_of(tokens, assignment.codes) / self.temperature_scale
        free_energy = (energies - softness.free_energy_gap).mean()
        return {
            "effective_codes": softness.entropy.mean().exp(),
            "encoder_gain_mean": gain.mean(),
            "encoder_gain_median": gain.median(),
            "encoder_gain_share_below_1_percent": (gain < NEGLIGIBLE_GAIN).float().mean(),
            "free_energy": free_energy,
            "free_energy_per_dimension": free_energy / self.dim,
        }


def _components(config: LGQConfig) -> EqualComponents:
    if not config.learned_widths and not config.learned_prior:
        return EqualComponents()
    return LearnedComponents(config.codebook_size, widths=config.learned_widths, prior=config.learned_prior)

"""LGQ of single channels: learned levels in each of a few dimensions, as a grid like FSQ's that moves to the data.

The option of LGQ (arXiv 2602.16086) that its authors compare with FSQ at equal levels: `--perchannel-fair`, the class
`MultiBinDiscretizerFair` of quantization/quantizers.py in github.com/KurbanIntelligenceLab/LGQ at 9d78742. Tokens are
normalised over D and projected to P = len(levels) channels. Each channel is quantized by an LGQ of width 1 with L_g
centres of its own, at a temperature that all share, and the results are projected back:

    z = project(norm(token))      p_g = softmax_k(−(z_g − c_gk)²/τ)      q_g = q_soft,g + stopgrad(q_hard,g − q_soft,g)

Each of LGQ's losses is the mean over the channels. As |z − c|² is a sum over channels, the responsibility of a joint
code is the product of its channels', p(k_1 … k_P) = Π_g p_g(k_g): exactly that of an LGQ whose centres are all
K = Π L_g points of the grid. Entropies, free energies and log p* are sums over channels, and encoder gains are means.

As in that code, centres start evenly spaced from the least to the largest value of their channel, and τ falls from 1 to
0.1, for d² of one channel. There the projection starts as the first P dimensions of the token, here as P orthonormal
directions, which have the same variance. The authors' levels are [16, 16, 8, 8]; the defaults are those of `fsq`, so
that both have equal K. The authors' other option, `--no-flatten-channels`, has the same number of levels in all D
dimensions and no projection.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from ..assignment import SoftAssignment, Softness
from ..base import QuantizerConfig, QuantizerOutput, joint_codes, to_grid, to_tokens
from ..capabilities import SoftQuantizer, StartsFromData, TakesCodebooks, require_codebooks
from ..drawn_layers import linear
from ..initialization import OnRound, unheard
from ..plain_tokens import as_latents
from ..temperature import TemperatureSchedule
from .fsq import PUBLISHED_LEVELS, nearest_levels, two_levels
from .lgq import LGQ, LGQConfig

NORMS = ("layer", "none")
START_TOKENS = 256
"""Tokens whose least and largest values the centres start between."""
RESPONSIBILITIES_AT_ONCE = 2**20
"""The most responsibilities of half of the channels that are held at a time."""


@dataclass(frozen=True)
class LGQChannelsConfig(QuantizerConfig):
    """LGQ with a few learned levels in each of a few channels; K is the product of the levels, as for FSQ."""

    method: ClassVar[str] = "lgq-channels"
    default_loss_weights: ClassVar[dict[str, float]] = LGQConfig.default_loss_weights

    levels: tuple[int, ...] = PUBLISHED_LEVELS[1024]
    temperature: TemperatureSchedule = field(default_factory=TemperatureSchedule)
    norm: str = "layer"  # of the tokens over D, before the projection: layer (as published), none
    usage_form: str = "published"  # that of LGQ

    def __post_init__(self) -> None:
        self._require("levels", len(self.levels) >= 1, "give at least one level")
        self._require("levels", min(self.levels, default=2) >= 2, "each level must be at least 2")
        self._require_choice("norm", NORMS)
        if self.temperature.unit != "absolute":
            raise ValueError(f"temperature.unit is {self.temperature.unit!r}: all channels share one, choose absolute")
        _ = self.of_channels  # raises for the settings that both have

    @property
    def of_channels(self) -> list[LGQConfig]:
        """The settings of each channel's LGQ."""
        return [LGQConfig(level, self.temperature, norm="none", usage_form=self.usage_form) for level in self.levels]

    @property
    def size(self) -> int:
        return math.prod(self.levels)

    def resized(self, codebook_size: int) -> Self:
        return replace(self, levels=nearest_levels(codebook_size))

    def learned_shapes(self, dim: int) -> list[tuple[int, ...]]:
        return [(level, 1) for level in self.levels]

    def temperatures(self, dim: int) -> tuple[float, float]:
        return self.temperature.at(0.0), self.temperature.at(1.0)

    @property
    def normalizes(self) -> bool:
        return self.norm != "none"

    def for_raw_tokens(self, dim: int) -> Self:
        # A LayerNorm over two dimensions leaves two points, and a single level projects a plane to a line.
        levels = self.levels if len(self.levels) >= min(dim, 2) else two_levels(self.size)
        return replace(self, norm="none", levels=levels)

    def build(self, dim: int, generator: torch.Generator | None = None) -> LGQChannels:
        return LGQChannels(dim, self, generator)


class LGQChannels(StartsFromData, TakesCodebooks, SoftQuantizer):
    """An LGQ of width 1 for each channel of a projection [N, P], and a projection back."""

    init_tokens = START_TOKENS

    def __init__(self, dim: int, config: LGQChannelsConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(dim, config.levels)
        self.config, self.method = config, config.method
        self.norm = nn.LayerNorm(dim) if config.norm == "layer" else nn.Identity()
        self.project_in = linear(dim, len(config.levels), generator)
        nn.init.orthogonal_(self.project_in.weight, generator=generator)
        self.project_out = linear(len(config.levels), dim, generator)
        self.channels = nn.ModuleList(LGQ(1, of_channel, generator) for of_channel in config.of_channels)
        self._scheduled = config.temperature.at(0.0)

    @property
    def scheduled_temperature(self) -> float:
        return self._scheduled

    @property
    def lattice(self) -> tuple[int, ...]:
        return self.levels if len(self.levels) > 1 else ()

    def anneal(self, progress: float) -> None:
        self._scheduled = self.config.temperature.at(progress)

    @torch.no_grad()
    def initialize(self, tokens: Tensor, generator: torch.Generator | None = None, on_round: OnRound = unheard) -> None:
        points = to_tokens(self.continuous(as_latents(tokens)))
        for channel, values in zip(self._lgqs, points.T, strict=True):
            shares = torch.linspace(0, 1, len(channel.centres), device=values.device, dtype=values.dtype)
            channel.centres.copy_(torch.lerp(values.min(), values.max(), shares)[:, None])

    def forward(self, latents: Tensor) -> QuantizerOutput:
        coded = []
        for channel, values in zip(self._lgqs, self.continuous(latents).split(1, dim=1), strict=True):
            channel.temperature = self.temperature
            coded.append(channel(values))
        return QuantizerOutput(
            quantized=self.decoder_input(torch.cat([each.quantized for each in coded], dim=1)),
            codes=torch.cat([each.codes for each in coded], dim=1),
            losses=_means([each.losses for each in coded]),
            diagnostics=_of_all([each.diagnostics for each in coded]),
        )

    def codebooks(self) -> list[Tensor]:
        return [channel.centres.detach() for channel in self._lgqs]

    def continuous(self, latents: Tensor) -> Tensor:
        with torch.autocast(latents.device.type, enabled=False):  # in float32, as the distances
            tokens = self.norm(latents.movedim(1, -1).to(self.project_in.weight.dtype))
            return self.project_in(tokens).movedim(-1, 1)

    def decoder_input(self, points: Tensor) -> Tensor:
        return self.project_out(points.movedim(1, -1)).movedim(-1, 1)

    def soft_assign(self, latents: Tensor, temperature: float) -> SoftAssignment:
        """Of joint codes; `out` [N, P] is the expected point, and `usage` has no gradient.

        Raises InputError if there are too many joint codes to list.
        """
        self.require_listed()
        values = self.continuous(latents).split(1, dim=1)
        assigned = [channel.soft_assign(each, temperature) for channel, each in zip(self._lgqs, values, strict=True)]
        return SoftAssignment(
            out=torch.cat(self._soft_values(values, temperature), dim=1),
            lse=torch.stack([each.lse for each in assigned]).sum(0),
            s2=torch.stack([each.s2 for each in assigned]).prod(0),
            usage=self._joint_usage([to_tokens(each) for each in values], temperature),
            codes=self._joint([each.codes for each in assigned]),
        )

    def soft(self, latents: Tensor, temperature: float) -> Tensor:
        values = self._soft_values(self.continuous(latents).split(1, dim=1), temperature)
        return self.decoder_input(to_grid(torch.cat(values, dim=1), latents))

    @torch.no_grad()
    def softness(self, latents: Tensor, temperature: float) -> Softness:
        values = self.continuous(latents).split(1, dim=1)
        soft = [channel.softness(each, temperature) for channel, each in zip(self._lgqs, values, strict=True)]
        return Softness(
            temperature=temperature,
            codes=self._joint([each.codes for each in soft]),
            log_largest=torch.stack([each.log_largest for each in soft]).sum(0),
            entropy=torch.stack([each.entropy for each in soft]).sum(0),
            encoder_gain=torch.stack([each.encoder_gain for each in soft]).mean(0),
            soft=torch.cat([each.soft for each in soft], dim=1),
            hard=torch.cat([each.hard for each in soft], dim=1),
        )

    def with_codebooks(self, codebooks: Sequence[Tensor]) -> Self:
        books = require_codebooks(codebooks, [1] * len(self.levels))
        other = copy.deepcopy(self)
        other.channels = nn.ModuleList(
            channel.with_codebooks([book]) for channel, book in zip(self._lgqs, books, strict=True)
        )
        other.levels = tuple(len(book) for book in books)
        return other

    @property
    def _lgqs(self) -> list[LGQ]:
        """The channels, in order, with their type."""
        return [channel for channel in self.channels if isinstance(channel, LGQ)]

    def _joint(self, codes: Sequence[Tensor]) -> Tensor:
        """Codes [N] of each channel → the numbers [N] of the joint codes."""
        return joint_codes(torch.stack(list(codes), dim=1)[:, :, None, None], self.levels).flatten()

    def _soft_values(self, values: Sequence[Tensor], temperature: float) -> list[Tensor]:
        """Values [B, 1, H, W] of each channel → their expected centres [N, 1]."""
        return [to_tokens(channel.soft(each, temperature)) for channel, each in zip(self._lgqs, values, strict=True)]

    @torch.no_grad()
    def _joint_usage(self, values: Sequence[Tensor], temperature: float) -> Tensor:
        """Values [N, 1] of each channel → the mean responsibility [K] of each joint code.

        That of a token is an outer product, first channels × last channels, whose sum over tokens is a product of
        matrices: no table of tokens × joint codes is made.
        """
        middle = (len(self.levels) + 1) // 2
        rows, columns = math.prod(self.levels[:middle]), math.prod(self.levels[middle:])
        total, at_once = values[0].new_zeros(rows, columns), max(1, RESPONSIBILITIES_AT_ONCE // max(rows, columns))
        for part in zip(*(each.split(at_once) for each in values), strict=True):
            responsibilities = [
                (-channel.distances(of_channel) / temperature).softmax(1)
                for channel, of_channel in zip(self._lgqs, part, strict=True)
            ]
            nothing = torch.ones_like(part[0])
            total += _outer(nothing, responsibilities[:middle]).T @ _outer(nothing, responsibilities[middle:])
        return total.flatten() / len(values[0])


def _outer(product: Tensor, responsibilities: Sequence[Tensor]) -> Tensor:
    """[n, 1] times the responsibilities [n, L_g] of channels → all products [n, Π L_g], the first channel slowest."""
    for each in responsibilities:
        product = (product[:, :, None] * each[:, None]).flatten(1)
    return product


def _means(of_channels: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean over the channels of each number, by name."""
    return {name: torch.stack([each[name] for each in of_channels]).mean() for name in of_channels[0]}


def _of_all(of_channels: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The diagnostics of LGQ for all channels: sums, a product, and of the others the mean over channels."""
    if not of_channels[0]:
        return {}
    energies, codes = (torch.stack([each[name] for each in of_channels]) for name in ("free_energy", "effective_codes"))
    return {**_means(of_channels), "free_energy": energies.sum(), "effective_codes": codes.prod()}

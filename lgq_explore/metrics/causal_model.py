"""A small causal model of codes in raster order, which is fitted in seconds and reproducibly.

A transformer with two layers of width 64 (Vaswani et al. 2017) predicts each code from those before it in the picture,
with learned embeddings of row and column. It starts from the frequencies of the codes that it is fitted to, and its
weights are those of the step at which it predicted the validation sequences best.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import skip_init

WIDTH, LAYERS, HEADS = 64, 2, 4
STEPS = 200
TOKENS_A_STEP = 2048
LEARNING_RATE = 2e-2
WEIGHT_DECAY = 1.0
WARMUP_STEPS = 20
CHECK_GROWTH = 1.15
"""Steps between two validations grow by this factor."""

TOKENS_A_PASS = 2**12
"""Tokens that are predicted at once without gradient."""


class CausalModel(nn.Module):
    """Symbols [B, T] of a grid in raster order → logits [B, T, V] of each given those before it.

    frequencies: of the V symbols, positive; its start. Parameters are drawn from `generator`.
    """

    def __init__(self, frequencies: Tensor, grid: tuple[int, int], generator: torch.Generator) -> None:
        super().__init__()
        symbols, (height, width) = len(frequencies), grid
        self.embedding = skip_init(nn.Embedding, symbols + 1, WIDTH)  # the last one begins every picture
        self.rows, self.columns = skip_init(nn.Embedding, height, WIDTH), skip_init(nn.Embedding, width, WIDTH)
        self.layers = nn.ModuleList(_Layer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = skip_init(nn.Linear, WIDTH, symbols)
        for name, parameter in self.named_parameters():
            _draw(name, parameter, generator)
        with torch.no_grad():
            self.head.weight.zero_()
            self.head.bias.copy_((frequencies / frequencies.sum()).log())

    def forward(self, symbols: Tensor) -> Tensor:
        begin = torch.full_like(symbols[:, :1], self.embedding.num_embeddings - 1)
        place = (self.rows.weight[:, None] + self.columns.weight[None]).flatten(0, 1)
        hidden = self.embedding(torch.cat([begin, symbols[:, :-1]], dim=1)) + place
        for layer in self.layers:
            hidden = layer(hidden)
        logits: Tensor = self.head(self.norm(hidden))
        return logits


class _Layer(nn.Module):
    """Causal attention and a perceptron, each with a norm before it."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm, self.perceptron_norm = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.queries_keys_values = skip_init(nn.Linear, WIDTH, 3 * WIDTH)
        self.mixed = skip_init(nn.Linear, WIDTH, WIDTH)
        into, out = skip_init(nn.Linear, WIDTH, 2 * WIDTH), skip_init(nn.Linear, 2 * WIDTH, WIDTH)
        self.perceptron = nn.Sequential(into, nn.GELU(), out)

    def forward(self, hidden: Tensor) -> Tensor:
        """[B, T, WIDTH] → the same."""
        heads = self.queries_keys_values(self.attention_norm(hidden)).unflatten(-1, (3, HEADS, -1))
        queries, keys, values = heads.permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        hidden = hidden + self.mixed(attended.transpose(1, 2).flatten(-2))
        return hidden + self.perceptron(self.perceptron_norm(hidden))


@torch.no_grad()
def _draw(name: str, parameter: Tensor, generator: torch.Generator) -> None:
    if parameter.ndim == 1:
        parameter.fill_(float("norm" in name and name.endswith("weight")))
    else:
        scale = 0.5 if name in ("embedding.weight", "rows.weight", "columns.weight") else parameter.shape[1] ** -0.5
        parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)


@dataclass(frozen=True, eq=False)
class FittedModel:
    """model: with the weights of its best validation. tokens: those it was fitted to until it was within a share of it.

    validation_bits: cross-entropy a token of the validation sequences at the best step. steps: that step.
    """

    model: CausalModel
    validation_bits: float
    steps: int
    tokens: int


def fit_causal_model(
    sequences: Tensor, validation: Tensor, symbols: int, grid: tuple[int, int], within: float, seed: int = 0
) -> FittedModel:
    """Fit a model to sequences [M, T] of symbols below `symbols`, on their device, by the recipe of this module.

    validation: [L, T]. within: `FittedModel.tokens` is counted to the first validation at which the cross-entropy is at
    most 1 + within of the best one.
    """
    generator = torch.Generator().manual_seed(seed)
    frequencies = torch.bincount(sequences.flatten(), minlength=symbols).double() + 0.5
    model = CausalModel(frequencies, grid, generator)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=WEIGHT_DECAY)
    a_step = max(1, min(len(sequences), TOKENS_A_STEP // sequences.shape[1]))
    curve = [(0, cross_entropy_bits(model, validation).mean().item())]
    best, next_check = _weights(model), 1
    for step in range(1, STEPS + 1):
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * _rate(step)
        chosen = torch.randint(len(sequences), (a_step,), generator=generator)
        with torch.enable_grad():
            loss = functional.cross_entropy(model(sequences[chosen]).flatten(0, 1), sequences[chosen].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step in (next_check, STEPS):
            bits = cross_entropy_bits(model, validation).mean().item()
            if bits < min(seen for _, seen in curve):
                best = _weights(model)
            curve.append((step, bits))
            next_check = max(step + 1, math.ceil(step * CHECK_GROWTH))
    model.load_state_dict(best)
    steps, least = min(curve, key=lambda check: check[1])
    learned = next(step for step, bits in curve if bits <= (1 + within) * least)
    return FittedModel(model, least, steps, learned * a_step * sequences.shape[1])


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def _rate(step: int) -> float:
    """The learning rate's factor: a linear start, then half a cosine."""
    return min(1.0, step / WARMUP_STEPS) * 0.5 * (1 + math.cos(math.pi * step / STEPS))


@torch.no_grad()
def cross_entropy_bits(model: CausalModel, sequences: Tensor) -> Tensor:
    """−log2 of the probability of each symbol of sequences [M, T] given those before it, float64 [M, T]."""
    parts = []
    for batch in sequences.split(max(1, TOKENS_A_PASS // sequences.shape[1])):
        nats = functional.cross_entropy(model(batch).flatten(0, 1), batch.flatten(), reduction="none")
        parts.append(nats.reshape(batch.shape).double() / math.log(2))
    return torch.cat(parts)

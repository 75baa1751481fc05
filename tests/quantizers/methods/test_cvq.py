"""Tests of CVQ against its formula with a table of tokens × codes, and of what revives its codes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lgq_explore.quantizers import CVQConfig, to_tokens
from lgq_explore.quantizers.methods.cvq import CVQ, LEAST, CosineDistance

SIZE, DIM = 24, 5
WEIGHTS = CVQConfig.default_loss_weights


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def built(size: int = SIZE, **settings: object) -> CVQ:
    quantizer = CVQConfig(size, **settings).build(DIM, torch.Generator().manual_seed(0))
    assert isinstance(quantizer, CVQ)
    return quantizer


def by_a_table(tokens: Tensor, codebook: Tensor, usage: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The vectors of one step, and the codebook and the usage after it, with all cosines at once."""
    cosines = functional.normalize(tokens, dim=1) @ functional.normalize(codebook, dim=1).T
    onehot = functional.one_hot(cosines.argmax(1), len(codebook)).to(cosines)
    usage = 0.99 * usage + 0.01 * onehot.mean(0)
    moved = torch.exp(-usage * len(codebook) * 10 / (1 - 0.99) - 1e-3)[:, None]
    return onehot @ codebook, (1 - moved) * codebook + moved * tokens[cosines.argmax(0)], usage


def test_vectors_losses_gradients_usage_and_codes_are_those_of_the_table() -> None:
    ours, usage = built().double(), torch.zeros(SIZE).double()
    optimizer = torch.optim.SGD(ours.parameters(), lr=1.0)
    table = ours.codebook.detach().clone()
    for step in range(5):
        leaves = [normal(4, DIM, 4, 3, seed=step).double().requires_grad_() for _ in range(2)]
        upstream = normal(48, DIM, seed=100 + step).double()
        learned = table.requires_grad_()
        vectors, table, usage = by_a_table(to_tokens(leaves[1]), learned, usage)
        tokens = to_tokens(leaves[1])
        loss = functional.mse_loss(vectors, tokens.detach()) + 0.25 * functional.mse_loss(tokens, vectors.detach())
        gradients = torch.autograd.grad(loss + (tokens * upstream).sum(), (leaves[1], learned))
        coded = ours(leaves[0])
        torch.testing.assert_close(to_tokens(coded.quantized), vectors)
        optimizer.zero_grad()
        our_loss = sum(WEIGHTS[name] * coded.losses[name] for name in WEIGHTS)
        (our_loss + (to_tokens(coded.quantized) * upstream).sum()).backward()
        optimizer.step()
        table = (table - gradients[1]).detach()
        torch.testing.assert_close(leaves[0].grad, gradients[0])
        torch.testing.assert_close(ours.codebook.detach(), table)
        torch.testing.assert_close(ours.usage, usage)


def test_one_step_by_hand() -> None:
    """Three of four tokens take the first of three codes, which stays; the others, which none or one took, move."""
    quantizer = built(3, decay=0.5)
    with torch.no_grad():
        quantizer.codebook.copy_(torch.eye(DIM)[:3])
    axes = torch.eye(DIM)
    tokens = torch.stack([4 * axes[0], 5 * axes[0] + axes[3], 6 * axes[0] - axes[3], 2 * axes[1] + axes[2]])
    assert quantizer(tokens[:, :, None, None]).codes.flatten().tolist() == [0, 0, 0, 1]
    assert quantizer.usage.tolist() == [0.375, 0.125, 0]
    moved = [math.exp(-10 * 3 * usage / 0.5 - LEAST) for usage in (0.375, 0.125, 0)]
    assert moved == pytest.approx([1.7e-10, 5.5e-4, 0.999], rel=0.02)
    for code, anchor in enumerate((tokens[0], tokens[3], tokens[3])):
        expected = (1 - moved[code]) * axes[code] + moved[code] * anchor
        torch.testing.assert_close(quantizer.codebook[code].detach(), expected)


@pytest.mark.parametrize("anchors", ["closest", "random", "probability"])
def test_idle_codes_become_tokens_of_the_batch_at_each_step(anchors: str) -> None:
    quantizer, latents = built(anchors=anchors), normal(4, DIM, 4, 3, seed=1)
    codes = quantizer(latents).codes.unique()
    idle = torch.ones(SIZE, dtype=torch.bool).index_fill(0, codes, False)
    assert 0 < idle.sum() < SIZE
    distances = torch.cdist(quantizer.codebook.detach(), to_tokens(latents)).amin(1)
    assert (distances[idle] < 2 * LEAST * latents.norm(dim=1).max()).all()
    assert (distances[~idle] > 0.1).any()


def used_after_a_collapse(anchors: str) -> list[int]:
    """The number of codes that tokens take at each step, from a start at which all codes are nearly one."""
    quantizer = built(anchors=anchors)
    with torch.no_grad():
        quantizer.codebook.copy_(torch.ones(SIZE, DIM) + 1e-3 * normal(SIZE, DIM))
    return [quantizer(normal(4, DIM, 4, 3, seed=step)).codes.unique().numel() for step in range(20)]


def test_a_collapsed_codebook_comes_back_into_use_and_faster_by_drawn_anchors() -> None:
    """Idle codes that are nearly one have one closest token, and move there together."""
    closest, random, probability = (used_after_a_collapse(anchors) for anchors in ("closest", "random", "probability"))
    assert closest[0] < SIZE / 2 < closest[-1]
    assert closest[1] < min(random[1], probability[1])


def test_anchors_by_probability_are_drawn_by_the_softmax_of_cosines() -> None:
    quantizer, tokens = built(20_000, anchors="probability"), normal(3, DIM, seed=1)
    code = normal(1, DIM, seed=2)
    with torch.no_grad():
        quantizer.codebook.copy_(code.expand(20_000, DIM))
    expected = functional.cosine_similarity(code, tokens).softmax(0)
    assert expected.max() > 1.3 * expected.min()
    shares = torch.bincount(quantizer._anchors(tokens), minlength=3) / 20_000
    # Four standard deviations of a share of 1/2 are 0.014.
    torch.testing.assert_close(shares, expected, rtol=0, atol=0.014)


@pytest.mark.parametrize("anchors", ["random", "probability"])
def test_anchors_are_drawn_anew_each_step_and_alike_after_reloading(anchors: str) -> None:
    quantizer, copy, tokens = built(anchors=anchors), built(anchors=anchors), normal(200, DIM)
    first = quantizer._anchors(tokens)
    copy.load_state_dict(quantizer.state_dict())
    second = quantizer._anchors(tokens)
    assert not torch.equal(first, second)
    assert torch.equal(copy._anchors(tokens), second)


def test_the_code_is_that_of_the_smallest_angle_whatever_its_length() -> None:
    metric, points, codes = CosineDistance(), normal(200, DIM), normal(60, DIM, seed=1)
    lengths = 10 ** normal(60, 1, seed=2)
    chosen = metric.nearest(points, codes)
    assert torch.equal(chosen, metric.distances(points, codes).argmin(1))
    assert torch.equal(metric.nearest(points, lengths * codes), chosen)
    assert not torch.equal(torch.cdist(points, codes).argmin(1), chosen)


def test_the_published_settings() -> None:
    config = CVQConfig(512)
    assert (config.anchors, config.decay) == ("closest", 0.99)
    assert config.default_loss_weights == {"codebook": 1, "commitment": 0.25}
    codebook = config.build(64, torch.Generator().manual_seed(0)).codebook
    assert codebook.abs().max().item() == pytest.approx(1 / 512, rel=1e-3)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"anchors": "far"}, "anchors is 'far': choose one of closest, random, probability"),
        ({"decay": 1.0}, r"decay is 1\.0"),
        ({"codebook_size": 1}, "codebook_size is 1"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        CVQConfig(**settings)

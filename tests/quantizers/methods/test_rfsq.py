"""Tests of residual FSQ against vector-quantize-pytorch, its known grid, and what conditions its stages."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from vector_quantize_pytorch import ResidualFSQ

from lgq_explore.errors import InputError
from lgq_explore.quantizers import RFSQConfig, TakesCodebooks, joint_codes, split_codes, to_tokens
from lgq_explore.quantizers.methods.rfsq import CONDITIONINGS, RFSQ, StandardizedRFSQ, nearest_stage_levels

LEVELS = [((4, 4, 2), 2), ((5, 3), 3), ((8,), 2)]
DIM = 8


def latents_of(batch: int = 8, dim: int = DIM, seed: int = 0) -> Tensor:
    """From N(0, 2²), [B, D, 8, 8]."""
    return 2 * torch.randn(batch, dim, 8, 8, generator=torch.Generator().manual_seed(seed))


def built(levels: tuple[int, ...] = (4, 4, 4), stages: int = 3, conditioning: str = "levels", seed: int = 0) -> RFSQ:
    """In training mode, started from tokens where it wants them."""
    quantizer = RFSQConfig(levels, stages, conditioning).build(DIM, torch.Generator().manual_seed(seed))
    if isinstance(quantizer, StandardizedRFSQ):
        quantizer.initialize(to_tokens(latents_of(16, seed=9)))
    return quantizer


@pytest.mark.parametrize(("levels", "stages"), LEVELS)
def test_codes_and_vectors_are_the_librarys(levels: tuple[int, ...], stages: int) -> None:
    ours, theirs = built(levels, stages), ResidualFSQ(levels=list(levels), num_quantizers=stages, dim=DIM)
    for name in ("project_in", "project_out"):
        getattr(theirs, name).load_state_dict(getattr(ours, name).state_dict())
    latents = latents_of()
    coded, (quantized, indices) = ours(latents), theirs(to_tokens(latents)[None])
    torch.testing.assert_close(to_tokens(coded.quantized), quantized[0])
    for stage, layer in enumerate(theirs.layers):
        digits = split_codes(coded.codes[:, stage], levels)
        expected = layer.indices_to_level_indices(indices[0, :, stage])
        assert torch.equal(to_tokens(digits), expected.long())


@pytest.mark.parametrize(("levels", "stages"), LEVELS)
def test_the_sums_are_evenly_spaced_points_of_which_the_codes_are_the_digits(
    levels: tuple[int, ...], stages: int
) -> None:
    quantizer = built(levels, stages).eval()
    points = quantizer.code_points()
    for axis, level in enumerate(levels):
        places = points[:, axis].unique().double()
        apart = places.diff()
        step = 2 * level / (level - 1) / level**stages
        torch.testing.assert_close(apart[apart > step / 2], torch.full((level**stages - 1,), step).double())
    bounded = quantizer.continuous(latents_of())
    codes = quantizer(latents_of()).codes
    for axis, level in enumerate(levels):
        share = (bounded[:, axis] / (level / (level - 1)) + 1) / 2  # in [0, 1], of the cells of all points
        number = (share.double() * level**stages).floor().clamp(0, level**stages - 1).long()
        digits = split_codes(number, [level] * stages)
        ours = torch.stack([split_codes(codes[:, stage], levels)[:, axis] for stage in range(stages)], dim=1)
        assert (digits == ours).all(1).double().mean() > 0.999  # but for those on the edge of a cell


@pytest.mark.parametrize(("levels", "stages"), LEVELS)
def test_the_greedy_search_finds_the_nearest_sum(levels: tuple[int, ...], stages: int) -> None:
    quantizer = built(levels, stages).eval()
    points = to_tokens(quantizer.continuous(latents_of(2)))
    distances = quantizer.distances(points)
    chosen = distances.gather(1, quantizer.assign_joint(points)[:, None])[:, 0]
    torch.testing.assert_close(chosen, distances.min(1).values, rtol=0, atol=1e-6)


def test_the_gradient_is_that_of_the_bounded_latents_once() -> None:
    quantizer, leaf, upstream = built(), latents_of().requires_grad_(), latents_of(seed=1)
    through = [
        torch.autograd.grad((vectors * upstream).sum(), leaf)[0]
        for vectors in (quantizer(leaf).quantized, quantizer.decoder_input(quantizer.continuous(leaf)))
    ]
    torch.testing.assert_close(*through)


# Conditioning


def codes_in_use(conditioning: str, levels: tuple[int, ...]) -> list[int]:
    codes = built(levels, 2, conditioning)(latents_of(64)).codes
    return [codes[:, stage].unique().numel() for stage in range(2)]


def test_without_conditioning_a_second_stage_has_hardly_a_code_in_use() -> None:
    """At most half a step is left: 0 of five levels is nearest to it, and of four the two inner ones."""
    assert codes_in_use("none", (5, 5)) == [25, 1]
    assert codes_in_use("none", (4, 4)) == [16, 4]
    for conditioning in ("levels", "standardized"):
        assert codes_in_use(conditioning, (5, 5)) == [25, 25]
        assert codes_in_use(conditioning, (4, 4)) == [16, 16]


def test_standardized_stages_have_the_centre_and_reach_of_what_they_quantize() -> None:
    quantizer, tokens = built((4, 4), 2, "standardized"), to_tokens(latents_of(16, seed=9))
    with torch.no_grad():
        rest = quantizer.project_in(tokens)
    for centre, scale, book in zip(quantizer.centres, quantizer.scales, quantizer.codebooks(), strict=True):
        torch.testing.assert_close(centre, rest.mean(0))
        torch.testing.assert_close(scale, math.sqrt(3) * rest.std(0, correction=0) * 3 / 4)
        rest = rest - book[torch.cdist(rest, book).argmin(1)]


def test_four_standardized_levels_leave_an_eighth_of_normal_residuals() -> None:
    """0.1264 of the variance, by integration; the best even grid 0.1188, and one that ends at σ 0.1762."""
    quantizer = RFSQConfig((4,), 1, "standardized").build(1).double()
    with torch.no_grad():
        quantizer.project_in.weight.fill_(1.0)
        quantizer.project_in.bias.zero_()
    tokens = torch.special.ndtri((torch.arange(8192, dtype=torch.float64) + 0.5) / 8192)[:, None]
    quantizer.initialize(tokens)
    (book,) = quantizer.codebooks()
    left = (tokens - book[quantizer.assign(tokens)[:, 0]]).square().mean()
    assert left.item() == pytest.approx(0.1264, abs=0.0005)


def test_the_averages_move_by_one_minus_the_decay() -> None:
    quantizer = RFSQConfig((4, 4), 1, "standardized", decay=0.75).build(DIM, torch.Generator().manual_seed(0))
    quantizer.initialize(to_tokens(latents_of(16, seed=9)))
    centre, variance = quantizer.centres[0].clone(), (quantizer.scales[0] * 4 / 3).square() / 3
    shifted = latents_of(4) + 5
    with torch.no_grad():
        projected = quantizer.project_in(to_tokens(shifted))
    quantizer(shifted)
    torch.testing.assert_close(quantizer.centres[0], 0.75 * centre + 0.25 * projected.mean(0))
    expected = 0.75 * variance + 0.25 * projected.var(0, correction=0)
    torch.testing.assert_close((quantizer.scales[0] * 4 / 3).square() / 3, expected)
    quantizer.eval()(shifted)
    torch.testing.assert_close(quantizer.centres[0], 0.75 * centre + 0.25 * projected.mean(0))


def test_codes_are_those_of_the_start_of_the_step_and_alone_are_decoded() -> None:
    quantizer = built(conditioning="standardized")
    coded, alone = quantizer.eval()(latents_of()), quantizer(latents_of()[:1])
    assert torch.equal(coded.codes[:1], alone.codes)
    assert torch.equal(quantizer.lookup(coded.codes), coded.quantized)
    trained = quantizer.train()(latents_of())
    assert torch.equal(trained.codes, coded.codes)
    torch.testing.assert_close(trained.quantized, coded.quantized)


def test_standardized_stages_take_those_of_a_snapshot() -> None:
    quantizer, other = (built(conditioning="standardized", seed=seed) for seed in (0, 1))
    assert quantizer.learned_groups == (0, 1, 2)
    taken = quantizer.with_codebooks(other.learned_codebooks())
    for book, expected in zip(taken.codebooks(), other.codebooks(), strict=True):
        torch.testing.assert_close(book, expected)
    with pytest.raises(InputError, match=r"have \[27, 27, 27\] codes: give 64 each"):
        quantizer.with_codebooks([torch.zeros(27, 3)] * 3)
    assert not isinstance(built(), TakesCodebooks)


def test_a_reloaded_state_has_the_same_grids() -> None:
    quantizer, copy = (built(conditioning="standardized", seed=seed) for seed in (0, 1))
    quantizer(latents_of())
    copy.load_state_dict(quantizer.state_dict())
    for book, expected in zip(copy.codebooks(), quantizer.codebooks(), strict=True):
        assert torch.equal(book, expected)


# Settings


@pytest.mark.parametrize(
    ("asked", "stages", "levels"),
    [
        (1024, 2, (4, 4, 2)),
        (1000, 2, (4, 4, 2)),
        (256, 2, (4, 4)),
        (65536, 2, (4, 4, 4, 4)),
        (5, 2, (2,)),
        (8, 2, (3,)),
        (4**20, 4, (4, 4, 4, 4, 4)),  # a published configuration
        (1000, 1, (5, 5, 5, 4, 2)),
    ],
)
def test_sizes_take_the_nearest_levels_of_a_stage(asked: int, stages: int, levels: tuple[int, ...]) -> None:
    assert nearest_stage_levels(asked, stages) == levels
    assert RFSQConfig(stages=stages).resized(asked).size == math.prod(levels) ** stages


def test_joint_codes_have_the_first_stage_as_highest_digit() -> None:
    codes = built((4, 4), 2)(latents_of()).codes
    assert torch.equal(joint_codes(codes, (16, 16)), 16 * codes[:, 0] + codes[:, 1])


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"levels": ()}, "at least one level"),
        ({"levels": (4, 1)}, r"levels is \(4, 1\): each level must be at least 2"),
        ({"levels": (256, 257)}, "a stage has at most 65536 codes"),
        ({"stages": 0}, "stages is 0: give 1 to 64"),
        ({"conditioning": "layernorm"}, f"conditioning is 'layernorm': choose one of {', '.join(CONDITIONINGS)}"),
        ({"decay": 1.0}, r"decay is 1\.0"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        RFSQConfig(**settings)


@pytest.mark.parametrize("size", [3, 2**33])
def test_sizes_that_stages_cannot_have_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"codebook_size is {size}: 2 stages have from 4 to 4294967296 joint codes"):
        RFSQConfig.for_codebook_size(size)

"""Tests of codes of several groups as one number, and of those that are too many to list or to number."""

from __future__ import annotations

import math

import pytest
import torch

from lgq_explore.contract.method import DIM, random_latents, rounded_points
from lgq_explore.errors import InputError
from lgq_explore.quantizers import Quantizer, joint_codes, split_codes, to_grid, to_tokens
from tests.planted_methods import PLANTED


def test_joint_codes_without_a_list_are_assigned_and_refused_a_list_in_one_line() -> None:
    quantizer, latents = PLANTED["planted-signs"]().build(DIM).eval(), random_latents()
    assert quantizer.codebook_size == 2**36
    points = rounded_points(quantizer, latents)
    codes = quantizer.assign(points)
    assert torch.equal(codes, (points > 0).long())
    assert torch.equal(to_grid(codes, latents), quantizer(latents).codes)
    assert not quantizer.can_be_listed
    sentence = "36 groups of codes make 68,719,476,736 joint codes: at most 4,194,304 are listed"
    for asking in (quantizer.code_points, lambda: quantizer.distances(points)):
        with pytest.raises(InputError) as refused:
            asking()
        assert str(refused.value) == sentence


def test_a_few_of_joint_codes_without_a_list_can_be_allowed() -> None:
    """Among four corners of the cube the nearest is the one that agrees in sign where the coordinates are largest."""
    quantizer = PLANTED["planted-signs"]().build(DIM).eval()
    points = torch.full((2, 36), -1.0)
    points[0, -1], points[1, 0] = 3.0, 3.0
    codes = quantizer.assign(points, torch.tensor([0, 1, 2**35, 2**36 - 1]))
    assert torch.equal(joint_codes(codes[:, :, None, None], quantizer.levels).flatten(), torch.tensor([1, 2**35]))


def test_joint_codes_beyond_63_bits_are_assigned_and_have_no_number() -> None:
    quantizer = PLANTED["planted-residual"](codes=1024, stages=8).build(DIM).eval()
    latents = random_latents()
    codes = quantizer(latents).codes
    assert quantizer.codebook_size == 2**80
    assert torch.equal(to_grid(quantizer.assign(rounded_points(quantizer, latents)), latents), codes)
    assert torch.equal(quantizer.lookup(codes), quantizer(latents).quantized)
    points = rounded_points(quantizer, latents)
    for asking in (
        lambda: joint_codes(codes, quantizer.levels),
        lambda: quantizer.assign(latents, torch.tensor([0])),
        lambda: quantizer.assign_joint(points),
    ):
        with pytest.raises(InputError, match="8 groups of codes make 1,208,925,819,614,629,174,706,176 joint codes: "):
            asking()


@pytest.mark.parametrize("levels", [(5,), (8, 5, 5, 5), (2**31, 2**31), (2**62,)])
def test_joint_codes_are_a_numbering_and_split_codes_its_inverse(levels: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    codes = torch.stack([torch.randint(level, (3, 4, 2), generator=generator) for level in levels], dim=1)
    codes[0, :, 0, 0], codes[0, :, 0, 1] = 0, torch.tensor(levels) - 1
    joint = joint_codes(codes, levels)
    assert joint.shape == (3, 4, 2)
    assert joint.dtype == torch.int64
    assert joint[0, 0].tolist() == [0, math.prod(levels) - 1]
    assert torch.equal(split_codes(joint, levels), codes)


def test_the_first_group_is_the_slowest_digit() -> None:
    codes = torch.tensor([[1, 2, 3]])[:, :, None, None]
    assert joint_codes(codes, (4, 5, 6)).item() == (1 * 5 + 2) * 6 + 3


@pytest.mark.parametrize("levels", [(2,) * 63, (2**32, 2**31)])
def test_levels_whose_joint_codes_need_more_than_63_bits_have_no_numbers(levels: tuple[int, ...]) -> None:
    assert Quantizer(4, levels).codebook_size == 2**63
    with pytest.raises(InputError, match="only below 2\\^63"):
        joint_codes(torch.zeros(1, len(levels), 1, 1, dtype=torch.int64), levels)


def test_tokens_and_grids_are_inverse() -> None:
    latents = random_latents()
    tokens = to_tokens(latents)
    assert torch.equal(tokens[1 * 15 + 2 * 3 + 1], latents[1, :, 2, 1])  # in the order of (b h w)
    assert torch.equal(to_grid(tokens, latents), latents)

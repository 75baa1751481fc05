"""Which code points are assigned to, out of all codes or of those that are allowed."""

from __future__ import annotations

import torch
from torch import Tensor

from lgq_explore.quantizers import Quantizer, joint_codes, to_grid, to_tokens

from .method import (
    SIZES,
    Check,
    Method,
    clear_positions,
    random_latents,
    require,
    require_equal,
    require_refused,
    rounded_points,
)

REFUSED = [
    (torch.zeros(0, dtype=torch.int64), "holds no code"),
    (torch.tensor([-1, 3]), "code -1 is outside"),
    (torch.tensor([3, 10**6]), "code 1000000 is outside"),
    (torch.tensor([0.5]), r"allowed is torch\.float32"),
    (torch.ones(7, dtype=torch.bool), r"mask of shape \[7\]"),
]
"""What `allowed` may not be, with what the refusal says."""


def require_near(quantizer: Quantizer, distances: Tensor, joint: Tensor) -> None:
    """Joint codes [N] are the nearest by distances [N, K], or, of a greedy search, among the nearest eighth."""
    chosen = distances.gather(1, joint[:, None])
    if not quantizer.searches_greedily:
        farther = (chosen > distances.min(1, keepdim=True).values + 1e-5).sum().item()
        require(not farther, f"{farther} of {len(joint)} tokens have a nearer code than theirs")
    else:
        finite = distances.isfinite()
        nearer = ((distances < chosen) & finite).sum() / finite.sum()
        require(nearer < 1 / 8, f"{nearer:.0%} of the codes are nearer than those that were found")


def assign_gives_the_codes_of_forward(method: Method) -> None:
    """`assign` of the points of `continuous` gives the codes of `forward`, and `assign_joint` their numbers."""
    for size in SIZES:
        quantizer, latents = method.built(size).eval(), random_latents(40)
        points, codes = rounded_points(quantizer, latents), quantizer(latents).codes
        assigned = quantizer.assign(points)
        require(assigned.dtype == torch.int64, f"assigned codes are {assigned.dtype}, not int64")
        require_equal(to_grid(assigned, latents), codes, "assign gives other codes than forward")
        joint = joint_codes(codes, quantizer.levels).flatten()
        require_equal(quantizer.assign_joint(points), joint, "assign_joint gives other codes than forward")


def far_points_are_assigned(method: Method) -> None:
    """Points far from all codes are assigned to one of them."""
    quantizer, latents = method.built().eval(), random_latents()
    codes = quantizer.assign(100 * rounded_points(quantizer, latents))
    inside = ((codes >= 0) & (codes < torch.tensor(quantizer.levels))).all()
    require(inside, "points far from all codes are assigned to codes outside of the levels")


def allowing_all_changes_nothing(method: Method) -> None:
    """A mask that allows all codes changes no code."""
    quantizer, latents = method.built().eval(), random_latents(40)
    points, clear = rounded_points(quantizer, latents), to_tokens(clear_positions(quantizer, latents)).all(1)
    everything = torch.ones(quantizer.codebook_size, dtype=torch.bool)
    allowed, free = quantizer.assign(points, everything), quantizer.assign(points)
    require_equal(allowed[clear], free[clear], "allowing all codes changes codes")


def nearest_of_allowed_is_taken(method: Method) -> None:
    """Out of allowed codes the nearest is taken; a mask and a list of numbers are the same."""
    quantizer, latents = method.built().eval(), random_latents()
    points = rounded_points(quantizer, latents)
    allowed = torch.rand(quantizer.codebook_size, generator=torch.Generator().manual_seed(4)) < 0.2
    codes = quantizer.assign(points, allowed)
    joint = joint_codes(to_grid(codes, latents), quantizer.levels).flatten()
    require(allowed[joint].all(), "a code was taken that is not allowed")
    by_number = quantizer.assign(points, allowed.nonzero()[:, 0])
    require_equal(by_number, codes, "allowed numbers give other codes than a mask")
    require_near(quantizer, quantizer.distances(points).masked_fill(~allowed, torch.inf), joint)


def single_allowed_code_is_taken(method: Method) -> None:
    """A single allowed code is taken by all points."""
    quantizer, latents = method.built().eval(), random_latents()
    codes = quantizer.assign(rounded_points(quantizer, latents), torch.tensor([quantizer.codebook_size - 1]))
    require((codes == torch.tensor(quantizer.levels) - 1).all(), "a single allowed code is not taken by all points")


def wrong_allowed_codes_are_refused(method: Method) -> None:
    """No codes, codes that there are not, and masks of another size are refused in words."""
    quantizer = method.built()
    points = rounded_points(quantizer, random_latents())
    for allowed, told in REFUSED:
        require_refused(lambda: quantizer.assign(points, allowed), told, f"allowed = {allowed.tolist()}")  # noqa: B023


def distances_are_in_float32_under_autocast(method: Method) -> None:
    """Distances are the same under bfloat16 autocast."""
    quantizer = method.built().eval()
    points = rounded_points(quantizer, random_latents())
    with torch.autocast("cpu", torch.bfloat16):
        distances = quantizer.distances(points)
    require(distances.dtype == torch.float32, f"distances are {distances.dtype} under autocast, not float32")
    require_equal(distances, quantizer.distances(points), "distances differ under autocast")


CHECKS: list[Check] = [
    assign_gives_the_codes_of_forward,
    far_points_are_assigned,
    allowing_all_changes_nothing,
    nearest_of_allowed_is_taken,
    single_allowed_code_is_taken,
    wrong_allowed_codes_are_refused,
    distances_are_in_float32_under_autocast,
]

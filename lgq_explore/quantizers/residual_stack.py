"""What methods have in common that quantize in stages, each of which takes what the stages before it leave.

Residual quantization (Juang & Gray 1982), as in SoundStream (arXiv 2107.03312) and RQ-VAE (arXiv 2203.01941). With G
codebooks c_g [K_g, P] of one space, and a point z:

    r_1 = z      k_g = argmin_k |r_g − c_gk|      r_(g+1) = r_g − c_(g, k_g)      z_q = Σ_g c_(g, k_g) = z − r_(G+1)

A position has a code of each stage, and the first stage's is the highest digit of the joint code. The search is greedy:
another first code and the best that follow it may have a sum nearer to z.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .base import Quantizer, split_codes, to_grid, to_tokens

MOST_STAGES = 64


class ResidualStack(Quantizer):
    """Groups of codes that are stages: their points in the space of `continuous` add up."""

    searches_greedily = True

    def discrete(self, codes: Tensor) -> Tensor:
        books, tokens = self.codebooks(), to_tokens(codes)
        total = books[0][tokens[:, 0]]
        for stage in range(1, len(books)):
            total = total + books[stage][tokens[:, stage]]
        return to_grid(total, codes)

    def assign(self, points: Tensor, allowed: Tensor | None = None) -> Tensor:
        """As `Quantizer.assign`, greedily: each stage takes the nearest code with which an allowed one goes on."""
        if allowed is None:
            return super().assign(points)
        paths = split_codes(self.allowed_codes(allowed)[:, None, None], self.levels)[:, :, 0, 0]
        # The numbers of the joint codes of all stages so far: of each point, and of each path.
        here, there = points.new_zeros(len(points), dtype=torch.int64), torch.zeros_like(paths[:, 0])
        chosen, rest = [], points
        for stage, book in enumerate(self.codebooks()):
            codes = torch.empty_like(here)
            for number in here.unique():
                rows, candidates = here == number, paths[there == number, stage].unique()
                codes[rows] = candidates[self.metric.nearest(rest[rows], book[candidates])]
            here, there = (so_far * len(book) + digit for so_far, digit in ((here, codes), (there, paths[:, stage])))
            chosen.append(codes)
            rest = rest - book[codes]
        return torch.stack(chosen, dim=1)

    def _assign_each_group(self, points: Tensor) -> Tensor:
        chosen, rest = [], points
        for book in self.codebooks():
            chosen.append(self.metric.nearest(rest, book))
            rest = rest - book[chosen[-1]]
        return torch.stack(chosen, dim=1)


def nearest_power(number: int, exponent: int) -> int:
    """The base of at least 2 whose power with this exponent is nearest to a number in ratio."""
    root = number ** (1 / exponent)
    below = max(2, int(root))
    return below if root * root <= below * (below + 1) else below + 1

"""Revival of dead codes: they begin anew at tokens that lie far from all codes.

A code is dead while the moving average of its share of tokens is under `REVIVE_BELOW` of even use. In a step, a few
dead codes are put onto tokens drawn with probabilities in proportion to their squared distance from their own codes, as
in k-means++ (Arthur & Vassilvitskii 2007); the draws of the next step see them there.
"""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn

from .distributed_mean import mean_over_processes, process_number, world_size
from .mixture import Mixture
from .nearest import counts_by_code
from .step_counter import StepCounter

REVIVE_BELOW = 0.05
DECAY = 0.99
FEWEST_STEPS = 64
"""Steps over which as many draws as there are codes are spread at least."""


class Revival(nn.Module):
    """Keeps count of K codes, and revives the dead ones. Its draws follow from the number of steps, which is saved."""

    shares: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("shares", torch.full((size,), 1 / size))
        self.steps = StepCounter()

    @torch.no_grad()
    def revive(self, centres: Tensor, tokens: Tensor, mixture: Mixture) -> None:
        """Put dead ones of the centres [K, D], in place, onto some of the tokens [N, D]: the same in all processes.

        mixture: of the centres, which says what code a token takes.
        """
        size, codes = len(centres), mixture.nearest(tokens)
        squared_distances = (tokens - mixture.codes[codes]).square().sum(1)
        chosen = counts_by_code(codes, size, tokens.dtype) / len(tokens)
        self.shares.lerp_(mean_over_processes(chosen).to(self.shares.dtype), 1 - DECAY)
        drawn = self._drawn(tokens, squared_distances, draws=max(1, size // FEWEST_STEPS))
        dead = self.shares < REVIVE_BELOW / size
        # The first dead code takes the first token drawn, and so on while there are any.
        place = dead.cumsum(0) - 1
        revived = dead & (place < len(drawn))
        places = place.clamp(min=0, max=len(drawn) - 1)
        centres.copy_(torch.where(revived[:, None], drawn[places].to(centres.dtype), centres))
        self.shares.copy_(torch.where(revived, 1 / size, self.shares))
        self.steps.advance()

    def _drawn(self, tokens: Tensor, weights: Tensor, draws: int) -> Tensor:
        """Tokens [at most `draws`, D] of all processes, drawn without replacement by the weights [N]."""
        # Those of the largest weight / Exp(1) (Efraimidis & Spirakis 2006): the largest of each process's largest.
        everywhere = len(tokens) * world_size()
        generator = torch.Generator().manual_seed(self.steps.finished)
        exponentials = torch.empty(everywhere, pin_memory=tokens.is_cuda).exponential_(generator=generator)
        mine = exponentials.view(world_size(), -1)[process_number()].to(tokens.device, non_blocking=True)
        best = (weights / mine).topk(min(draws, len(tokens)))
        values, candidates = _gathered(best.values), _gathered(tokens[best.indices])
        return candidates[values.topk(min(draws, len(values))).indices]


def _gathered(tensor: Tensor) -> Tensor:
    """The tensors of all processes, one below the other."""
    if world_size() == 1:
        return tensor
    parts = [torch.empty_like(tensor) for _ in range(world_size())]
    distributed.all_gather(parts, tensor.contiguous())
    return torch.cat(parts)

"""The terms that a recipe may minimise, one file per term.

`OBJECTIVES` lists them. A recipe gives a term its weight in `loss_weights` and its settings in `objectives`; a term
that a recipe does not name has weight 0. The losses that a quantizer returns are terms, too, under the names of its
`default_loss_weights`, which take precedence over equal names in this list.
"""

from __future__ import annotations

from .base import Objective
from .gan import GAN
from .l1 import L1
from .l2 import L2
from .log_mse import LogMSE
from .perceptual import Perceptual

OBJECTIVES: dict[str, type[Objective]] = {
    "l1": L1,
    "l2": L2,
    "log_mse": LogMSE,
    "perceptual": Perceptual,
    "gan": GAN,
}

__all__ = ["GAN", "L1", "L2", "OBJECTIVES", "LogMSE", "Objective", "Perceptual"]

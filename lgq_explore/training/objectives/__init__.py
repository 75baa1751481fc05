"""The terms that a recipe may minimise, one file per term.

`OBJECTIVES` is the one list. A name there can be given a weight in a recipe's `loss_weights`, and settings in its
`objectives`; a recipe that does not name a term has weight 0 for it. The losses that a quantizer returns are terms
too, by the names of its `default_loss_weights`, which take precedence over equal names in this list.
"""

from __future__ import annotations

from .base import Objective
from .l1 import L1

OBJECTIVES: dict[str, type[Objective]] = {
    "l1": L1,
}

__all__ = ["L1", "OBJECTIVES", "Objective"]

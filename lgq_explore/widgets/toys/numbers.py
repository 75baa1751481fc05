"""The numbers of a toy that are at hand, also before it is trained."""

from __future__ import annotations

import pandas as pd

from lgq_explore.analysis.toys import ToyView
from lgq_explore.frames.toys import CURVE


def numbers_of(
    view: ToyView, temperature: float, with_optimum: bool, with_equilibrium: bool
) -> dict[str, float | int | str]:
    """Those of `ToyView.numbers`, without what the least distortion and the annealed codebook are needed for."""
    return {
        **view.hard_numbers,
        **(view.optimum_numbers() if with_optimum else {}),
        **view.soft_numbers(temperature),
        **(view.equilibrium_numbers(temperature) if with_equilibrium else {}),
    }


def curve_of_start(view: ToyView) -> pd.DataFrame:
    """The one row of a curve of training that is known before it: how near the start is to the best codebook."""
    start = {**view.hard_numbers, **view.optimum_numbers()}
    return CURVE.frame([{"step": 0, **{name: start[name] for name in CURVE.needed if name != "step"}}])

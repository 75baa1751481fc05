"""Do the frames of several runs keep their rows, order and names in one?"""

from __future__ import annotations

import pandas as pd
import pytest

from lgq_explore.analysis.comparison import of_several_runs
from lgq_explore.errors import InputError


def test_frames_stand_below_each_other_with_their_names() -> None:
    frame = of_several_runs({"b": pd.DataFrame({"x": [1, 2]}), "a": pd.DataFrame({"x": [3]})})
    assert frame.to_dict("list") == {"run": ["b", "b", "a"], "x": [1, 2, 3]}
    assert frame.index.tolist() == [0, 1, 2]


def test_no_frames_are_refused() -> None:
    with pytest.raises(InputError, match="at least one"):
        of_several_runs({})

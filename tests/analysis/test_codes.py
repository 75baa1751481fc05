"""Are joint codes sorted, each kept once, and one outside the codebook refused?"""

from __future__ import annotations

import pytest

from lgq_explore.analysis.codes import checked_codes
from lgq_explore.errors import InputError


def test_codes_are_listed_once_and_in_order() -> None:
    assert checked_codes([7, 3, 7], 8) == [3, 7]
    assert checked_codes([], 8) == []
    for code in (-1, 8):
        with pytest.raises(InputError, match=f"code {code} is outside 0 … 7"):
            checked_codes([3, code], 8)

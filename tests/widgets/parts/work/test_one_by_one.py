"""Are runs looked at one after the other, with refusals kept and what was known staying until it is made anew?"""

from __future__ import annotations

import pytest

from lgq_explore.errors import InputError
from lgq_explore.widgets.parts.work.one_by_one import OneByOne


class Lengths(OneByOne[int]):
    """Of names; odd ones are refused, and each is one longer when it is made again."""

    def __init__(self, *names: str) -> None:
        self.times = 0
        super().__init__(names, self.length, done="measured")

    def length(self, name: str) -> int:
        if len(name) % 2:
            raise InputError(f"{name} is odd")
        self.times += 1
        return len(name) + self.times - 1


def test_each_is_made_once_and_the_known_stand_in_the_order_of_the_names() -> None:
    lengths = Lengths("four", "six...", "two2")
    assert lengths.of("two2") == lengths.of("two2") == 4
    assert lengths.next_due() == "four"
    assert lengths.progress() == "1 of 3 runs are measured"
    assert lengths.all() == {"four": 5, "six...": 8, "two2": 4}
    assert [*lengths.known()] == ["four", "six...", "two2"]
    assert lengths.progress() == ""
    assert lengths.next_due() is None


def test_a_refusal_is_kept_said_and_raised_where_it_is_asked_for() -> None:
    lengths = Lengths("odd", "even")
    lengths.attempt("odd")
    assert not lengths.is_due("odd")
    assert lengths.refused() == "odd can't be measured: odd is odd"
    assert lengths.progress() == "1 of 2 runs are measured"
    with pytest.raises(InputError, match="odd is odd"):
        lengths.all()


def test_what_is_made_anew_stays_as_it_was_until_then() -> None:
    lengths = Lengths("four", "six...")
    lengths.all()
    lengths.renew()
    assert lengths.known() == {"four": 4, "six...": 7}
    assert lengths.progress() == "0 of 2 runs are measured"
    assert lengths.of("six...") == 8
    assert lengths.known() == {"four": 4, "six...": 8}
    assert lengths.is_due("four")

"""Tests of declared state: what follows from one declaration, and how an input and a trait keep together."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from lgq_explore.errors import InputError
from lgq_explore.widgets.parts.state import inputs
from lgq_explore.widgets.parts.state.pieces import Choice, Codes, Place, Stateful, Temperature, Weight, Whole


class Planted(Stateful):
    """Every kind of piece; `most` decides what `hits` may be."""

    size = Choice({"a few": 4, "many": 16}, 4, inputs.menu("codes"))
    hits = Whole((1, None), 5, inputs.count_slider("hits", (1, 5, 10)))
    selection = Codes(lambda planted: planted.size, inputs.codes_box("codes"))
    last = Whole(lambda planted: (0, planted.size - 1), lambda planted: planted.size - 1, inputs.number_box("last one"))
    temperature = Temperature((0.1, 1.0, 10.0), 1.0, inputs.stop_slider("temperature"))
    held = Temperature(0.5, None, inputs.decade_slider("held", -3, 2), allow_none=True)
    usage = Weight((), 0.0)
    patch = Place({"row": 4, "column": 5}, (0, 0), inputs.place_boxes())

    def __init__(self, name: str, *, crops: int = 8, **state: Any) -> None:
        super().__init__()
        self.name, self.crops = name, crops
        self.refused: list[str] = []
        self.take(state)
        self.widgets = self.bound_inputs(
            lambda error: self.refused.append(str(error)), lambda: self.refused.append("mended")
        )


class Below(Planted):
    """A class below another has the pieces of both."""

    colour = Choice(["red", "blue"], "red")


def test_the_signature_names_every_piece_with_its_start() -> None:
    parameters = inspect.signature(Below).parameters
    assert list(parameters) == ["name", "crops", *Below.STATE]
    assert (*Planted.STATE, "colour") == Below.STATE
    assert parameters["hits"].default == 5
    assert parameters["last"].default is None, "it depends on the panel"
    assert parameters["hits"].kind is inspect.Parameter.KEYWORD_ONLY


def test_pieces_are_taken_in_order_and_have_their_starts() -> None:
    planted = Planted("it", last=9, size=16)
    assert planted.state() == {
        "size": 16,
        "hits": 5,
        "selection": [],
        "last": 9,
        "temperature": 1.0,
        "held": None,
        "usage": 0.0,
        "patch": [0, 0],
    }
    assert Planted("it").last == 3
    assert Planted("it", **planted.state()).state() == planted.state()
    with pytest.raises(TypeError, match="unexpected keyword argument 'hit'"):
        Planted("it", hit=3)


def test_a_box_gives_whole_numbers_with_a_decimal_point() -> None:
    planted = Planted("it", size=16)
    planted.widgets["last"].value = 1e1
    assert (planted.last, type(planted.last)) == (10, int)
    planted.widgets["last"].value = 2.5
    assert (planted.last, planted.widgets["last"].value) == (10, 10)
    assert planted.refused == ["last one is 2.5: give a whole number from 0 to 15"]


@pytest.mark.parametrize(
    ("piece", "value", "told"),
    [
        ("size", 5, r"size is 5: choose one of 4, 16"),
        ("hits", 0, "hits is 0: give a whole number of at least 1"),
        ("hits", 1.5, r"hits is 1\.5: give a whole number"),
        ("hits", True, "hits is True: give a whole number"),
        ("last", 4, "last is 4: give a whole number from 0 to 3"),
        ("selection", [4], "code 4 is outside 0 … 3"),
        ("selection", "12", "selection is '12': give a list of codes"),
        ("selection", 3, "selection is 3: give a list of codes"),
        ("temperature", 0.0, r"temperature is 0\.0: give a positive number"),
        ("temperature", float("nan"), "temperature is nan: give a positive number"),
        ("temperature", "warm", "temperature is 'warm': give a positive number"),
        ("held", -1.0, r"held is -1\.0: give a positive number"),
        ("usage", -0.5, r"usage is -0\.5: give a number of at least 0"),
        ("usage", float("inf"), "usage is inf: give a number of at least 0"),
        ("patch", [4, 0], r"patch is \[4, 0\]: give \[row, column\] with row 0 … 3, column 0 … 4"),
        ("patch", [1], r"patch is \[1\]: give \[row, column\]"),
    ],
)
def test_what_a_piece_cannot_be_is_refused_and_leaves_it(piece: str, value: Any, told: str) -> None:
    planted = Planted("it")
    before = planted.state()
    with pytest.raises(InputError, match=told):
        planted.set_trait(piece, value)
    with pytest.raises(InputError, match=told):
        Planted("it", **{piece: value})
    assert planted.state() == before


def test_numbers_of_numpy_are_numbers() -> None:
    planted = Planted("it", hits=np.int64(7), temperature=np.float32(0.5), selection=np.array([1, 2]))
    assert planted.state()["hits"] == 7
    assert planted.state()["selection"] == [1, 2]
    assert {type(code) for code in planted.selection} == {int}
    assert type(planted.temperature) is float


def test_an_empty_place_is_the_first() -> None:
    assert Planted("it", patch=[]).patch == [0, 0]


@pytest.mark.parametrize(
    ("piece", "moved", "value"),
    [
        ("size", 16, 16),
        ("hits", 10, 10),
        ("selection", [2], [2]),
        ("temperature", 10.0, 10.0),
        ("patch", [1, 2], [1, 2]),
    ],
)
def test_an_input_sets_its_piece_and_follows_it(piece: str, moved: Any, value: Any) -> None:
    planted, other = Planted("it"), Planted("it")
    planted.widgets[piece].value = moved
    assert getattr(planted, piece) == value
    other.set_trait(piece, value)
    assert other.widgets[piece].value == moved


def parts_of(slider: Any) -> tuple[Any, Any]:
    slider, box = slider.children
    return slider, box


def test_a_slider_shows_the_nearest_stop_and_its_box_the_number_itself() -> None:
    planted = Planted("it", temperature=0.0126, held=1e-6, hits=7)
    shown = {name: [part.value for part in parts_of(planted.widgets[name])] for name in ("temperature", "held", "hits")}
    assert shown == {"temperature": [0.1, "0.0126"], "held": [0.001, "1e-06"], "hits": [5, "7"]}
    assert (planted.temperature, planted.held, planted.hits) == (0.0126, 1e-6, 7)
    planted.held = None
    assert parts_of(planted.widgets["held"])[1].value == "0.5"


@pytest.mark.parametrize(
    ("piece", "typed", "value"), [("temperature", "0.25", 0.25), ("temperature", "3", 3.0), ("hits", "1,000", 1000)]
)
def test_a_number_can_be_typed_beside_a_slider(piece: str, typed: str, value: float) -> None:
    planted = Planted("it")
    slider, box = parts_of(planted.widgets[piece])
    box.value = typed
    assert getattr(planted, piece) == value
    first, last = slider.options[0], slider.options[-1]
    label, stop = last if slider.value == first[1] else first
    slider.value = stop
    assert getattr(planted, piece) == stop
    assert box.value == label


@pytest.mark.parametrize(
    ("piece", "typed", "told"),
    [
        ("temperature", "-1", "temperature is -1: give a positive number"),
        ("temperature", "warm", "temperature is 'warm': give a positive number"),
        ("hits", "0", "hits is 0: give a whole number of at least 1"),
        ("hits", "2.5", "hits is 2.5: give a whole number of at least 1"),
    ],
)
def test_a_number_typed_in_vain_is_refused_in_words_and_not_clamped(piece: str, typed: str, told: str) -> None:
    planted = Planted("it")
    before = planted.state()
    _, box = parts_of(planted.widgets[piece])
    shown = box.value
    box.value = typed
    assert planted.refused == [told]
    assert planted.state() == before
    assert box.value == shown


def test_codes_are_ascending_and_each_once() -> None:
    assert Planted("it", size=16, selection=[9, 3, 3]).selection == [3, 9]


def test_a_value_that_a_page_rounds_and_sends_back_moves_nothing() -> None:
    planted = Planted("it", held=0.123456789)
    slider = planted.widgets["held"]
    slider.value = 0.1234567891
    assert planted.held == 0.123456789
    slider.value = 0.2
    assert planted.held == 0.2


def test_what_a_reader_sets_in_vain_is_told() -> None:
    planted = Planted("it", size=16)
    planted.widgets["last"].value = 40
    assert planted.refused == ["last one is 40: give a whole number from 0 to 15"], "the reader knows it by its label"
    assert planted.last == planted.widgets["last"].value == 15
    planted.widgets["last"].value = 14
    assert planted.refused[1:] == ["mended"]
    planted.widgets["last"].value = 13
    assert planted.refused[1:] == ["mended"]


@pytest.mark.parametrize("mended", ["3", "3, 3", "2"])
def test_a_text_that_chooses_no_codes_is_told_until_it_is_mended(mended: str) -> None:
    planted = Planted("it", size=16, selection=[3])
    text = planted.widgets["selection"].children[0]
    text.value = "3, cat"
    assert planted.selection == [3]
    assert ["'cat' chooses no codes" in planted.refused[0], len(planted.refused)] == [True, 1]
    text.value = mended
    assert planted.refused[1:] == ["mended"]

"""State of a panel: one declaration per piece, from which trait, keyword, check, input and code follow."""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import ipywidgets
import traitlets

from lgq_explore.analysis.code_rules import codes_by_rule
from lgq_explore.analysis.codes import as_text, checked_codes
from lgq_explore.errors import InputError, near_matches, printable
from lgq_explore.runs.study import Study

from .inputs import DIGITS, Input
from .unheard import unheard

MOST_WRITTEN_OUT = 8
"""Most codes that stand one by one in a panel's line of code; more stand there as ranges."""


class Piece(traitlets.TraitType[Any, Any]):
    """A piece of a panel's state, declared in the body of the panel's class.

        hits = Whole((1, None), 5, count_slider("at least m hits", HITS))

    The constructor then takes `hits` as a keyword, the panel has it as a trait that refuses what it can't be, an input
    follows it and sets it, and the panel's line of code names it.

    domain: what a value is checked against, and what the input is made from; each kind of piece says what that is.
    start: the value where no keyword gives one. Either may be a function of the panel.
    make_input: makes the input from the domain; None for a piece that only clicks and Python set.
    """

    def __init__(
        self, domain: Any, start: Any, make_input: Callable[[Any], Input | None] | None = None, allow_none: bool = False
    ) -> None:
        super().__init__(allow_none=allow_none)
        self._domain, self._start, self._make_input = domain, start, make_input

    def default(self, obj: Any = None) -> Any:
        return self._start(obj) if callable(self._start) else self._start

    def validate(self, obj: Any, value: Any) -> Any:
        return self.checked(value, self._domain_of(obj))

    def checked(self, value: Any, domain: Any) -> Any:
        """The value as it is kept. Raises InputError for one outside the domain."""
        raise NotImplementedError("abstract: a piece knows what it may be")

    def input_for(self, panel: Any) -> Input | None:
        return self._make_input(self._domain_of(panel)) if self._make_input else None

    def as_code(self, value: Any) -> str:
        """The value as Python writes it."""
        return repr(value)

    def keyword(self, name: str) -> inspect.Parameter:
        """The piece in its panel's signature; a start that depends on the panel is written None there."""
        start = None if callable(self._start) else self._start
        return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=start)

    def _domain_of(self, panel: Any) -> Any:
        return self._domain(panel) if callable(self._domain) else self._domain


class Choice(Piece):
    """One of some values. The domain lists them, or maps what a reader sees to them."""

    def checked(self, value: Any, domain: Mapping[str, Any] | Iterable[Any]) -> Any:
        values = list(domain.values() if isinstance(domain, Mapping) else domain)
        if value not in values:
            near = near_matches(str(value), map(str, values), most=1)
            offered = ", ".join(str(each) for each in values if each != "")
            raise InputError(f"{self.name} is {value!r}: choose one of {offered}{near}")
        return value


class Whole(Piece):
    """A whole number. The domain is its least and its greatest value; None for no greatest."""

    def checked(self, value: Any, domain: tuple[int, int | None]) -> int:
        least, most = domain
        if isinstance(value, float) and value.is_integer():  # as boxes on the page give whole numbers
            value = int(value)
        number = _whole(value)
        if number is None or number < least or (most is not None and number > most):
            ends = f"of at least {least}" if most is None else f"from {least} to {most}"
            raise InputError(f"{self.name} is {value!r}: give a whole number {ends}")
        return number


class Several(Piece):
    """Some of the values that are offered, at least one, each once and in their order. The domain is that of Choice."""

    def checked(self, value: Any, domain: Mapping[str, Any] | Iterable[Any]) -> list[Any]:
        values = list(domain.values() if isinstance(domain, Mapping) else domain)
        given = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else []
        unknown = [each for each in given if each not in values]
        offered = ", ".join(printable(each) for each in values)
        if isinstance(value, list | tuple) and not given:
            raise InputError(f"no {self.name} are chosen: choose at least one of {offered}")
        if not given or unknown:
            raise InputError(f"{self.name} is {value!r}: give a list of at least one of {offered}")
        return [each for each in values if each in given]


class Pair(Piece):
    """Two different values of those that are offered; None where they are chosen by what is known later."""

    def checked(self, value: Any, domain: Iterable[Any]) -> list[Any]:
        values = list(domain)
        given = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else []
        if len(given) != 2 or given[0] == given[1] or not all(each in values for each in given):
            offered = ", ".join(printable(each) for each in values)
            raise InputError(f"{self.name} is {value!r}: give two different ones of {offered}")
        return given


class Within(Piece):
    """A number between two ends, to three digits after the point. The domain is the ends; None for any above 0."""

    def checked(self, value: Any, domain: tuple[float, float] | None) -> float:
        number = round(_real(value), DIGITS)
        low, high = domain or (0.0, math.inf)
        if not low <= number <= high or number in (0.0, math.inf):
            ends = "above 0" if domain is None else f"from {low:g} to {high:g}"
            raise InputError(f"{self.name} is {value!r}: give a number {ends}")
        return number


class Weight(Piece):
    """A finite number of at least 0. The domain limits nothing: it holds the numbers that the input offers."""

    def checked(self, value: Any, domain: Any) -> float:
        number = _real(value)
        if not 0 <= number < math.inf:
            raise InputError(f"{self.name} is {value!r}: give a number of at least 0")
        return number


class Temperature(Piece):
    """A finite number above 0. The domain limits nothing: it holds what the input offers, or the one in force."""

    def checked(self, value: Any, domain: Any) -> float:
        number = _real(value)
        if not 0 < number < math.inf:
            raise InputError(f"{self.name} is {value!r}: give a positive number")
        return number


class Codes(Piece):
    """A list of joint codes, ascending, each once. The domain is the codebook's size K.

    The input is made from a function that reads codes from a text, those of the study that the panel shows then.
    """

    def __init__(self, domain: Any, make_input: Callable[[Any], Input | None] | None = None) -> None:
        super().__init__(domain, (), make_input)

    def input_for(self, panel: Any) -> Input | None:
        def read(text: str) -> list[int]:
            study = next(iter(panel.studies()), None)
            return codes_by_rule(text, self._domain_of(panel), study)

        return self._make_input(read) if self._make_input else None

    def as_code(self, value: list[int]) -> str:
        return repr(value) if len(value) <= MOST_WRITTEN_OUT else f'lgq.codes("{as_text(value)}")'

    def default(self, obj: Any = None) -> list[int]:
        return []

    def checked(self, value: Any, domain: int) -> list[int]:
        codes = _whole_numbers(value)
        if codes is None:
            raise InputError(f"{self.name} is {value!r}: give a list of codes, such as [3, 17]")
        return checked_codes(codes, domain)


class Place(Piece):
    """A place in an array, one whole number per axis; empty for the first. The domain maps names of axes to lengths."""

    def default(self, obj: Any = None) -> list[int]:
        return list(super().default(obj))

    def checked(self, value: Any, domain: Mapping[str, int]) -> list[int]:
        place, lengths = _whole_numbers(value), list(domain.values())
        if place == []:
            return [0] * len(lengths)
        if place is None or len(place) != len(lengths) or not all(map(_is_within, place, lengths)):
            ends = ", ".join(f"{name} 0 … {length - 1}" for name, length in domain.items())
            raise InputError(f"{self.name} is {value!r}: give [{', '.join(domain)}] with {ends}")
        return place


class Stateful(traitlets.HasTraits):
    """A class whose pieces of state are declared in its body, and in those of the classes above it, in this order.

    Its constructor takes them by keyword: a subclass passes ``**state`` on, and `inspect.signature` names each. A
    subclass may name one itself, to take it by position too.
    """

    STATE: ClassVar[tuple[str, ...]] = ()
    """The pieces' names, in the order in which they are taken and written."""

    __signature__: ClassVar[inspect.Signature]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        declared = {
            name: piece
            for above in reversed(cls.__mro__)
            for name, piece in vars(above).items()
            if isinstance(piece, Piece)
        }
        cls.STATE = tuple(declared)
        own = [each for each in inspect.signature(cls.__init__).parameters.values() if each.name != "self"]
        fixed = [each for each in own if each.kind is not inspect.Parameter.VAR_KEYWORD]
        named = {each.name for each in fixed}
        keywords = [piece.keyword(name) for name, piece in declared.items() if name not in named]
        order = sorted([*fixed, *keywords], key=lambda each: each.kind)
        cls.__signature__ = inspect.Signature(order)

    def studies(self) -> list[Study]:
        """Whose codes its pieces are about, first the one that is shown at the moment; by default there are none."""
        return []

    def state(self) -> dict[str, Any]:
        """The pieces by name, as values that JSON can write; the constructor takes them back."""
        return {name: getattr(self, name) for name in self.STATE}

    def piece(self, name: str) -> Piece:
        found = self.traits()[name]
        assert isinstance(found, Piece)
        return found

    def take(self, state: Mapping[str, Any]) -> None:
        """Set what is given, in the order of the declarations; a piece that is None or left out has its start.

        Raises:
            InputError: a value that the piece can't be.
            TypeError: a keyword that is no piece of the state.
        """
        for name in state:
            if name not in self.STATE:
                raise TypeError(f"{type(self).__name__}() got an unexpected keyword argument {name!r}")
        for name in self.STATE:
            given = state.get(name)
            # A start is checked like anything else: it may depend on what was taken before.
            setattr(self, name, getattr(self, name) if given is None else given)

    def bound_inputs(
        self, refuse: Callable[[InputError], None], mended: Callable[[], None]
    ) -> dict[str, ipywidgets.Widget]:
        """A widget for each piece that has an input, bound to it.

        refuse: hears what a reader set in vain. mended: called when the same input has a value that it can have.
        """
        inputs = {name: self.piece(name).input_for(self) for name in self.STATE}
        made = {name: each for name, each in inputs.items() if each is not None}
        for name, each in made.items():
            bind(self, name, each, refuse, mended)
        return {name: each.widget for name, each in made.items()}


def bind(
    panel: Stateful, name: str, bound: Input, refuse: Callable[[InputError], None], mended: Callable[[], None]
) -> None:
    """Let the input follow the piece from now on, and the piece what a reader does with the input.

    refuse, mended: as in `bound_inputs`.
    """
    widget, shown, problem = bound.widget, None, None

    def show(value: Any) -> None:
        nonlocal shown
        bound.show(value)
        shown = widget.value

    def show_silently(value: Any) -> None:
        with unheard(widget, moved):
            show(value)

    def tell(error: InputError | None) -> None:
        nonlocal problem
        before, problem = problem, error
        if error is before:
            return
        if error is None:
            mended()
        else:
            refuse(error)

    def moved(change: Any) -> None:
        nonlocal shown
        # The page rounds what it is given, and sends that back: nobody moved the input then.
        if _is_same(change["new"], shown):
            return
        try:
            panel.set_trait(name, change["new"])
            tell(None)
        except InputError as error:
            if bound.keeps_refused:
                shown = change["new"]
            else:
                show_silently(getattr(panel, name))
            tell(_as_labelled(error, name, bound.label))

    show(getattr(panel, name))
    widget.observe(moved, "value")
    if widget.has_trait("problem"):
        widget.observe(lambda change: tell(change["new"]), "problem")
    panel.observe(lambda change: show_silently(change["new"]), name)


def _as_labelled(error: InputError, name: str, label: str) -> InputError:
    """The error as it is told to a reader, who knows the piece by the label of its input."""
    begins = f"{name} is "
    said = str(error)
    return InputError(f"{label} is {said.removeprefix(begins)}") if label and said.startswith(begins) else error


def _is_same(one: Any, other: Any) -> bool:
    """Whether two values of an input are equal but for the rounding of a page."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-6)
    return bool(one == other)


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def _whole_numbers(values: Any) -> list[int] | None:
    if isinstance(values, str) or not isinstance(values, Iterable):
        return None
    numbers = [_whole(value) for value in values]
    whole = [number for number in numbers if number is not None]
    return whole if len(whole) == len(numbers) else None


def _is_within(number: int, length: int) -> bool:
    return 0 <= number < length


def _real(value: Any) -> float:
    is_number = not isinstance(value, bool | str) and hasattr(value, "__float__")
    return float(value) if is_number else math.nan

"""The state of the toy lab: a setting of what is learned, and a temperature, as traits that are checked."""

from __future__ import annotations

import math
from typing import Any

import traitlets

from lgq_explore import analysis
from lgq_explore.analysis.temperature.softness import require_temperature
from lgq_explore.analysis.toys import ToySetting
from lgq_explore.errors import InputError
from lgq_explore.quantizers.initialization import INITIALIZATIONS
from lgq_explore.quantizers.lgq import USAGE_FORMS
from lgq_explore.training.presets import quantizer_config

from ..explorer import Explorer, one_of

FEWEST_CODES, MOST_CODES = 3, 64
SETTING = (
    "data",
    "method",
    "codes",
    "peakedness",
    "usage",
    "usage_form",
    "initialization",
    "seed",
    "steps",
    "batch_size",
)
"""Traits on which depends what is learned."""

AT_LEAST = {"codes": FEWEST_CODES, "seed": 0, "steps": 1, "batch_size": 2}


class ToyState(Explorer):
    """A panel whose traits are a `ToySetting` and a temperature. Setting one to nonsense raises InputError."""

    STATE = ("data", "method", "codes", "temperature", *SETTING[3:])

    data = traitlets.Unicode()
    method = traitlets.Unicode()
    codes = traitlets.Int()
    temperature = traitlets.Float()
    peakedness = traitlets.Float()
    usage = traitlets.Float()
    usage_form = traitlets.Unicode()
    initialization = traitlets.Unicode()
    seed = traitlets.Int()
    steps = traitlets.Int()
    batch_size = traitlets.Int()

    @property
    def setting(self) -> ToySetting:
        """What is learned, and how."""
        return ToySetting(**{name: getattr(self, name) for name in SETTING})

    @traitlets.validate("data")
    def _check_data(self, proposal: Any) -> str:
        analysis.toys.toy_named(proposal["value"])
        return proposal["value"]

    @traitlets.validate("method")
    def _check_method(self, proposal: Any) -> str:
        quantizer_config(proposal["value"])
        return proposal["value"]

    @traitlets.validate("usage_form")
    def _check_usage_form(self, proposal: Any) -> str:
        return one_of("usage_form", proposal["value"], USAGE_FORMS)

    @traitlets.validate("initialization")
    def _check_initialization(self, proposal: Any) -> str:
        value = proposal["value"]
        return one_of("initialization", value, INITIALIZATIONS) if value else value

    @traitlets.validate("temperature")
    def _check_temperature(self, proposal: Any) -> float:
        require_temperature(proposal["value"])
        return proposal["value"]

    @traitlets.validate("peakedness", "usage")
    def _check_weight(self, proposal: Any) -> float:
        if not 0 <= proposal["value"] < math.inf:
            raise InputError(f"{proposal['trait'].name} is {proposal['value']}: give a number of at least 0")
        return proposal["value"]

    @traitlets.validate("codes", "seed", "steps", "batch_size")
    def _check_number(self, proposal: Any) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        if value < AT_LEAST[name]:
            raise InputError(f"{name} is {value}: give at least {AT_LEAST[name]}")
        if name == "codes" and value > MOST_CODES:
            raise InputError(f"codes is {value}: at most {MOST_CODES} can be told apart in a plane")
        return value

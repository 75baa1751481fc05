"""The checks that apply to a method, and all of them in one call."""

from __future__ import annotations

from dataclasses import dataclass

from lgq_explore.quantizers import QuantizerConfig, SoftQuantizer, TakesCodebooks
from lgq_explore.quantizers.registry import required_config

from . import codebook_exchange, codes, decoder_input, gradients, memory, nearness, precision, softness, state, training
from .method import Check, Method, is_registered

CHECKS: dict[str, list[Check]] = {
    "registration": [is_registered],
    "codes": codes.CHECKS,
    "nearness": nearness.CHECKS,
    "decoder input": decoder_input.CHECKS,
    "gradients": gradients.CHECKS,
    "state": state.CHECKS,
    "precision": precision.CHECKS,
    "memory": memory.CHECKS,
    "training": training.CHECKS,
}
"""The checks for every method that has codes, by topic."""

CHECKS_OF_CAPABILITIES: dict[type, list[Check]] = {
    SoftQuantizer: softness.CHECKS,
    TakesCodebooks: codebook_exchange.CHECKS,
}
"""The checks for methods that inherit a class of `quantizers.capabilities`."""


@dataclass(frozen=True)
class Promise:
    """One thing that a method promises. `str` of it is the name of the method and what is promised."""

    method: Method
    holds: Check

    def check(self) -> None:
        """Raise AssertionError, with a sentence that says what was found, if the promise is broken."""
        self.holds(self.method)

    @property
    def __name__(self) -> str:  # pytest names the case by it
        return f"{self.method.config.method}-{self.holds.__name__}"

    def __str__(self) -> str:
        return f"{self.method.config.method}: {(self.holds.__doc__ or '').strip().splitlines()[0]}"


def promises(config: type[QuantizerConfig]) -> list[Promise]:
    """What the method of this config promises. Nothing is checked yet.

    config: the class whose `for_codebook_size` gives the settings. A method without codes promises nothing here.
    """
    if not config.has_codes:
        return []
    method = Method(config)
    example = method.built()
    own = [checks for capability, checks in CHECKS_OF_CAPABILITIES.items() if isinstance(example, capability)]
    return [Promise(method, check) for checks in (*CHECKS.values(), *own) for check in checks]


def check_quantizer(config: type[QuantizerConfig]) -> None:
    """Check every promise of the method of this config, in about a minute.

    Raises AssertionError with a line for each promise that is broken, and InputError if it is no config.
    """
    broken = []
    for promise in promises(required_config(config)):
        try:
            promise.check()
        except Exception as error:  # a check that can't even be made is a broken promise, too
            broken.append(f"{promise}\n    {type(error).__name__}: {error}")
    if broken:
        raise AssertionError(f"{len(broken)} promises are broken:\n" + "\n".join(broken))

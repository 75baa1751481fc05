"""Tests that methods which break a promise are told so, each by the check of that promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from lgq_explore.contract import CHECKS, Promise, check_quantizer, promises
from lgq_explore.contract.memory import LargestTensor, largest_tensor
from lgq_explore.contract.method import DIM, random_latents
from lgq_explore.quantizers import (
    QUANTIZERS,
    LGQConfig,
    Quantizer,
    QuantizerConfig,
    QuantizerOutput,
    TemperatureSchedule,
)
from lgq_explore.quantizers.methods.vq import VQ, VQGradientConfig


class Sound(VQ):
    """What the broken methods are made of."""


@dataclass(frozen=True)
class SoundConfig(VQGradientConfig):
    method: ClassVar[str] = "sound"
    made: ClassVar[type[VQ]] = Sound

    initialization: str = "random"

    def build(self, dim: int, generator: torch.Generator | None = None) -> VQ:
        return self.made(dim, self, generator)


def forward_of(change: Callable[[VQ, QuantizerOutput], QuantizerOutput]) -> type[VQ]:
    class Changed(Sound):
        def forward(self, latents: Tensor) -> QuantizerOutput:
            return change(self, super().forward(latents))

    return Changed


def overriding(**methods: Any) -> type[VQ]:
    return type("Changed", (Sound,), methods)


def shifted_in_eval(quantizer: VQ, output: QuantizerOutput) -> QuantizerOutput:
    return output if quantizer.training else replace(output, quantized=output.quantized + 0.01)


def counting(quantizer: VQ, output: QuantizerOutput) -> QuantizerOutput:
    with torch.no_grad():
        quantizer.codebook += 0.001
    return output


def dense(quantizer: VQ, output: QuantizerOutput) -> QuantizerOutput:
    torch.cdist(output.quantized.movedim(1, -1).flatten(0, 2), quantizer.codebook.detach())
    return output


def drawn_from_the_global_generator(self: VQ, codebook: Tensor) -> None:
    self.codebook = torch.nn.Parameter(torch.randn(codebook.shape))


def forgetting(self: VQ, *arguments: Any, **settings: Any) -> None:
    """A state dict without the codebook's values."""
    Quantizer._save_to_state_dict(self, *arguments, **settings)
    arguments[0][f"{arguments[1]}codebook"].zero_()


BROKEN: dict[str, type[VQ]] = {
    "output_has_shapes_types_and_ranges": forward_of(lambda _, output: replace(output, codes=output.codes.int())),
    "lookup_gives_what_forward_gives": forward_of(shifted_in_eval),
    "code_is_the_nearest_point": forward_of(lambda q, output: replace(output, codes=(output.codes + 1) % q.levels[0])),
    "different_latents_take_different_codes": forward_of(lambda _, output: replace(output, codes=0 * output.codes)),
    "codebooks_are_known_to_the_config": overriding(codebooks=lambda self: [self.codebook]),
    "assign_gives_the_codes_of_forward": overriding(assign_joint=lambda self, points: self.assign(-points)[:, 0]),
    "allowing_all_changes_nothing": overriding(
        assign=lambda self, points, allowed=None: VQ.assign(self, points if allowed is None else -points, allowed)
    ),
    "nearest_of_allowed_is_taken": overriding(assign=lambda self, points, allowed=None: VQ.assign(self, points)),
    "wrong_allowed_codes_are_refused": overriding(allowed_codes=lambda self, allowed: allowed.long()),
    "decoder_input_is_affine": overriding(decoder_input=lambda self, points: points.tanh()),
    "gradients_reach_the_encoder": forward_of(
        lambda _, output: replace(output, quantized=output.quantized.detach(), losses={})
    ),
    "losses_have_weights": forward_of(lambda _, output: replace(output, losses={"own": output.quantized.sum()})),
    "eval_mode_learns_nothing": forward_of(counting),
    "no_tensor_of_tokens_and_codes_is_made": forward_of(dense),
    "seed_determines_the_quantizer": overriding(
        _hold_codebook=drawn_from_the_global_generator, initialize=lambda self, *_: None
    ),
}
"""A quantizer for each check that it must fail."""


def config_of(quantizer: type[VQ]) -> type[QuantizerConfig]:
    return dataclass(frozen=True)(type("BrokenConfig", (SoundConfig,), {"made": quantizer, "__annotations__": {}}))


def promise_of(config: type[QuantizerConfig], check: str) -> Promise:
    (promise,) = (promise for promise in promises(config) if promise.holds.__name__ == check)
    return promise


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(QUANTIZERS, "sound", SoundConfig)


@pytest.mark.parametrize("check", BROKEN)
def test_a_broken_promise_is_told(check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of(BROKEN[check])
    monkeypatch.setitem(QUANTIZERS, "sound", config)
    promise_of(SoundConfig, check).check()
    with pytest.raises(AssertionError, match=r"\w"):
        promise_of(config, check).check()


def test_all_broken_promises_are_told_in_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    check_quantizer(SoundConfig)
    config = config_of(BROKEN["losses_have_weights"])
    monkeypatch.setitem(QUANTIZERS, "sound", config)
    with pytest.raises(AssertionError) as told:
        check_quantizer(config)
    lines = str(told.value).splitlines()
    assert "promises are broken" in lines[0]
    assert "sound: `forward` gives the losses that the config has weights for, and no others." in lines
    assert "    AssertionError: losses are ['own'], default_loss_weights ['codebook', 'commitment']" in lines


def test_a_method_that_is_not_registered_is_told_how_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(QUANTIZERS, "sound")
    with pytest.raises(AssertionError, match=r"by lgq\.register or an entry point"):
        promise_of(SoundConfig, "is_registered").check()


def test_each_promise_is_told_by_a_line() -> None:
    told = [str(promise) for promise in promises(SoundConfig)]
    assert len(set(told)) == len(told) > 25
    assert all(line.startswith("sound: ") and line.endswith(".") for line in told)
    assert sum(len(checks) for checks in CHECKS.values()) <= len(told)


def test_the_recorder_sees_a_dense_tensor() -> None:
    tokens, codebook = torch.randn(64, 4, requires_grad=True), torch.randn(32, 4)
    with LargestTensor() as recorded:
        torch.cdist(tokens, codebook).sum().backward()
    assert recorded.elements >= 64 * 32


def test_no_dense_tensor_is_made_in_solving_for_the_temperature_either() -> None:
    schedule = TemperatureSchedule(4.0, 4.0, "constant", "effective_codes")
    quantizer = LGQConfig(4096, schedule).build(DIM)
    assert largest_tensor(quantizer, random_latents(4, DIM, 32, 32)) <= 4096 * 4096 / 8

"""Configs as JSON, weights as a state dict, and seeds."""

from __future__ import annotations

import json

from lgq_explore.runs.config import config_from_json, config_to_json
from lgq_explore.training.presets import preset

from .method import LARGE_SIZES, SIZES, Check, Method, random_latents, require, require_equal, require_refused


def config_goes_through_json(method: Method) -> None:
    """A recipe with the method goes through JSON and back at every size."""
    name = method.config.method
    for size in (*SIZES, *LARGE_SIZES):
        recipe = preset("tiny", name, size)
        again = config_from_json(json.loads(json.dumps(config_to_json(recipe))))
        require(again == recipe, f"{recipe.quantizer} comes back from JSON as {again.quantizer}")
        require(
            recipe.quantizer == method.config.for_codebook_size(size), f"the recipe of {name} has {recipe.quantizer}"
        )
        require(type(again.quantizer) is method.config, f"{name} comes back as {type(again.quantizer).__name__}")


def too_small_codebooks_are_refused(method: Method) -> None:
    """Codebooks of fewer than two codes are refused with their size."""
    for size in (-1, 0, 1):
        asked = f"codebook_size = {size}"
        require_refused(
            lambda: preset("tiny", method.config.method, size),  # noqa: B023
            f"codebook_size is {size}",
            asked,
        )


def state_goes_through_a_dict(method: Method) -> None:
    """A quantizer that loads the state of another after a step is that quantizer."""
    quantizer, copy = method.built(), method.built(seed=5)
    quantizer(random_latents())
    copy.load_state_dict(quantizer.state_dict())
    for mode in (True, False):
        original, restored = (module.train(mode)(random_latents(seed=3)) for module in (quantizer, copy))
        require_equal(restored.codes, original.codes, "codes differ after load_state_dict")
        require_equal(restored.quantized, original.quantized, "values differ after load_state_dict")
        for name, loss in original.losses.items():
            require_equal(restored.losses[name], loss, f"the loss {name} differs after load_state_dict")


def seed_determines_the_quantizer(method: Method) -> None:
    """The same seed gives the same quantizer, and another seed another one."""
    latents = random_latents()
    first, again, other = (method.built(seed=seed)(latents) for seed in (3, 3, 4))
    require_equal(again.quantized, first.quantized, "two quantizers of one seed differ: draw from the given generator")
    require_equal(again.codes, first.codes, "codes of two quantizers of one seed differ")
    require(not first.quantized.equal(other.quantized), "quantizers of two seeds are the same")


CHECKS: list[Check] = [
    config_goes_through_json,
    too_small_codebooks_are_refused,
    state_goes_through_a_dict,
    seed_determines_the_quantizer,
]

"""Soft assignment, of methods that have one."""

from __future__ import annotations

import math
from typing import cast

from lgq_explore.quantizers import SoftQuantizer, joint_codes, to_grid

from .method import DIM, Check, Method, random_latents, require, require_close, require_equal


def soft_vectors_harden(method: Method) -> None:
    """Soft vectors come nearer to those of the codes as the temperature falls."""
    quantizer, latents = _soft(method), random_latents()
    output = quantizer.eval()(latents)
    temperatures = (10.0, 1.0, 0.1, 0.001)
    gaps = [(quantizer.soft(latents, temperature) - output.quantized).norm().item() for temperature in temperatures]
    require(gaps == sorted(gaps, reverse=True), f"at temperatures {temperatures} the distances to the codes are {gaps}")
    joint = joint_codes(output.codes, quantizer.levels).flatten()
    codes = quantizer.soft_assign(latents, 1.0).codes
    require_equal(codes, joint, "the most probable codes are not those of forward")


def softness_is_that_of_the_vectors(method: Method) -> None:
    """`softness` has the soft and hard vectors and codes of `soft` and `forward`, and probabilities within bounds."""
    quantizer, latents = _soft(method), random_latents()
    quantizer.eval()
    softness, output = quantizer.softness(latents, 0.5), quantizer(latents)
    soft = quantizer.decoder_input(to_grid(softness.soft, latents))
    require_close(soft, quantizer.soft(latents, 0.5), "the soft vectors are not those of `soft`")
    joint = joint_codes(output.codes, quantizer.levels).flatten()
    require_equal(softness.codes, joint, "the codes are not those of forward")
    hard = quantizer.discrete(output.codes)
    require_equal(to_grid(softness.hard, latents), hard, "the hard vectors are not those of the codes")
    most = math.log(quantizer.codebook_size) + 1e-5
    require(((softness.entropy >= 0) & (softness.entropy <= most)).all(), "an entropy lies outside of [0, log K]")
    largest = softness.log_largest
    require(((largest <= 0) & (largest >= -most)).all(), "a largest log-probability lies outside of [−log K, 0]")
    require((softness.encoder_gain >= 0).all(), "an encoder gain is negative")


def temperature_by_hand_holds(method: Method) -> None:
    """A temperature set by hand holds until it is given back to the schedule."""
    quantizer = _soft(method)
    quantizer.anneal(0.0)
    start = quantizer.temperature
    quantizer.temperature = 42.0
    quantizer.anneal(1.0)
    require(quantizer.temperature == 42.0, f"the temperature is {quantizer.temperature} where 42 was set by hand")
    quantizer.temperature = None
    end, scheduled = quantizer.temperature, quantizer.scheduled_temperature
    require(end == scheduled, f"given back to the schedule, the temperature is {end}, not {scheduled}")
    first, last = method.config.for_codebook_size(256).temperatures(DIM) or (start, end)
    moves = math.isclose(end / start, last / first, rel_tol=1e-6)  # a temperature's unit may be known from tokens only
    require(moves, f"the temperature goes from {start} to {end}, that of the config from {first} to {last}")


def _soft(method: Method) -> SoftQuantizer:
    return cast(SoftQuantizer, method.built())


CHECKS: list[Check] = [soft_vectors_harden, softness_is_that_of_the_vectors, temperature_by_hand_holds]

"""What the decoder sees of points and codes."""

from __future__ import annotations

from .method import Check, Method, random_latents, require_close, require_equal


def decoder_input_is_affine(method: Method) -> None:
    """`decoder_input` is affine in points, and of the points of codes it is what `forward` gives."""
    quantizer, latents = method.built().eval(), random_latents()
    output, points = quantizer(latents), quantizer.continuous(latents)
    codes = quantizer.discrete(output.codes)
    require_equal(quantizer.decoder_input(codes), output.quantized, "decoder_input of codes is not what forward gives")
    between = quantizer.decoder_input(0.3 * points + 0.7 * codes)
    expected = 0.3 * quantizer.decoder_input(points) + 0.7 * output.quantized
    require_close(between, expected, "decoder_input is not affine", rtol=1e-4, atol=1e-5)


CHECKS: list[Check] = [decoder_input_is_affine]

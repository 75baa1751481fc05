"""The precision that Fabric runs networks in, such that gradients can be taken at any point of a step."""

from __future__ import annotations

from lightning_fabric.plugins import MixedPrecision, Precision


class BFloat16(MixedPrecision):
    """bfloat16 by autocast, with weights in float32.

    Fabric lets gradients be taken by its own `backward` alone where the precision has one of its own, which scales
    losses. bfloat16 needs no scaling: gradients at the last layer, and of an image, are taken by autograd.
    """

    backward = Precision.backward

    def __init__(self, device: str) -> None:
        super().__init__("bf16-mixed", device)


def precision_plugin(precision: str, device: str) -> Precision:
    """For `32-true` or `bf16-mixed`, on a kind of device: cpu or cuda."""
    return BFloat16(device) if precision == "bf16-mixed" else Precision()

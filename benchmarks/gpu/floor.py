"""Rates that this device reaches for products, exponentials and copies, and the time they imply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from .clock import cost_of

BFLOAT16_PRODUCTS = 6
"""Products of parts in a product of float32 numbers (see quantizers/soft_assignment/triton_backend.py)."""
PRODUCTS = {"forward": 4, "both": 12}
"""Products per pair, each over all columns: three times the logits and once the values; backward twice the logits,
twice G·v, and three sums."""
EXPONENTIALS = {"forward": 2, "both": 4}
REPEATS = 256
"""Repeated exponentials of a number in registers, so many that loading and storing it is negligible."""


@dataclass(frozen=True)
class Rates:
    """Rates per second: multiply-adds in each precision, exponentials, and bytes (read and written)."""

    bfloat16: float
    tf32: float
    float32: float
    exponentials: float | None
    bytes: float

    def picoseconds(self, columns: int, passes: str) -> dict[str, float]:
        """Lower bounds on the time per pair, by the kernels' products and by exponentials, and the larger one."""
        products = 1e12 * PRODUCTS[passes] * BFLOAT16_PRODUCTS * columns / self.bfloat16
        exponentials = 1e12 * EXPONENTIALS[passes] / self.exponentials if self.exponentials else 0.0
        return {"products": products, "exponentials": exponentials, "floor": max(products, exponentials)}


def measure_rates(device: torch.device, size: int) -> Rates:
    """Measure the rates. size: of the square matrices that are multiplied; a copy has eight times their bytes."""
    generator = torch.Generator(device).manual_seed(0)
    a, b = (torch.randn(size, size, device=device, generator=generator) for _ in range(2))
    low_a, low_b = a.bfloat16(), b.bfloat16()
    source = torch.randn(8, size, size, device=device, generator=generator)
    target = torch.empty_like(source)
    operations = size**3

    def seconds(call: Any) -> float:
        return cost_of(call, device).median / 1e3

    allowed = torch.backends.cuda.matmul.allow_tf32
    try:
        torch.backends.cuda.matmul.allow_tf32 = False
        float32 = seconds(lambda: a @ b)
        torch.backends.cuda.matmul.allow_tf32 = True
        tf32 = seconds(lambda: a @ b)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = allowed
    return Rates(
        bfloat16=operations / seconds(lambda: low_a @ low_b),
        tf32=operations / tf32,
        float32=operations / float32,
        exponentials=_exponentials_a_second(device) if device.type == "cuda" else None,
        bytes=2 * source.nbytes / seconds(lambda: target.copy_(source)),
    )


def _exponentials_a_second(device: torch.device) -> float:
    from .floor_kernel import exponentiate

    numbers = torch.rand(2**22, device=device)
    cost = cost_of(lambda: exponentiate[numbers.numel() // 1024,](numbers, REPEATS, BLOCK=1024), device)
    return REPEATS * numbers.numel() / (cost.median / 1e3)

"""Numbers of comparisons in words: their names, units and digits."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """name: in words, with the unit in brackets in `heading`. digits: after the point."""

    name: str
    unit: str
    digits: int

    @property
    def heading(self) -> str:
        return f"{self.name} ({self.unit})" if self.unit else self.name

    def value(self, number: float, *, signed: bool = False) -> str:
        """The number without its unit; – where there is none."""
        if not math.isfinite(number):
            return "–"
        text = f"{number:{'+' if signed else ''},.{self.digits}f}"
        # No sign stands before a zero.
        text = text.lstrip("+-") if not text.strip("+-0.,") else text
        return text.replace("-", "\N{MINUS SIGN}")

    def with_unit(self, number: float) -> str:
        return f"{self.value(number)} {self.unit}" if self.unit else self.value(number)


QUANTITIES = {
    "psnr_db": Quantity("PSNR", "dB", 2),
    "ssim": Quantity("SSIM", "", 3),
    "l1": Quantity("L1", "", 4),
    "fd": Quantity("FD", "", 2),
    "lpips": Quantity("LPIPS", "", 4),
    "feature_error": Quantity("feature error", "", 3),
    "active_codes": Quantity("active codes", "", 0),
    "perplexity": Quantity("perplexity", "", 1),
    "entropy_bits": Quantity("entropy", "bits per token", 2),
    "gini": Quantity("Gini", "", 3),
    "bits_per_pixel": Quantity("bits per pixel", "", 3),
}
"""All numbers of `analysis.comparison.group_numbers`."""


RATIO = Quantity("ratio", "", 3)


def interval_text(quantity: Quantity, low: float, high: float, *, signed: bool = False) -> str:
    """[low, high], or nothing where there is no interval."""
    if not math.isfinite(low) or not math.isfinite(high):
        return ""
    return f"[{quantity.value(low, signed=signed)}, {quantity.value(high, signed=signed)}]"


def estimate_text(quantity: Quantity, estimate: float, low: float, high: float) -> str:
    """An estimate with its unit, and its interval where there is one."""
    return f"{quantity.with_unit(estimate)} {interval_text(quantity, low, high)}".strip()


def mean_text(quantity: Quantity, estimate: float, spread: float, low: float, high: float) -> str:
    """A mean over seeds without its unit, and its interval, or the deviation over seeds where there is no interval."""
    deviation = f"± {quantity.value(spread)}" if math.isfinite(spread) else ""
    return f"{quantity.value(estimate)} {interval_text(quantity, low, high) or deviation}".strip()


def counted(number: int, word: str) -> str:
    """The number with its word, in the plural where it is not 1."""
    return f"{number:,d} {word}{'' if number == 1 else 's'}"

"""Which methods are there? Latents in, codes out, one method a file.

`QUANTIZERS` is the one list: a name there is known to configs, the command line, the contract tests and every table.
"""

from __future__ import annotations

from .assignment import SoftAssignment, Softness
from .base import (
    Quantizer,
    QuantizerConfig,
    QuantizerOutput,
    SoftQuantizer,
    joint_codes,
    split_codes,
    to_grid,
    to_tokens,
)
from .fsq import FSQConfig
from .lgq import LGQConfig, LGQPaperConfig
from .nearest import nearest_codes
from .simvq import SimVQConfig, SimVQMLPConfig
from .soft_assignment.autograd import soft_assign
from .temperature import TemperatureSchedule
from .vq import VQConfig, VQGradientConfig

QUANTIZERS: dict[str, type[QuantizerConfig]] = {
    config.method: config
    for config in (
        LGQConfig,
        LGQPaperConfig,
        FSQConfig,
        SimVQConfig,
        SimVQMLPConfig,
        VQConfig,
        VQGradientConfig,
    )
}

__all__ = [
    "QUANTIZERS",
    "FSQConfig",
    "LGQConfig",
    "LGQPaperConfig",
    "Quantizer",
    "QuantizerConfig",
    "QuantizerOutput",
    "SimVQConfig",
    "SimVQMLPConfig",
    "SoftAssignment",
    "SoftQuantizer",
    "Softness",
    "TemperatureSchedule",
    "VQConfig",
    "VQGradientConfig",
    "joint_codes",
    "nearest_codes",
    "soft_assign",
    "split_codes",
    "to_grid",
    "to_tokens",
]

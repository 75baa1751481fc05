"""Latents in, codes out, one method per file.

`QUANTIZERS` lists the methods by name, for configs, the command line, the contract tests and all tables. Other packages
add methods by entry points (see `registry`).
"""

from __future__ import annotations

from .assignment import SoftAssignment, Softness
from .base import (
    Quantizer,
    QuantizerConfig,
    QuantizerOutput,
    joint_codes,
    split_codes,
    to_grid,
    to_tokens,
)
from .capabilities import FitsAfterTraining, HasTemperature, SoftQuantizer, StartsFromData, TakesCodebooks
from .methods.annealed import AnnealedConfig
from .methods.bsq import BSQConfig
from .methods.frozen import FrozenConfig
from .methods.fsq import FSQConfig
from .methods.ibq import IBQConfig
from .methods.ifsq import IFSQConfig
from .methods.kmeans import KMeansConfig
from .methods.lfq import LFQConfig
from .methods.lgq import LGQConfig, LGQPaperConfig
from .methods.none import NoneConfig
from .methods.rotation import RotationConfig
from .methods.simvq import SimVQConfig, SimVQMLPConfig
from .methods.vq import VQConfig, VQGradientConfig
from .nearest import Metric, SquaredEuclidean, nearest_codes
from .registry import methods_of_other_packages
from .soft_assignment.autograd import soft_assign
from .temperature import TemperatureSchedule

QUANTIZERS: dict[str, type[QuantizerConfig]] = {
    config.method: config
    for config in (
        LGQConfig,
        LGQPaperConfig,
        FSQConfig,
        IFSQConfig,
        SimVQConfig,
        SimVQMLPConfig,
        VQConfig,
        VQGradientConfig,
        RotationConfig,
        LFQConfig,
        BSQConfig,
        IBQConfig,
        FrozenConfig,
        KMeansConfig,
        AnnealedConfig,
        NoneConfig,
    )
}
for name, config in methods_of_other_packages().items():  # the names above take precedence
    QUANTIZERS.setdefault(name, config)


def methods_with_codes() -> list[str]:
    """The names in QUANTIZERS of methods that have codes."""
    return [name for name, config in QUANTIZERS.items() if config.has_codes]


__all__ = [
    "QUANTIZERS",
    "AnnealedConfig",
    "BSQConfig",
    "FSQConfig",
    "FitsAfterTraining",
    "FrozenConfig",
    "HasTemperature",
    "IBQConfig",
    "IFSQConfig",
    "KMeansConfig",
    "LFQConfig",
    "LGQConfig",
    "LGQPaperConfig",
    "Metric",
    "NoneConfig",
    "Quantizer",
    "QuantizerConfig",
    "QuantizerOutput",
    "RotationConfig",
    "SimVQConfig",
    "SimVQMLPConfig",
    "SoftAssignment",
    "SoftQuantizer",
    "Softness",
    "SquaredEuclidean",
    "StartsFromData",
    "TakesCodebooks",
    "TemperatureSchedule",
    "VQConfig",
    "VQGradientConfig",
    "joint_codes",
    "methods_with_codes",
    "nearest_codes",
    "soft_assign",
    "split_codes",
    "to_grid",
    "to_tokens",
]

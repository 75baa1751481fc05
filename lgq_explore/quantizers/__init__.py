"""Latents in, codes out, one method per file.

`QUANTIZERS` lists the methods by name, for configs, the command line, the contract tests and all tables. Other packages
add methods by entry points (see `registry`), a notebook by `register`.
"""

from __future__ import annotations

from typing import TypeVar

from .assignment import SoftAssignment, Softness
from .base import (
    Quantizer,
    QuantizerConfig,
    QuantizerOutput,
    VectorQuantizerConfig,
    joint_codes,
    split_codes,
    straight_through,
    to_grid,
    to_tokens,
)
from .capabilities import FitsAfterTraining, HasTemperature, SoftQuantizer, StartsFromData, TakesCodebooks
from .methods.annealed import AnnealedConfig
from .methods.bsq import BSQConfig
from .methods.cvq import CVQConfig
from .methods.diveq import DiVeQConfig
from .methods.frozen import FrozenConfig
from .methods.fsq import FSQConfig
from .methods.gumbel import GumbelConfig
from .methods.ibq import IBQConfig
from .methods.ifsq import IFSQConfig
from .methods.kmeans import KMeansConfig
from .methods.lfq import LFQConfig
from .methods.lgq import LGQConfig, LGQPaperConfig
from .methods.lgq_channels import LGQChannelsConfig
from .methods.none import NoneConfig
from .methods.optvq import OptVQConfig
from .methods.rfsq import RFSQConfig
from .methods.rotation import RotationConfig
from .methods.rvq import RVQConfig
from .methods.simvq import SimVQConfig, SimVQMLPConfig
from .methods.soft_to_hard import SoftToHardConfig
from .methods.softvq import SoftVQConfig
from .methods.sq_vae import SQVAEConfig
from .methods.vq import VQConfig, VQGradientConfig
from .methods.wasserstein import WassersteinConfig
from .nearest import Metric, SquaredEuclidean, nearest_codes
from .registry import add, methods_of_other_packages
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
        RVQConfig,
        RFSQConfig,
        LGQChannelsConfig,
        CVQConfig,
        OptVQConfig,
        WassersteinConfig,
        SoftVQConfig,
        SoftToHardConfig,
        SQVAEConfig,
        GumbelConfig,
        DiVeQConfig,
        FrozenConfig,
        KMeansConfig,
        AnnealedConfig,
        NoneConfig,
    )
}
for name, config in methods_of_other_packages().items():  # the names above take precedence
    QUANTIZERS.setdefault(name, config)

Config = TypeVar("Config", bound=type[QuantizerConfig])


def register(config: Config) -> Config:
    """Add a method to QUANTIZERS in this process, by the class of its settings, which is returned.

    Recipes, comparisons and panels know it from then on; the command line knows methods by entry points alone
    (`registry.ENTRY_POINTS`). The same class again changes nothing. May decorate the class:

        @register
        @dataclass(frozen=True)
        class MyConfig(QuantizerConfig): ...

    Raises InputError if it is no config, or if another method has its name.
    """
    add(QUANTIZERS, config)
    return config


def methods_with_codes() -> list[str]:
    """The names in QUANTIZERS of methods that have codes."""
    return [name for name, config in QUANTIZERS.items() if config.has_codes]


__all__ = [
    "QUANTIZERS",
    "AnnealedConfig",
    "BSQConfig",
    "CVQConfig",
    "DiVeQConfig",
    "FSQConfig",
    "FitsAfterTraining",
    "FrozenConfig",
    "GumbelConfig",
    "HasTemperature",
    "IBQConfig",
    "IFSQConfig",
    "KMeansConfig",
    "LFQConfig",
    "LGQChannelsConfig",
    "LGQConfig",
    "LGQPaperConfig",
    "Metric",
    "NoneConfig",
    "OptVQConfig",
    "Quantizer",
    "QuantizerConfig",
    "QuantizerOutput",
    "RFSQConfig",
    "RVQConfig",
    "RotationConfig",
    "SQVAEConfig",
    "SimVQConfig",
    "SimVQMLPConfig",
    "SoftAssignment",
    "SoftQuantizer",
    "SoftToHardConfig",
    "SoftVQConfig",
    "Softness",
    "SquaredEuclidean",
    "StartsFromData",
    "TakesCodebooks",
    "TemperatureSchedule",
    "VQConfig",
    "VQGradientConfig",
    "VectorQuantizerConfig",
    "WassersteinConfig",
    "joint_codes",
    "methods_with_codes",
    "nearest_codes",
    "register",
    "soft_assign",
    "split_codes",
    "straight_through",
    "to_grid",
    "to_tokens",
]

"""Metrics of tokenizers, computed from streaming sums.

They measure usage of the codebook (`usage`, and `accumulation` over images), bits per token (`coded_bits`,
`contextual_bits`), and distances in pixels (`image`, `colour`, `spectrum`), in a trained network's features
(`perceptual`) and in the latents (`quantization`, `moments`). A class takes batches by `update`, another instance by
`merge`, and returns a frozen result by `compute`; those of PICTURE_METRICS and CODE_METRICS also return `numbers`.
Values do not depend on how the data are cut into batches, or on their order. README.md defines each.
"""

from __future__ import annotations

from lgq_explore.metrics.accumulation import accumulated_codes, chao2
from lgq_explore.metrics.coded_bits import CodedBits, arithmetic_code
from lgq_explore.metrics.codes import CODE_METRICS
from lgq_explore.metrics.colour import ColourError
from lgq_explore.metrics.contextual_bits import ContextualBits
from lgq_explore.metrics.definition import Definition
from lgq_explore.metrics.group_usage import GroupedCodeCounts
from lgq_explore.metrics.image import ImageQuality, psnr_db
from lgq_explore.metrics.moments import Moments, effective_dimensions, gaussian_wasserstein
from lgq_explore.metrics.perceptual import (
    LPIPS,
    FrechetDistance,
)
from lgq_explore.metrics.picture_settings import PictureMetricSettings
from lgq_explore.metrics.pictures import (
    PICTURE_METRICS,
    PictureMetric,
    picture_metric,
)
from lgq_explore.metrics.position_usage import PositionUsage
from lgq_explore.metrics.quantization import QuantizationError
from lgq_explore.metrics.spectrum import ErrorSpectrum
from lgq_explore.metrics.usage import (
    CodeCounts,
    CodeUsage,
    LorenzCurve,
    bits_per_pixel,
    code_usage,
    gini,
    gini_uniform,
    lorenz_curve,
    lorenz_curve_uniform,
    top_share,
)

__all__ = [
    "CODE_METRICS",
    "LPIPS",
    "PICTURE_METRICS",
    "CodeCounts",
    "CodeUsage",
    "CodedBits",
    "ColourError",
    "ContextualBits",
    "Definition",
    "ErrorSpectrum",
    "FrechetDistance",
    "GroupedCodeCounts",
    "ImageQuality",
    "LorenzCurve",
    "Moments",
    "PictureMetric",
    "PictureMetricSettings",
    "PositionUsage",
    "QuantizationError",
    "accumulated_codes",
    "arithmetic_code",
    "bits_per_pixel",
    "chao2",
    "code_usage",
    "effective_dimensions",
    "gaussian_wasserstein",
    "gini",
    "gini_uniform",
    "lorenz_curve",
    "lorenz_curve_uniform",
    "picture_metric",
    "psnr_db",
    "top_share",
]

"""Metrics of tokenizers, computed from streaming sums.

Usage of the codebook (`usage`, and `accumulation` over images), distances in pixels (`image`), in a trained
network's features (`perceptual`) and in the latents (`quantization`). A class takes batches by `update` and returns a
frozen result by `compute`; those of PICTURE_METRICS also return `numbers`. Values do not depend on how the data are cut
into batches.
"""

from __future__ import annotations

from lgq_explore.metrics.accumulation import accumulated_codes, chao2
from lgq_explore.metrics.group_usage import GroupedCodeCounts
from lgq_explore.metrics.image import ImageQuality, psnr_db
from lgq_explore.metrics.perceptual import (
    LPIPS,
    FrechetDistance,
)
from lgq_explore.metrics.pictures import (
    PICTURE_METRICS,
    PictureMetric,
    PictureMetricSettings,
    picture_metrics,
)
from lgq_explore.metrics.quantization import QuantizationError
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
    "LPIPS",
    "PICTURE_METRICS",
    "CodeCounts",
    "CodeUsage",
    "FrechetDistance",
    "GroupedCodeCounts",
    "ImageQuality",
    "LorenzCurve",
    "PictureMetric",
    "PictureMetricSettings",
    "QuantizationError",
    "accumulated_codes",
    "bits_per_pixel",
    "chao2",
    "code_usage",
    "gini",
    "gini_uniform",
    "lorenz_curve",
    "lorenz_curve_uniform",
    "picture_metrics",
    "psnr_db",
    "top_share",
]

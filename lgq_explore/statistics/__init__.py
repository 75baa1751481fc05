"""Statistics of comparisons over seeds and photographs: how sure a difference between methods is.

Arrays are [S, P], a value for each seed and photograph. Intervals of means, differences and ratios (`means`), of other
statistics (`bootstrap`, `jackknife`), of rate–distortion curves (`rate_distortion`); several hypotheses (`holm`), and
the photographs and seeds that a difference takes (`power`).
"""

from __future__ import annotations

from lgq_explore.statistics.bootstrap import statistic_interval
from lgq_explore.statistics.crossed_variance import CrossedVariance, crossed_variance
from lgq_explore.statistics.holm import holm
from lgq_explore.statistics.interval import MIN_PHOTOGRAPHS, MIN_SEEDS, Interval, Sample
from lgq_explore.statistics.jackknife import Jackknife, jackknife, jackknife_of
from lgq_explore.statistics.means import difference_interval, mean_interval, ratio_interval
from lgq_explore.statistics.power import (
    RequiredDesign,
    VarianceComponents,
    power,
    required_design,
    variance_components,
)
from lgq_explore.statistics.rate_distortion import (
    CurveDifference,
    CurvePoint,
    CurvesDoNotCompare,
    RateDistortionCurve,
    difference_at_rate,
    distortion_above_curve,
    distortion_at_equal_rate,
    distortion_at_rate,
    interpolated_distortions,
    rate_at_equal_distortion,
)

__all__ = [
    "MIN_PHOTOGRAPHS",
    "MIN_SEEDS",
    "CrossedVariance",
    "CurveDifference",
    "CurvePoint",
    "CurvesDoNotCompare",
    "Interval",
    "Jackknife",
    "RateDistortionCurve",
    "RequiredDesign",
    "Sample",
    "VarianceComponents",
    "crossed_variance",
    "difference_at_rate",
    "difference_interval",
    "distortion_above_curve",
    "distortion_at_equal_rate",
    "distortion_at_rate",
    "holm",
    "interpolated_distortions",
    "jackknife",
    "jackknife_of",
    "mean_interval",
    "power",
    "rate_at_equal_distortion",
    "ratio_interval",
    "required_design",
    "statistic_interval",
    "variance_components",
]

"""Rate–distortion curves compared where both are known: at equal rate, and at equal distortion.

A curve has a point for each codebook size. Between points it is interpolated by PCHIP, which is monotone where the
points are (Fritsch & Carlson, SIAM Journal on Numerical Analysis 17, 1980), and it is never continued beyond them.

    at equal rate:         (1/(R₁ − R₀)) ∫ (D_a(R) − D_b(R)) dR over the overlap R₀ … R₁ of both ranges of rates
    at equal distortion:   (1/(D₁ − D₀)) ∫ (R_a(D) − R_b(D)) dD over the overlap of both ranges of distortions

Bjøntegaard, Calculation of average PSNR differences between RD-curves, ITU-T VCEG-M33, 2001: ΔPSNR and Δrate, there
with a cubic polynomial through four points and the logarithm of rates.

Intervals are over seeds and photographs. The difference is linearised in the means of all points (the infinitesimal
jackknife, Efron & Tibshirani 1993, chapter 22), and each point's seeds are a group of their own in `crossed_variance`.
On drawn straight curves of 2 and 3 points, intervals at 95 % held the true difference in 95 to 96 % of 300 repetitions,
for 5 seeds on 8 photographs and for 10 on 60.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator

from lgq_explore.errors import InputError, printable

from .crossed_variance import crossed_variance
from .interval import Interval, Sample, require_values, require_weights

STEP = 1e-5
"""Of the differences that linearise a comparison, as a share of the range of the points."""


class CurvesDoNotCompare(InputError):
    """Two curves have too few points, no overlap, or turn back; the message says which."""


class CurvePoint:
    """One codebook size: rates and distortions of its runs.

    rate: such as bits per token, of each seed [S], or of each seed and photograph [S, P] where its mean over
    photographs is the rate (pseudo-values of `jackknife` for an entropy). distortion: such as PSNR in dB, [S, P].
    weights: of the photographs [P] in the mean distortion, such as their crops; equal ones by default.
    Raises InputError for other shapes, unequal numbers of seeds or photographs, and numbers that are not finite.
    """

    def __init__(self, rate: ArrayLike, distortion: ArrayLike, weights: ArrayLike | None = None) -> None:
        values = require_values(distortion, "distortion")
        self.distortion = _weighted(values, require_weights(weights, values.shape[1]))
        rates = np.asarray(rate, dtype=np.float64)
        self.rate = require_values(rates[:, None] if rates.ndim == 1 else rates, "rate")
        seeds, photographs = self.distortion.shape
        if self.rate.shape not in ((seeds, 1), (seeds, photographs)):
            raise InputError(
                f"rate and distortion have the shapes {self.rate.shape} and {self.distortion.shape}: "
                "give both of the same seeds and photographs"
            )

    @property
    def means(self) -> NDArray[np.float64]:
        """Rate and distortion."""
        return np.array([self.rate.mean(), self.distortion.mean()])

    def influence(self, by_rate: float, by_distortion: float) -> NDArray[np.float64]:
        """What each value adds to the deviation of a quantity with these derivatives, [S, P]."""
        rate, distortion = self.means
        return by_rate * (self.rate - rate) + by_distortion * (self.distortion - distortion)


@dataclass(frozen=True, eq=False)
class RateDistortionCurve:
    """The points of one method in any order, all on the same photographs, and its name for messages."""

    name: str
    points: Sequence[CurvePoint]

    @property
    def means(self) -> NDArray[np.float64]:
        """Rates and distortions, [points, 2]."""
        return np.array([point.means for point in self.points]).reshape(-1, 2)


@dataclass(frozen=True)
class CurveDifference:
    """The mean difference of two curves, and the overlap low … high that it was averaged over."""

    difference: Interval
    low: float
    high: float


def distortion_at_equal_rate(
    a: RateDistortionCurve, b: RateDistortionCurve, *, log_rates: bool = False, level: float = 0.95
) -> CurveDifference:
    """Distortion of a minus that of b at equal rate, averaged over the overlap of their rates: ΔPSNR at equal bits.

    log_rates: average over the logarithm of the rate, as Bjøntegaard does.
    Raises CurvesDoNotCompare for a curve of fewer than 2 points, two points of one rate, and no overlap.
    """
    compared = _Comparison(a, b, x=0, log=log_rates)
    low, high = compared.overlap()
    low, high = (float(np.exp(end)) if log_rates else end for end in (low, high))
    return CurveDifference(compared.interval(compared.mean_difference, level, null=0.0), low, high)


def rate_at_equal_distortion(
    a: RateDistortionCurve, b: RateDistortionCurve, *, log_rates: bool = False, level: float = 0.95
) -> CurveDifference:
    """Rate of a minus that of b at equal distortion, averaged over the overlap: negative where a saves bits.

    log_rates: the mean difference of log rates, as Bjøntegaard has it, given as a ratio: 0.9 is 10 % fewer bits.
    Raises CurvesDoNotCompare for a curve of fewer than 2 points, no overlap, and one whose distortion is not monotone
    in its rate, so that it has no one rate at a distortion.
    """
    compared = _Comparison(a, b, x=1, log=log_rates)
    compared.require_monotone()
    low, high = compared.overlap()
    difference = compared.interval(compared.mean_difference, level, null=0.0)
    return CurveDifference(difference.mapped(np.exp) if log_rates else difference, low, high)


def distortion_above_curve(
    point: CurvePoint, curve: RateDistortionCurve, *, name: str = "the point", level: float = 0.95
) -> Interval:
    """Distortion of one point minus that of a curve at the point's rate.

    Raises CurvesDoNotCompare as `distortion_at_equal_rate`, and for a rate outside of the curve's.
    """
    compared = _Comparison(RateDistortionCurve(name, [point]), curve, x=0, log=False, fewest_points=1)

    def above(means_a: NDArray[np.float64], means_b: NDArray[np.float64]) -> float:
        ((rate, distortion),) = means_a
        return float(distortion - compared.interpolated(means_b)(rate))

    rate, rates = point.means[0], curve.means[:, 0]
    if not rates.min() <= rate <= rates.max():
        raise CurvesDoNotCompare(
            f"{printable(name)} has the rate {rate:.4g}, and {printable(curve.name)} is known from {rates.min():.4g} "
            f"to {rates.max():.4g}: measure {printable(curve.name)} at other codebook sizes"
        )
    return compared.interval(above, level, null=0.0)


def distortion_at_rate(curve: RateDistortionCurve, rate: float, *, level: float = 0.95) -> Interval:
    """Distortion of a curve at one rate, interpolated.

    Raises CurvesDoNotCompare for a curve of fewer than 2 points or with two points of one rate, and for a rate outside
    of the curve's.
    """
    compared = _Comparison(curve, curve, x=0, log=False)
    _require_within(curve, rate)
    return _interval([curve], lambda means: float(compared.interpolated(means)(rate)), level)


def difference_at_rate(a: RateDistortionCurve, b: RateDistortionCurve, rate: float, *, level: float = 0.95) -> Interval:
    """Distortion of a minus that of b at one rate, both interpolated. Raises as `distortion_at_rate`, for either."""
    compared = _Comparison(a, b, x=0, log=False)
    for curve in (a, b):
        _require_within(curve, rate)

    def difference(means_a: NDArray[np.float64], means_b: NDArray[np.float64]) -> float:
        return float(compared.interpolated(means_a)(rate) - compared.interpolated(means_b)(rate))

    return _interval([a, b], difference, level, null=0.0)


def interpolated_distortions(curve: RateDistortionCurve, rates: ArrayLike) -> NDArray[np.float64]:
    """The curve's distortions at some rates; NaN beyond its points. Raises CurvesDoNotCompare, as above."""
    spline = _Comparison(curve, curve, x=0, log=False).interpolated(curve.means)
    return np.asarray(spline(np.asarray(rates, dtype=np.float64), extrapolate=False), dtype=np.float64)


def _require_within(curve: RateDistortionCurve, rate: float) -> None:
    rates = curve.means[:, 0]
    if not rates.min() <= rate <= rates.max():
        raise CurvesDoNotCompare(
            f"{printable(curve.name)} is known from {rates.min():.4g} to {rates.max():.4g}, and not at the rate "
            f"{rate:.4g}: measure it at other codebook sizes"
        )


def _weighted(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values [S, P] whose plain mean is the weighted mean of others, and which deviate from it by what those add."""
    mean = float(np.average(values.mean(axis=0), weights=weights))
    return mean + weights / weights.mean() * (values - mean)


Quantity = Callable[..., float]
"""The means of each curve's points, [points, 2] each → a number."""


class _Comparison:
    """Two curves as functions of their column x: 0 of the rate, 1 of the distortion."""

    def __init__(
        self, a: RateDistortionCurve, b: RateDistortionCurve, x: int, log: bool, fewest_points: int = 2
    ) -> None:
        self.a, self.b, self.x, self.log = a, b, x, log
        for curve, fewest in ((a, fewest_points), (b, 2)):
            if len(curve.points) < fewest:
                number = len(curve.points)
                raise CurvesDoNotCompare(
                    f"{printable(curve.name)} has {number} {'point' if number == 1 else 'points'}: "
                    "a curve takes 2 codebook sizes at least"
                )
            self._require_usable(curve)
        photographs = {point.distortion.shape[1] for curve in (a, b) for point in curve.points}
        if len(photographs) > 1:
            raise InputError(
                f"the points have {sorted(photographs)} photographs: measure all of them on the same photographs"
            )

    def _require_usable(self, curve: RateDistortionCurve) -> None:
        name, means = printable(curve.name), curve.means
        if self.log and means[:, 0].min() <= 0:
            raise InputError(f"{name} has the rate {means[:, 0].min():g}: the logarithm needs rates above 0")
        if len(np.unique(means[:, self.x])) < len(means):
            what = ("rate", "distortion")[self.x]
            raise CurvesDoNotCompare(f"{name} has two points of one {what}: leave out one of them")

    def require_monotone(self) -> None:
        """Raise CurvesDoNotCompare for a curve that has two rates at one distortion."""
        for curve in (self.a, self.b):
            steps = np.diff(curve.means[np.argsort(curve.means[:, 0])][:, 1])
            if not ((steps > 0).all() or (steps < 0).all()):
                raise CurvesDoNotCompare(
                    f"{printable(curve.name)} turns back: its distortion rises and falls with the rate, so that it has "
                    "no one rate at a distortion. Compare at equal rate."
                )

    def overlap(self) -> tuple[float, float]:
        low, high = self._ends(self.a.means, self.b.means)
        if low >= high:
            ranges = [
                f"{printable(curve.name)} from {curve.means[:, self.x].min():.4g} to {curve.means[:, self.x].max():.4g}"
                for curve in (self.a, self.b)
            ]
            what = ("rates", "distortions")[self.x]
            raise CurvesDoNotCompare(
                f"the {what} do not overlap: {ranges[0]}, {ranges[1]}.\nMeasure more codebook sizes of either."
            )
        return low, high

    def mean_difference(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        low, high = self._ends(a, b)
        areas = [float(self.interpolated(means).integrate(low, high)) for means in (a, b)]
        return (areas[0] - areas[1]) / (high - low)

    def interpolated(self, means: NDArray[np.float64]) -> PchipInterpolator:
        """The other column as a function of column x."""
        columns = self._scaled(means)
        order = np.argsort(columns[:, self.x])
        return PchipInterpolator(columns[order, self.x], columns[order, 1 - self.x])

    def interval(self, quantity: Quantity, level: float, null: float) -> Interval:
        return _interval([self.a, self.b], quantity, level, null)

    def _ends(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
        ranges = [self._scaled(means)[:, self.x] for means in (a, b)]
        return float(max(each.min() for each in ranges)), float(min(each.max() for each in ranges))

    def _scaled(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack([np.log(means[:, 0]), means[:, 1]]) if self.log else means


def _interval(
    curves: Sequence[RateDistortionCurve], quantity: Quantity, level: float, null: float | None = None
) -> Interval:
    points = [point for curve in curves for point in curve.points]
    means = [curve.means for curve in curves]
    sample = Sample(points[0].distortion.shape[1], tuple(len(point.distortion) for point in points), level)
    if sample.why:
        return sample.point(quantity(*means))
    ends = np.cumsum([len(each) for each in means])[:-1]

    def of_all(stacked: NDArray[np.float64]) -> float:
        return quantity(*np.split(stacked, ends))

    slopes = _gradient(of_all, np.concatenate(means))
    influences = [point.influence(*of_point) for point, of_point in zip(points, slopes, strict=True)]
    return sample.t_interval(quantity(*means), crossed_variance(influences), null)


def _gradient(function: Callable[[NDArray[np.float64]], float], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """By central differences, of each number of `at` [points, 2]."""
    gradient = np.empty_like(at)
    steps = STEP * np.maximum(np.ptp(at, axis=0), np.finfo(float).tiny)
    for index in np.ndindex(at.shape):
        shift = np.zeros_like(at)
        shift[index] = steps[index[1]]
        gradient[index] = (function(at + shift) - function(at - shift)) / (2 * steps[index[1]])
    return gradient

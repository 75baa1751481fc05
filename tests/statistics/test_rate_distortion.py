"""Tests of the comparison of rate–distortion curves: closed forms, an independent implementation, intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.interpolate import pchip_interpolate

from lgq_explore.bench.coverage import RandomEffects, holds
from lgq_explore.errors import InputError
from lgq_explore.statistics import (
    CurvePoint,
    CurvesDoNotCompare,
    RateDistortionCurve,
    Sample,
    difference_at_rate,
    difference_interval,
    distortion_above_curve,
    distortion_at_equal_rate,
    distortion_at_rate,
    interpolated_distortions,
    mean_interval,
    rate_at_equal_distortion,
    statistic_interval,
)

RUNS = RandomEffects(seeds=0.1, photographs=0.2, residual=0.2)


def curve(name: str, *points: tuple[float, float]) -> RateDistortionCurve:
    """Of runs that do not vary."""
    return RateDistortionCurve(
        name, [CurvePoint(np.full(5, rate), np.full((5, 8), distortion)) for rate, distortion in points]
    )


def drawn_curve(name: str, generator: np.random.Generator, *points: tuple[float, float]) -> RateDistortionCurve:
    return RateDistortionCurve(
        name,
        [
            CurvePoint(rate + 0.05 * generator.normal(size=6), distortion + RUNS.drawn(generator, 6, 10))
            for rate, distortion in points
        ],
    )


def test_two_parallel_straight_lines_differ_by_their_distance() -> None:
    """D = 2 R + 8 against D = 2 R + 7.4, over other points: 0.6 dB, and 0.3 bits, exactly."""
    a = curve("a", (8, 24), (9, 26), (11, 30))
    b = curve("b", (8.5, 24.4), (9.5, 26.4), (12, 31.4))
    at_rate = distortion_at_equal_rate(a, b)
    assert at_rate.difference.estimate == pytest.approx(0.6, rel=1e-9)
    assert (at_rate.low, at_rate.high) == pytest.approx((8.5, 11))
    at_distortion = rate_at_equal_distortion(a, b)
    assert at_distortion.difference.estimate == pytest.approx(-0.3, rel=1e-9)
    assert (at_distortion.low, at_distortion.high) == pytest.approx((24.4, 30))
    assert distortion_at_equal_rate(b, a).difference.estimate == pytest.approx(-0.6, rel=1e-9)


def test_curves_are_read_at_one_rate() -> None:
    """D = 2 R + 8 against D = 2 R + 7.4, at a rate where neither has a point."""
    a = curve("a", (8, 24), (9, 26), (11, 30))
    b = curve("b", (8.5, 24.4), (9.5, 26.4), (12, 31.4))
    assert distortion_at_rate(a, 10.2).estimate == pytest.approx(28.4, rel=1e-9)
    assert difference_at_rate(a, b, 10.2).estimate == pytest.approx(0.6, rel=1e-9)
    assert interpolated_distortions(a, [8, 9.5, 11.1])[:2] == pytest.approx([24, 27])
    assert np.isnan(interpolated_distortions(a, [11.1])).all()
    with pytest.raises(CurvesDoNotCompare, match=r"b is known from 8\.5 to 12, and not at the rate 8\.2"):
        difference_at_rate(a, b, 8.2)
    with pytest.raises(CurvesDoNotCompare, match=r"a is known from 8 to 11, and not at the rate 11\.5"):
        distortion_at_rate(a, 11.5)


def test_at_the_rate_of_a_point_the_intervals_are_those_of_its_distortions() -> None:
    """The rates do not vary, so that nothing but the point's own distortions does."""
    generator = np.random.default_rng(3)
    values = [30 + place + RUNS.drawn(generator, 6, 10) for place in range(3)]
    others = [29 + place + RUNS.drawn(generator, 6, 10) for place in range(3)]
    a, b = (
        RateDistortionCurve(name, [CurvePoint(np.full(6, 8.0 + place), each) for place, each in enumerate(found)])
        for name, found in (("a", values), ("b", others))
    )
    found, known = distortion_at_rate(a, 9.0), mean_interval(values[1])
    assert (found.low, found.high) == pytest.approx((known.low, known.high), rel=1e-6)
    found, known = difference_at_rate(a, b, 9.0), difference_interval(values[1], others[1], paired_seeds=False)
    assert (found.low, found.high, found.p_value) == pytest.approx((known.low, known.high, known.p_value), rel=1e-5)
    few = RateDistortionCurve("few", [CurvePoint(point.rate[:2], point.distortion[:2]) for point in a.points])
    assert distortion_at_rate(few, 9.0).why == "An interval takes 5 seeds at least: here are 2."


def test_a_tenth_fewer_bits_everywhere_is_found_on_the_logarithm() -> None:
    """Bjøntegaard's own form. Straight in log R: D = 10 log R, and the same with 0.9 R."""
    rates = np.array([100.0, 200, 400, 900])
    b = curve("b", *((rate, 10 * np.log(rate)) for rate in rates))
    a = curve("a", *((0.9 * rate, 10 * np.log(rate)) for rate in rates))
    assert rate_at_equal_distortion(a, b, log_rates=True).difference.estimate == pytest.approx(0.9, rel=1e-9)
    at_rate = distortion_at_equal_rate(a, b, log_rates=True)
    assert at_rate.difference.estimate == pytest.approx(-10 * np.log(0.9), rel=1e-9)
    assert (at_rate.low, at_rate.high) == pytest.approx((100, 810))


A = [(8.0, 25.0), (9.1, 26.2), (10.0, 26.9), (11.2, 27.3)]
B = [(7.5, 24.1), (8.8, 25.6), (10.4, 26.8)]


def test_curves_are_averaged_as_by_quadrature() -> None:
    """With scipy's quadrature of another entry to PCHIP."""

    def height(points, at: float) -> float:
        return float(pchip_interpolate(*np.transpose(points), at))

    area, _ = quad(lambda rate: height(A, rate) - height(B, rate), 8.0, 10.4, points=[8.8, 9.1, 10.0])
    found = distortion_at_equal_rate(curve("a", *A), curve("b", *B))
    assert found.difference.estimate == pytest.approx(area / 2.4, rel=1e-6)
    turned_a, turned_b = [(d, r) for r, d in A], [(d, r) for r, d in B]
    area, _ = quad(lambda d: height(turned_a, d) - height(turned_b, d), 25.0, 26.8, points=[25.6, 26.2])
    found = rate_at_equal_distortion(curve("a", *A), curve("b", *B))
    assert found.difference.estimate == pytest.approx(area / 1.8, rel=1e-6)


def test_it_agrees_with_the_package_bjontegaard() -> None:
    """bd_rate and bd_psnr of its version 1.3.0 with method="pchip": −4.417485 %, 0.119693 dB."""
    anchor = curve("anchor", (9487.76, 40.037), (4593.60, 38.615), (2486.44, 36.845), (1358.24, 34.851))
    test = curve("test", (9787.80, 40.121), (4469.00, 38.651), (2451.52, 36.970), (1356.24, 34.987))
    bits = rate_at_equal_distortion(test, anchor, log_rates=True).difference.estimate
    assert 100 * (bits - 1) == pytest.approx(-4.417485350589045, rel=1e-9)
    psnr = distortion_at_equal_rate(test, anchor, log_rates=True).difference.estimate
    assert psnr == pytest.approx(0.11969278542479489, rel=1e-9)


def test_the_order_of_points_does_not_matter_and_lower_may_be_better() -> None:
    falling = [(rate, 100 - distortion) for rate, distortion in A]
    straight = rate_at_equal_distortion(curve("a", *A), curve("b", *B)).difference.estimate
    upside_down = rate_at_equal_distortion(
        curve("a", *falling[::-1]), curve("b", *((rate, 100 - distortion) for rate, distortion in B))
    )
    assert upside_down.difference.estimate == pytest.approx(straight)


@pytest.mark.parametrize("compare", [distortion_at_equal_rate, rate_at_equal_distortion])
def test_identical_curves_do_not_differ(compare) -> None:
    runs = drawn_curve("a", np.random.default_rng(0), *A)
    found = compare(runs, runs).difference
    assert found.estimate == pytest.approx(0, abs=1e-12)
    assert holds(found, 0)


def test_where_points_lie_at_the_same_rates_it_is_the_difference_of_means() -> None:
    """Two points each, at equal and certain rates: the average of both differences, each by its own runs."""
    generator = np.random.default_rng(0)
    of_a, of_b = ([25 + step + RUNS.drawn(generator, 6, 10) for step in (0, 1)] for _ in range(2))
    a, b = (
        RateDistortionCurve("", [CurvePoint(np.full(6, rate), runs) for rate, runs in zip((8, 9), each, strict=True)])
        for each in (of_a, of_b)
    )
    found = distortion_at_equal_rate(a, b).difference
    # The same by one group of seeds of each method: what varies is alike, the matching of seeds is by chance.
    expected = difference_interval(np.mean(of_a, axis=0), np.mean(of_b, axis=0), paired_seeds=False)
    assert found.estimate == pytest.approx(expected.estimate)
    assert found.high - found.low == pytest.approx(expected.high - expected.low, rel=0.3)


@pytest.mark.parametrize(
    ("compare", "log_rates"), [(distortion_at_equal_rate, True), (rate_at_equal_distortion, False)]
)
def test_the_interval_is_that_of_resampling_seeds_and_photographs(compare, log_rates: bool) -> None:
    generator = np.random.default_rng(0)
    a, b = drawn_curve("a", generator, *A[1:3]), drawn_curve("b", generator, *B)

    def resampled(photographs, *seeds) -> float:
        points = [
            CurvePoint([point.rate[of_point].mean()], [[point.distortion[np.ix_(of_point, photographs)].mean()]])
            for point, of_point in zip([*a.points, *b.points], seeds, strict=True)
        ]
        pair = RateDistortionCurve("a", points[:2]), RateDistortionCurve("b", points[2:])
        return compare(*pair, log_rates=log_rates).difference.estimate

    found = compare(a, b, log_rates=log_rates).difference
    expected = statistic_interval(resampled, Sample(10, (6,) * 5), null=0.0, resamples=80)
    assert found.estimate == pytest.approx(expected.estimate)
    assert found.high - found.low == pytest.approx(expected.high - expected.low, rel=0.3)


def test_rates_that_vary_with_photographs_are_paired_with_them() -> None:
    """On D = 2 R an easy photograph costs fewer bits, too: a point's distance from the line varies with neither."""
    generator = np.random.default_rng(0)
    rates = [rate + generator.normal(size=(6, 1)) / 50 + generator.normal(size=(1, 10)) / 10 for rate in (8, 9.5, 11)]
    line = RateDistortionCurve("line", [CurvePoint(rate, 2 * rate) for rate in rates[::2]])
    found = distortion_above_curve(CurvePoint(rates[1], 2 * rates[1] + 0.5), line)
    assert found.estimate == pytest.approx(0.5)
    assert found.high - found.low == pytest.approx(0, abs=1e-6)
    unknown = CurvePoint(rates[1].mean(axis=1), 2 * rates[1] + 0.5)
    assert distortion_above_curve(unknown, line).high - found.estimate > 0.01


def test_a_point_above_a_curve_that_does_not_vary_has_the_interval_of_its_distortion() -> None:
    runs = 26 + RUNS.drawn(np.random.default_rng(0), 6, 8)
    found = distortion_above_curve(CurvePoint(np.full(6, 9.0), runs), curve("fsq", (8, 24), (10, 26)))
    alone = mean_interval(runs - 25)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high), rel=1e-6)


def test_a_curve_of_few_seeds_has_no_interval() -> None:
    few = RateDistortionCurve("few", [CurvePoint([8.0, 8.1], np.ones((2, 8))), CurvePoint([9.0], 2 * np.ones((1, 8)))])
    found = distortion_at_equal_rate(few, curve("b", *B)).difference
    assert found.low is None
    assert "5 seeds at least: here are 1" in found.why


@pytest.mark.parametrize(
    ("a", "b", "compare", "said"),
    [
        (A[:1], B, distortion_at_equal_rate, "ours has 1 point: a curve takes 2"),
        (A, [], distortion_at_equal_rate, "theirs has 0 points"),
        (
            A,
            [(12, 30), (13, 31)],
            distortion_at_equal_rate,
            "rates do not overlap: ours from 8 to 11.2, theirs from 12",
        ),
        (A, [(8, 30), (9, 31)], rate_at_equal_distortion, "distortions do not overlap"),
        (A, [(8, 25), (8, 26)], distortion_at_equal_rate, "theirs has two points of one rate"),
        (A, [(8, 25), (9, 27), (10, 26)], rate_at_equal_distortion, "theirs turns back"),
    ],
)
def test_curves_that_do_not_compare_are_refused_in_words(a, b, compare, said: str) -> None:
    with pytest.raises(CurvesDoNotCompare, match=said):
        compare(curve("ours", *a), curve("theirs", *b))


def test_a_point_outside_of_the_curve_is_refused() -> None:
    with pytest.raises(CurvesDoNotCompare, match=r"lgq has the rate 12, and fsq is known from 8 to 11\.2"):
        distortion_above_curve(CurvePoint(np.full(5, 12.0), np.ones((5, 8))), curve("fsq", *A), name="lgq")


def test_unusable_points_are_named() -> None:
    with pytest.raises(InputError, match="same seeds and photographs"):
        CurvePoint(np.ones(4), np.ones((5, 8)))
    other = RateDistortionCurve("b", [CurvePoint(np.full(5, rate), np.ones((5, 9))) for rate in (8.0, 9.0)])
    with pytest.raises(InputError, match=r"the points have \[8, 9\] photographs"):
        distortion_at_equal_rate(curve("a", *A), other)
    with pytest.raises(InputError, match="the logarithm needs rates above 0"):
        distortion_at_equal_rate(curve("a", (0, 1), (1, 2)), curve("b", *B), log_rates=True)

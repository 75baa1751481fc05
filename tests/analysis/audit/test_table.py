"""Has the audit the bias and the noise that are planted, and does it say from which N a metric can be trusted?"""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from lgq_explore.analysis.audit import audit, only_metrics, trusted_from
from lgq_explore.analysis.audit.numbers import audited, token_numbers
from lgq_explore.errors import InputError
from lgq_explore.frames.audit import VALUES
from tests.plots.filled_frames import filled

EVERYTHING = 10**6


def frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    common = {"data": "planted", "unit": "tokens", "distortion": np.nan}
    return filled(VALUES, [common | row | {"tokens": row["size"]} for row in rows])


def means(sets: int = 200) -> pd.DataFrame:
    """Means of N draws of mean 10 and deviation 3, of two methods of which the second has 0.5 more."""
    generator, rows = np.random.default_rng(0), []
    for (method, shift), seed in product((("a", 0.0), ("b", 0.5)), range(2)):
        fit = {"method": method, "seed": seed, "metric": "mean"}
        rows.append({**fit, "size": EVERYTHING, "part": 0, "value": 10 + shift})
        for size, part in product((25, 100, 400), range(sets)):
            drawn = generator.normal(10, 3 / math.sqrt(size)) + shift
            rows.append({**fit, "size": size, "part": part, "value": drawn})
    return frame(rows)


def test_the_noise_of_a_mean_falls_as_one_over_the_root_of_n() -> None:
    found = audit(means(), "planted", resamples=9).set_index("size")
    percent = 100 / 10.25
    for size in (25, 100, 400):
        assert found.loc[size, "set_noise"] == pytest.approx(percent * 3 / math.sqrt(size), rel=0.1)
        assert found.loc[size, "bias"] == pytest.approx(0, abs=percent * 3 / math.sqrt(size) / 8)
        assert found.loc[size, "seed_noise"] == pytest.approx(found.loc[size, "set_noise"], rel=0.2)  # nothing else
    assert math.isnan(found.loc[EVERYTHING, "set_noise"])
    assert found.loc[EVERYTHING, "seed_noise"] == 0
    assert found["sets"].tolist() == [200, 200, 200, 1]
    assert found["rank_correlation"].isna().all()


def test_the_plug_in_entropy_is_low_by_its_bias_and_the_corrected_one_is_not() -> None:
    generator, rows, size, codes = np.random.default_rng(0), [], 512, 64
    points = torch.arange(2.0)[:, None].expand(2, 1)
    fit = {"method": "a", "seed": 0}
    for part in range(100):
        drawn = generator.integers(0, codes, size)
        numbers = token_numbers(drawn, codes, points, points)
        keys = ("entropy_bits", "entropy_bits_miller_madow", "gini_above_uniform", "effective_rate")
        rows += [{**fit, "size": size, "part": part, "metric": key, "value": numbers[key]} for key in keys]
    truth = {"entropy_bits": 6.0, "entropy_bits_miller_madow": 6.0, "gini_above_uniform": 0.0, "effective_rate": 1.0}
    rows += [{**fit, "size": EVERYTHING, "part": 0, "metric": key, "value": truth[key]} for key in truth]
    found = audit(frame(rows), "uniform", resamples=9).set_index(["metric", "size"])
    bias = found["bias"].xs(size, level="size") * 6 / 100
    expected = -(codes - 1) / (2 * size * math.log(2))
    assert bias["entropy_bits"] == pytest.approx(expected, rel=0.1)
    assert abs(bias["entropy_bits_miller_madow"]) < 0.1 * abs(expected)
    assert found.loc[("gini_above_uniform", size), "value"] == pytest.approx(0, abs=0.01)
    assert math.isnan(found.loc[("gini_above_uniform", size), "bias"])  # a percentage of nothing


def test_two_methods_are_told_apart_from_the_n_on_where_noise_is_small() -> None:
    found = audit(means(sets=40), "planted", pair=("b", "a"), resamples=199)
    assert found["first"].tolist() == ["b"] * 4
    auc = found["auc"].tolist()
    # Difference 0.5, deviation 3/√N of each: Φ(0.5 √N / (3 √2)).
    expected = [0.5 * (1 + math.erf(0.5 * math.sqrt(size) / 6)) for size in (25, 100, 400)]
    assert auc[:3] == pytest.approx(expected, abs=0.08)
    assert auc[3] == 1
    trusted = trusted_from(found).iloc[0]
    assert trusted["tokens_true"] == 100  # 2.9 % there, 5.9 % at 25
    assert trusted["tokens_apart"] in (25, 100, 400)
    assert pd.isna(trusted_from(found, percent=0.1).iloc[0]["tokens_true"])


def test_of_a_metric_that_is_the_distortion_it_says_so() -> None:
    rows = [
        {"method": method, "seed": seed, "size": size, "part": part, "metric": metric, "value": sign * distortion}
        | {"distortion": distortion}
        for (method, distortion), seed, (size, part) in product(
            (("a", 1.0), ("b", 2.0), ("c", 3.0)), range(2), ((10, 0), (10, 1), (20, 0))
        )
        for metric, sign in (("error", 1.0), ("quality", -1.0))
    ]
    found = audit(frame(rows), "planted", resamples=49).groupby("metric")["rank_correlation"].unique()
    assert found["error"].tolist() == pytest.approx([1])
    assert found["quality"].tolist() == pytest.approx([-1])


def test_a_trusted_n_is_one_from_which_on_it_lasts() -> None:
    found = audit(means(sets=10), "planted", resamples=9)
    found["set_noise"] = [4.0, 6.0, 3.0, np.nan]
    found["bias"] = [0.0, 0.0, 0.0, np.nan]
    assert trusted_from(found).iloc[0]["tokens_true"] == 400
    assert pd.isna(trusted_from(found).iloc[0]["tokens_apart"])


def test_metrics_are_chosen_in_the_order_of_a_table() -> None:
    rows = [{"method": "a", "metric": name, "size": 1, "value": 1.0} for name in ("fd", "x", "active_codes")]
    found = audit(frame(rows), "planted")
    assert only_metrics(found)["metric"].tolist() == ["active_codes", "fd"]
    assert only_metrics(found, ["x"])["metric"].tolist() == ["x"]


def test_nested_numbers_are_flat_and_settings_are_left_out() -> None:
    numbers = {"fd": {"value": 2, "features": "x"}, "codes_kept": {"shift": 0.5}, "bits_codebook": 10.0, "why": None}
    assert audited({**numbers, "is": True}) == {"fd": 2.0, "codes_kept.shift": 0.5}


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="the frame lacks metric"):
        audit(means(1).drop(columns="metric"), "planted")
    with pytest.raises(InputError, match="there are no values of 'x': give two of a, b"):
        audit(means(1), "planted", pair=("a", "x"))

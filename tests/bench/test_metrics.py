"""Tests of the benchmark that audits metrics."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lgq_explore import InputError, TrainConfig
from lgq_explore.bench.metrics import PICTURES, PLANE, Protocol, audit_metrics, markdown_table, shown
from lgq_explore.cli import main
from lgq_explore.frames.audit import AUDIT
from lgq_explore.models import BackboneConfig
from lgq_explore.plots.audit import publish_audit
from lgq_explore.quantizers import LGQConfig, VQConfig

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")

LGQ = TrainConfig(
    data="fake",
    steps=2,
    batch_size=2,
    backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
    quantizer=LGQConfig(codebook_size=16),
)
VQ = replace(LGQ, quantizer=VQConfig(codebook_size=16), loss_weights={})


def row(data: str, metric: str, size: int, **values: Any) -> dict[str, Any]:
    unknown = {name: None for name, (kind, _) in AUDIT.described.items() if kind == "float64"}
    counts = {"size": size, "tokens": 64 * size, "images": size, "sets": 2, "methods": 2, "seeds": 3}
    words = {"unit": "photographs", "first": "lgq", "second": "vq"}
    return {**words, **unknown, **counts, "value": 1.0, "data": data, "metric": metric, **values}


def planted() -> dict[str, Any]:
    """Of `fd`, whose bias and noise fall, and of `active_codes`, which follow the truth on the mixtures."""
    apart = {"auc": 0.25, "auc_low": 0.0, "auc_high": 0.4}
    results = [
        row(PICTURES, "fd", 1, bias=312.0, set_noise=24.0, seed_noise=3.0, auc=0.5, auc_low=0.1, auc_high=0.9),
        row(PICTURES, "fd", 2, bias=-30.0, set_noise=12.0, seed_noise=2.0, **apart),
        row(PICTURES, "fd", 4, bias=3.0, set_noise=1.25, seed_noise=2.0, **apart),
        row(PICTURES, "fd", 8, seed_noise=2.5, **apart),
        row(PLANE, "active_codes", 64, rank_correlation=-0.5, rank_low=-0.75, rank_high=-0.25, first="", second=""),
        row(PLANE, "active_codes", 128, rank_correlation=-0.6, rank_low=-0.8, rank_high=-0.4, first="", second=""),
    ]
    recipe = {"quantizer": {"codebook_size": 16}, "steps": 3, "batch_size": 2, "image_size": 32, "data": "photos"}
    protocol = {"seeds": [0, 1, 2], "photographs": 8, "crops": 8, "mixtures": ["square"], "toy_codes": 32}
    head = {"benchmark": "metrics", "date": "2020-02-29", "device": "a machine"}
    return {**head, "recipes": {"x": recipe}, "protocol": protocol, "results": results}


def test_the_table_has_a_row_a_metric_with_bias_noise_separation_and_truth() -> None:
    lines = markdown_table(planted()).splitlines()
    assert lines[2:4] == [
        "| `active_codes` | – | – | – | – | – | – | −0.50 (−0.75 … −0.25) | −0.60 (−0.80 … −0.40) |  |  |",
        "| `fd` | +312 ± 24 | −30 ± 12 | +3 ± 1.2 | 2.5 | 0.50 (0.10 … 0.90) | 0.25 (0.00 … 0.40) | – | – "
        "| 256 | 128 |",
    ]
    assert lines[0].startswith(
        "| metric | bias ± noise, %, N = 64 | bias ± noise, %, N = 128 | bias ± noise, %, N = 256 |"
    )
    assert "disjoint random parts of 8 held-out photographs (8 crops)" in lines[-1]
    assert "seeds 0, 1, 2" in lines[-1]


def test_the_figure_has_panels_of_both_audits() -> None:
    figure = publish_audit(shown(planted()))
    headings = [axes.get_title(loc="left") for axes in figure.axes if axes.axison]
    assert headings == [f"{PLANE}: bias", "Follows the truth", f"{PICTURES}: bias", "Noise", "Tells apart"]


@pytest.mark.slow
def test_two_methods_are_trained_and_all_metrics_audited(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = "--data fake --steps 2 --batch-size 2 --codebook-size 16 --set backbone.channels=[8,8,8] --seeds 2"
    toys = "--crops 8 --toy-seeds 1 --toy-steps 2 --toy-methods kmeans frozen"
    command = ["bench", "metrics", *options.split(), *toys.split(), "--results", str(tmp_path)]
    assert main([*command, "--runs", str(tmp_path / "runs")]) == 0
    (path,) = tmp_path.glob("*.json")
    kept = json.loads(path.read_text())
    assert capsys.readouterr().out.strip() == markdown_table(kept)
    assert len(list((tmp_path / "runs").iterdir())) == 4
    assert {result["data"] for result in kept["results"]} == {PICTURES, PLANE}
    assert {"fd", "psnr_db", "active_codes", "geometry_efficiency"} <= {result["metric"] for result in kept["results"]}
    assert kept["protocol"]["toy_methods"] == ["kmeans", "frozen"]
    assert all(set(result) == set(AUDIT.described) for result in kept["results"])
    assert "NaN" not in path.read_text()


def test_other_than_two_methods_are_refused_before_training() -> None:
    with pytest.raises(InputError, match="1 methods: give the two that are to be told apart"):
        audit_metrics([LGQ], [0])
    with pytest.raises(InputError, match="lgq with 16 codes is given twice"):
        audit_metrics([LGQ, LGQ], [0])


def test_all_methods_with_codes_are_fitted_to_each_mixture() -> None:
    settings = Protocol(toy_seeds=2).settings()
    methods = {setting.method for setting in settings}
    assert {"lgq", "fsq", "softvq", "kmeans"} <= methods
    assert "none" not in methods
    assert len(settings) == 3 * 2 * len(methods)

"""Do the panels of a run whose tokens are all equal, or one, show numbers, and no warning or traceback?"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import lgq_explore as lgq
from lgq_explore import widgets
from lgq_explore.analysis.health import gather_evidence
from lgq_explore.analysis.temperature import TemperatureProbe, critical_temperature, sample_latents
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.encoding import Encoding
from lgq_explore.runs.run import Run
from lgq_explore.runs.study import Study
from lgq_explore.widgets.explorer import Explorer


@pytest.fixture
def run(recipe: TrainConfig, tmp_path: Path) -> Run:
    """Crops of one token."""
    return lgq.train(replace(recipe, image_size=4, batch_size=64, snapshot_steps=3), tmp_path / "mine", progress=False)


def equal_tokens(encoding: Encoding) -> Encoding:
    first = {name: getattr(encoding, name)[:1] for name in ("images", "latents", "codes", "reconstructions")}
    return replace(encoding, **{name: np.repeat(value, len(encoding), axis=0) for name, value in first.items()})


def one_token(encoding: Encoding) -> Encoding:
    return replace(
        encoding,
        **{
            name: getattr(encoding, name)[:1]
            for name in ("images", "latents", "codes", "reconstructions", "photograph")
        },
    )


@pytest.mark.parametrize("change", [equal_tokens, one_token])
@pytest.mark.parametrize("maker", [widgets.TemperatureExplorer, widgets.PatchInspector])
def test_a_panel_shows_them(
    maker: Callable[[Study], Explorer],
    change: Callable[[Encoding], Encoding],
    run: Run,
) -> None:
    studied = lgq.study(run, encoding=change(lgq.encode(run)))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        panel = maker(studied)
        assert "error" not in panel._message.value
        assert panel.still()["image/png"]
        assert all(np.isfinite(value) for value in panel.summary().values() if isinstance(value, float))


def test_their_spread_is_nothing_and_gaps_are_given_as_they_are(run: Run) -> None:
    encoding = equal_tokens(lgq.encode(run))
    probe = TemperatureProbe(run.tokenizer().quantizer, sample_latents(lgq.study(run, encoding=encoding).latents))
    assert probe.spread == 0
    assert probe.critical_temperature == critical_temperature(probe._tokens()) == 0
    (row,) = probe.sweep([0.5]).to_dict("records")
    assert row["relative_gap"] == pytest.approx(probe.at(0.5)["gap"].mean())
    assert row["relative_gap"] > 0
    assert gather_evidence(lgq.study(run, encoding=encoding)).softness["relative_gap"] >= 0

"""Tests of the runs that the notebooks share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lgq_explore import InputError, TrainConfig, tutorial_run
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import LGQConfig
from lgq_explore.training.loop import train
from lgq_explore.training.presets import preset
from lgq_explore.training.tutorial import TUTORIAL_RUNS

QUICK = TrainConfig(
    data="fake", steps=4, batch_size=4, backbone=BackboneConfig(channels=(8, 8, 8)), quantizer=LGQConfig(16)
)


@pytest.fixture(autouse=True)
def quick_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(tmp_path))
    monkeypatch.setitem(TUTORIAL_RUNS, "lgq", QUICK)


def test_it_is_trained_once(tmp_path: Path) -> None:
    first = tutorial_run("lgq")
    assert first.is_finished
    assert first.config == QUICK
    assert first.path.parent == tmp_path / "runs"
    weights = first.path / "weights.safetensors"
    trained_at = weights.stat().st_mtime_ns
    assert tutorial_run("lgq").path == first.path
    assert weights.stat().st_mtime_ns == trained_at


def test_a_changed_recipe_is_trained_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    first = tutorial_run("lgq")
    changed = replace(QUICK, steps=5)
    monkeypatch.setitem(TUTORIAL_RUNS, "lgq", changed)
    second = tutorial_run("lgq")
    assert second.path != first.path
    assert (first.finished_steps, second.finished_steps) == (4, 5)
    assert changed.recipe_hash in second.path.name


def test_another_seed_is_trained_beside_it() -> None:
    first, second = tutorial_run("lgq"), tutorial_run("lgq", seed=1)
    assert second.config == replace(first.config, seed=1)
    assert second.path.name == first.path.name.replace("-seed0", "-seed1")
    with pytest.raises(InputError, match="seed is -1: it must not be negative"):
        tutorial_run("lgq", seed=-1)


def test_one_that_was_stopped_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "runs" / f"tutorial-lgq-{QUICK.recipe_hash}-seed{QUICK.seed}"

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(QUICK, path, device="cpu", on_log=interrupt, progress=False)
    run = tutorial_run("lgq")
    assert run.path == path
    assert run.is_finished


def test_there_is_one_of_each_method_to_compare_at_equal_size() -> None:
    assert list(TUTORIAL_RUNS) == ["lgq", "fsq", "simvq", "vq", "lgq-grid"]
    others = [TUTORIAL_RUNS[name] for name in ("fsq", "simvq", "vq")]
    assert [config.quantizer.method for config in others] == ["fsq", "simvq", "vq"]
    assert [config.quantizer.size for config in others] == [1000, 1024, 1024]


def test_nothing_but_the_start_is_another_where_lgq_starts_as_a_grid() -> None:
    begun = TUTORIAL_RUNS["lgq-grid"]
    assert replace(begun, quantizer=replace(begun.quantizer, initialization="kmeans++")) == preset("tiny", "lgq", 1024)


def test_an_unknown_name_is_answered_with_the_near_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'lgqq' \(did you mean lgq\?\); choose one of lgq, fsq, simvq, vq"):
        tutorial_run("lgqq")
    assert list(tmp_path.iterdir()) == []

"""Tests of runs of methods that the package does not know, each registered by one line."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lgq_explore import Run, TrainConfig, encode, evaluate, open_run, study, train, widgets
from lgq_explore.errors import InputError
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import QUANTIZERS, TakesCodebooks
from lgq_explore.runs.encoding import decode
from lgq_explore.training.presets import preset
from lgq_explore.widgets.explorer import Explorer

from . import PLANTED
from .residual import ResidualConfig

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_data_and_no_network")]

STEPS = 6
DEEP = "eight stages of 1024"
RECIPES = {**{name: config.for_codebook_size(64) for name, config in PLANTED.items()}}
RECIPES["planted-signs"] = PLANTED["planted-signs"]()  # all 36 of them
RECIPES[DEEP] = ResidualConfig(codes=1024, stages=8)
FIXED = ("planted-signs",)


@pytest.fixture(autouse=True, scope="module")
def registered() -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, config in PLANTED.items():
            patch.setitem(QUANTIZERS, name, config)
        yield


def recipe(name: str) -> TrainConfig:
    return replace(
        preset("tiny", "lgq"),
        data="fake",
        backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
        quantizer=RECIPES[name],
        loss_weights={},
        steps=STEPS,
        batch_size=4,
        warmup_steps=2,
        log_steps=2,
        window_steps=2,
        checkpoint_steps=2,
        snapshot_steps=3,
    )


@pytest.fixture(scope="module", params=RECIPES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def run(name: str, registered: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(recipe(name), tmp_path_factory.mktemp("runs") / "planted", device="cpu", progress=False)


def weights(run: Run) -> dict[str, torch.Tensor]:
    return run.tokenizer().state_dict()


def test_its_history_has_columns_for_each_group_and_for_their_tuples(run: Run) -> None:
    history, levels = run.history(), run.tokenizer().quantizer.levels
    assert history["step"].tolist() == [1, 2, 4, 6]
    assert (history["active_codes_last_2_steps"] >= 1).all()
    for group in range(len(levels) if len(levels) > 1 else 0):
        of_group = history[f"active_codes_group_{group}_last_2_steps"]
        assert ((of_group >= 1) & (of_group <= history["active_codes_last_2_steps"])).all()
    assert ("active_codes_group_0_last_2_steps" in history) == (len(levels) > 1)


def test_snapshots_hold_the_learned_codebooks(name: str, run: Run) -> None:
    snapshots, quantizer = run.codebook_snapshots(), run.tokenizer().quantizer
    if name in FIXED:
        assert snapshots == {}
        assert not (run.path / "codebooks").exists()
        return
    assert list(snapshots) == [0, 3, 6]
    for book, today in zip(snapshots[STEPS], quantizer.learned_codebooks(), strict=True):
        assert np.array_equal(book, today.numpy())
    assert isinstance(quantizer, TakesCodebooks)
    past = study(run, crops=2).quantizer_at(0)
    assert not torch.equal(past.codebooks()[0], quantizer.codebooks()[0])


def test_a_damaged_snapshot_of_several_codebooks_is_named(tmp_path: Path) -> None:
    config = replace(recipe("planted-residual"), steps=1)
    path = train(config, tmp_path / "run", device="cpu", progress=False).path
    snapshot = path / "codebooks" / "step-00000001.npz"
    content = snapshot.read_bytes()
    for damaged in (b"", content[:-40], content.replace(b"codebook-0", b"codebook-7")):
        snapshot.write_bytes(damaged)
        with pytest.raises(InputError, match=r"step-00000001\.npz is not a snapshot of this run's codebook"):
            _ = open_run(path).codebook_snapshots()[1]
    np.savez(snapshot, **{"codebook-0": np.zeros((8, 4), np.float32), "codebook-1": np.zeros((9, 4), np.float32)})
    with pytest.raises(InputError, match=r"it holds .*'codebook-1': .9, 4."):
        _ = open_run(path).codebook_snapshots()[1]


def test_it_is_evaluated_by_tuples_and_by_groups(run: Run) -> None:
    result, encoding = evaluate(run, crops=16), encode(run, crops=16)
    tuples = np.moveaxis(encoding.codes, 1, -1).reshape(-1, len(encoding.levels))
    assert result["codebook_size"] == run.config.quantizer.size
    assert result["active_codes"] == len(np.unique(tuples, axis=0))
    assert [of_group["active_codes"] for of_group in result["groups"].values()] == [
        len(np.unique(tuples[:, group])) for group in range(tuples.shape[1])
    ]
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_its_codes_are_decoded_to_what_encoding_reconstructed(run: Run) -> None:
    encoding = encode(run, crops=4)
    assert np.array_equal(decode(run, encoding.codes), encoding.reconstructions)


def test_it_trains_under_the_monitor(name: str, run: Run) -> None:
    monitor = widgets.TrainingMonitor(recipe(name), pictures=2)
    watched = asyncio.run(monitor.train())
    assert all(torch.equal(tensor, weights(watched)[part]) for part, tensor in weights(run).items())
    assert len(monitor.figures()) == 3


PANELS: dict[str, Callable[[Run], Explorer]] = {
    "CodeInspector": lambda run: widgets.CodeInspector(run, selection=[1, 2]),
    "GeometryExplorer": lambda run: widgets.GeometryExplorer(run, selection=[1, 2]),
    "HealthPanel": widgets.HealthPanel,
    "PatchInspector": widgets.PatchInspector,
    "TemperatureExplorer": widgets.TemperatureExplorer,
    "UsageExplorer": lambda run: widgets.UsageExplorer(run, window_tokens=256),
}


@pytest.mark.parametrize("panel", PANELS)
def test_it_opens_in_every_panel_or_is_refused_in_a_line_that_says_why(run: Run, panel: str) -> None:
    try:
        opened = PANELS[panel](run)
        assert len(opened.frame())
        assert opened.figure().axes
        assert run.name in opened.code()
    except InputError as refused:
        (line,) = str(refused).splitlines()
        if panel == "TemperatureExplorer":
            assert "without a temperature" in line
        else:
            assert "joint codes" in line or "too large to list" in line
            assert not run.tokenizer().quantizer.can_be_listed


@pytest.mark.parametrize("method", PLANTED)
def test_it_opens_in_the_toy_lab(method: str) -> None:
    lab = widgets.ToyLab(method=method, codes=4, seed=5, steps=10).train()
    assert lab.figure().axes


def registered_elsewhere(folder: Path, *entries: str) -> dict[str, str]:
    """The environment of a process in which a package with these entry points is installed."""
    metadata = folder / "planted-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[lgq_explore.quantizers]\n" + "".join(f"{line}\n" for line in entries))
    here = Path(__file__).parents[2]
    paths = [str(folder), str(here), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "LGQ_EXPLORE_DATA": str(folder / "data")}


def command(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lgq_explore", *arguments], env=environment, capture_output=True, text=True, check=False
    )


def test_the_command_line_knows_a_method_by_the_entry_point_of_another_package(tmp_path: Path) -> None:
    environment = registered_elsewhere(
        tmp_path, "cosine = tests.planted_methods.cosine:CosineConfig", "broken = tests.planted_methods.nowhere:Config"
    )
    listed = command(environment, "list", "quantizers")
    assert "planted-cosine" in listed.stdout
    (told,) = listed.stderr.splitlines()
    assert told.startswith("lgq-explore: the quantizer 'broken' can't be loaded: ")
    assert "Mend its entry point in" in told
    run = str(tmp_path / "run")
    settings = ("--set", "steps=2", "--set", "backbone.channels=[8,8,8]", "--set", "quantizer.codebook_size=32")
    given = ("--quantizer", "planted-cosine", "--data", "fake", "--batch-size", "4", *settings)
    trained = command(environment, "train", *given, "--run", run, "--device", "cpu")
    assert trained.returncode == 0, trained.stderr
    evaluated = command(environment, "evaluate", run, "--crops", "8", "--json")
    assert json.loads(evaluated.stdout)["quantizer"] == "planted-cosine"

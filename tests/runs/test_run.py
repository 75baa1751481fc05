"""Tests of reading and writing run folders."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lgq_explore import evaluate
from lgq_explore.errors import InputError
from lgq_explore.models import BackboneConfig, Tokenizer, build_tokenizer
from lgq_explore.quantizers import LGQConfig
from lgq_explore.runs.config import TrainConfig, config_to_json
from lgq_explore.runs.run import Run, open_run
from lgq_explore.runs.run_description import Environment
from lgq_explore.runs.run_paths import default_run_path, new_run_path, run_folders
from lgq_explore.runs.run_writer import CHECKPOINTS_KEPT, RunWriter

CONFIG = TrainConfig(
    data="fake", image_size=16, backbone=BackboneConfig((8, 8, 8), dim=4), quantizer=LGQConfig(16), steps=11
)
ENVIRONMENT = Environment({"torch": "2"}, "cpu", "32-true", 1, "f00d", 9, 3, 0)


@pytest.fixture
def writer(tmp_path: Path) -> RunWriter:
    return RunWriter.create(tmp_path / "run", CONFIG, ENVIRONMENT)


def built(seed: int = 0) -> Tokenizer:
    return build_tokenizer(CONFIG.backbone, CONFIG.quantizer, seed)


def row(step: int, **values: float | None) -> dict[str, float | None]:
    return {"step": step, "loss": 1 / (3 * step), "temperature_override": None, **values}


# Creation


def test_a_new_folder_holds_its_recipe_and_where_it_came_from(writer: RunWriter) -> None:
    run = open_run(writer.path)
    assert run.config == CONFIG
    assert run.environment == ENVIRONMENT
    assert [path.name for path in run.path.iterdir()] == ["config.json"]
    description = json.loads((run.path / "config.json").read_text())
    assert description["recipe_hash"] == CONFIG.recipe_hash
    assert description["recipe"]["quantizer"]["method"] == "lgq"


def test_a_new_run_has_neither_weights_nor_history(writer: RunWriter) -> None:
    assert writer.finished_steps == 0
    assert not writer.is_finished
    assert writer.newest_checkpoint() is None
    assert writer.codebook_snapshots() == {}
    assert len(writer.history()) == 0
    assert "step" in writer.history().columns
    with pytest.raises(InputError, match=f"{writer.path} has no weights yet"):
        writer.tokenizer()


@pytest.mark.parametrize("kind", ["file", "folder", "run"])
def test_what_is_there_is_refused_and_left_as_it_is(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "taken"
    if kind == "file":
        path.write_text("mine")
    elif kind == "folder":
        path.mkdir()
    else:
        RunWriter.create(path, CONFIG, ENVIRONMENT)
    before = sorted((entry, entry.stat().st_mtime_ns) for entry in [path, *path.glob("**/*")])
    with pytest.raises(InputError, match="taken exists already"):
        RunWriter.create(path, CONFIG, ENVIRONMENT)
    assert sorted((entry, entry.stat().st_mtime_ns) for entry in [path, *path.glob("**/*")]) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken"]


def test_a_folder_that_cannot_be_made_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can't be made"):
        RunWriter.create(tmp_path / "file" / "run", CONFIG, ENVIRONMENT)


# Opening


def test_a_run_from_before_processor_and_threads_were_kept_opens_and_says_nothing_of_them(writer: RunWriter) -> None:
    file = writer.path / "config.json"
    description = json.loads(file.read_text())
    del description["environment"]["processor"], description["environment"]["threads"]
    file.write_text(json.dumps(description))
    environment = open_run(writer.path).environment
    assert (environment.processor, environment.threads) == ("", 0)
    assert environment.rounding_changes(replace(environment, processor="an abacus", threads=2)) == []


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InputError, match=f"{path} is not a run folder"):
            open_run(path)


def test_an_empty_path_is_not_the_working_directory(writer: RunWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(writer.path)
    for use in (open_run, new_run_path):
        with pytest.raises(InputError, match="an empty text names no file and no folder"):
            use("")
    assert open_run(".").config == CONFIG


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "\ud800",
        "[" * 100_000,
        "[]",
        "{}",
        '{"recipe": {}}',
        '{"recipe": [], "environment": {}}',
        '{"recipe": {"stepz": 3}, "environment": {}}',
    ],
)
def test_a_config_that_cannot_be_read_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content, errors="surrogatepass")
    with pytest.raises(
        InputError, match=r"config\.json can't be used: .*\nPut back the file that training wrote"
    ) as error:
        open_run(tmp_path)
    assert str(error.value).count("\n") == 1


def test_weights_that_cannot_be_read_are_named(writer: RunWriter) -> None:
    (writer.path / "weights.safetensors").write_bytes(b"not tensors")
    with pytest.raises(InputError, match=r"weights.safetensors can't be read"):
        _ = writer.finished_steps


def test_a_config_from_before_the_processor_was_kept_opens(writer: RunWriter) -> None:
    path = writer.path / "config.json"
    description = json.loads(path.read_text())
    for name in ("processor", "threads"):
        del description["environment"][name]
    path.write_text(json.dumps(description))
    assert (open_run(writer.path).environment.processor, open_run(writer.path).environment.threads) == ("", 0)


@pytest.mark.parametrize("environment", [[], {}, {"versions": {}}, None])
def test_an_environment_that_lacks_something_is_named(writer: RunWriter, environment: object) -> None:
    path = writer.path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"environment": environment}))
    with pytest.raises(InputError, match=r"config\.json can't be used: its environment"):
        open_run(writer.path)


def header_of(path: Path) -> dict[str, dict[str, object]]:
    content = path.read_bytes()
    return json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])


def with_header(path: Path, header: object) -> bytes:
    content = path.read_bytes()
    values = content[8 + int.from_bytes(content[:8], "little") :]
    written = json.dumps(header).encode()
    return len(written).to_bytes(8, "little") + written + values


def first_tensor(path: Path, **change: object) -> bytes:
    header = header_of(path)
    name = next(name for name in header if name != "__metadata__")
    return with_header(path, header | {name: header[name] | change})


DAMAGED_WEIGHTS = {
    "nothing": lambda path: b"",
    "a length beyond the file": lambda path: b"\xff" * 8 + path.read_bytes()[8:],
    "cut": lambda path: path.read_bytes()[:-1],
    "longer": lambda path: path.read_bytes() + b"0",
    "a list": lambda path: with_header(path, [1]),
    "nested": lambda path: (10**5).to_bytes(8, "little") + b"[" * 10**5,
    "no steps": lambda path: with_header(path, header_of(path) | {"__metadata__": {}}),
    "steps below 0": lambda path: with_header(path, header_of(path) | {"__metadata__": {"steps": "-1"}}),
    "no tensors": lambda path: with_header(path, {"__metadata__": {"steps": "3"}}),
    "an unknown type": lambda path: first_tensor(path, dtype="F99"),
    "another shape": lambda path: first_tensor(path, shape=[7]),
    "no places": lambda path: first_tensor(path, data_offsets=[]),
}


@pytest.mark.parametrize("damage", DAMAGED_WEIGHTS.values(), ids=DAMAGED_WEIGHTS)
def test_damaged_weights_are_named_and_kept(writer: RunWriter, damage: Callable[[Path], bytes]) -> None:
    writer.save_checkpoint(3, built(), {})
    path = writer.path / "weights.safetensors"
    content = damage(path)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"weights\.safetensors can't be read: .*\nDelete it and resume the run"):
        writer.trained()
    assert path.read_bytes() == content


def test_weights_that_cannot_be_opened_are_not_taken_for_missing_ones(writer: RunWriter) -> None:
    (writer.path / "weights.safetensors").mkdir()
    for read in (writer.trained, lambda: writer.finished_steps):
        with pytest.raises(InputError, match=r"weights\.safetensors can't be read: Is a directory"):
            read()


# Whose files these are


def trained_writer(path: Path, seed: int, step: int = 7) -> RunWriter:
    """A run of its own seed, with a row, a snapshot and weights."""
    writer = RunWriter.create(path, replace(CONFIG, seed=seed), ENVIRONMENT)
    writer.append_history(row(step))
    writer.save_codebooks(step, [torch.full((16, 4), float(seed))])
    writer.save_checkpoint(step, built(seed), {})
    return writer


ASKED: dict[str, Callable[[Run], object]] = {
    "weights": lambda run: run.trained(),
    "steps": lambda run: run.finished_steps,
    "history": lambda run: run.history(),
    "snapshots": lambda run: run.codebook_snapshots(),
    "remarks": lambda run: run.remarks(),
    "evaluation": lambda run: evaluate(run),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_a_run_whose_folder_holds_another_one_by_now_gives_nothing_of_it(
    tmp_path: Path, ask: Callable[[Run], object]
) -> None:
    path = trained_writer(tmp_path / "run", seed=0).path
    opened = open_run(path)
    snapshots = opened.codebook_snapshots()
    shutil.rmtree(path)
    with pytest.raises(InputError, match="run was moved or deleted since it was opened"):
        ask(opened)
    assert repr(opened) == "Run('run': lgq, K = 16, no longer in its folder)"
    trained_writer(path, seed=1)
    for refused in (lambda: ask(opened), lambda: snapshots[7]):
        with pytest.raises(InputError, match=r"run holds another run now than when it was opened") as told:
            refused()
        assert str(told.value).splitlines()[1] == f"Open it again: lgq.open_run({str(path)!r})."
    assert repr(opened) == "Run('run': lgq, K = 16, no longer in its folder)"
    assert repr(open_run(path)) == "Run('run': lgq, K = 16, 7 of 11 steps)"


def test_a_run_that_is_replaced_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in (0, 1):
        trained_writer(tmp_path / f"seed{seed}", seed)
    opened = open_run(shutil.copytree(tmp_path / "seed0", tmp_path / "run"))
    read = Run._weights_content

    def read_and_replace(run: Run) -> bytes:
        content = read(run)
        shutil.rmtree(run.path)
        shutil.copytree(tmp_path / "seed1", run.path)
        return content

    monkeypatch.setattr(Run, "_weights_content", read_and_replace)
    with pytest.raises(InputError, match="holds another run now"):
        opened.trained()


def test_a_run_that_trains_on_stays_the_same_one(tmp_path: Path) -> None:
    writer = trained_writer(tmp_path / "run", seed=0, step=3)
    opened, copied = open_run(writer.path), open_run(shutil.copytree(writer.path, tmp_path / "copy"))
    writer.append_history(row(7))
    writer.save_checkpoint(7, built(1), {})
    assert (opened.finished_steps, opened.history()["step"].tolist()) == (7, [3, 7])
    assert opened.identity == copied.identity != trained_writer(tmp_path / "other", seed=1).identity


def test_damaged_weights_do_not_keep_a_run_from_being_named(writer: RunWriter) -> None:
    (writer.path / "weights.safetensors").write_bytes(b"junk")
    assert repr(open_run(writer.path)) == "Run('run': lgq, K = 16, its weights can't be read)"


@pytest.mark.parametrize("settings", [{"seed": 1}, {"rounding_replicate": 1}, {"learning_rate": 0.5}])
def test_weights_of_another_run_are_refused_though_they_fit(tmp_path: Path, settings: dict[str, float]) -> None:
    own = trained_writer(tmp_path / "run", seed=0)
    other = RunWriter.create(tmp_path / "other", replace(CONFIG, **settings), ENVIRONMENT)
    other.save_checkpoint(7, built(1), {})
    shutil.copy(other.path / "weights.safetensors", own.path)
    (name,) = settings
    mark = name if name in ("seed", "rounding_replicate") else "recipe_hash"
    for read in (own.trained, lambda: own.finished_steps):
        with pytest.raises(InputError, match=rf"is of another run than the config\.json .*: {mark} \w+, not") as told:
            read()
        assert str(told.value).splitlines()[1].startswith("Put back the file that was changed")
    (own.path / "weights.safetensors").unlink()  # the remedy
    own.publish_weights(own.path / "checkpoints" / "step-00000007")
    assert own.trained().finished_steps == 7


def as_before_origins(path: Path) -> None:
    """Rewrite a file of weights as it was written before it named its origin."""
    save_file(load_file(path), path, metadata={"steps": "7"})


def test_weights_that_do_not_say_whose_they_are_are_held_against_the_checkpoint(tmp_path: Path) -> None:
    own, other = (trained_writer(tmp_path / f"seed{seed}", seed) for seed in (0, 1))
    for run in (own, other):
        as_before_origins(run.path / "weights.safetensors")
        as_before_origins(run.path / "checkpoints" / "step-00000007" / "weights.safetensors")
    assert own.trained().finished_steps == 7
    assert own.load_checkpoint(own.path / "checkpoints" / "step-00000007", built()) == {}
    shutil.copy(other.path / "weights.safetensors", own.path)
    with pytest.raises(InputError, match=r"differs from the weights that .*step-00000007 keeps") as told:
        own.trained()
    assert len(str(told.value).splitlines()) == 2
    shutil.rmtree(own.path / "checkpoints")
    assert own.trained().finished_steps == 7  # nothing is left to tell by


def test_weights_of_another_shape_are_named(writer: RunWriter) -> None:
    wider = build_tokenizer(CONFIG.backbone, LGQConfig(32), seed=0).state_dict()
    weights = {name: tensor.contiguous() for name, tensor in wider.items()}
    save_file(weights, writer.path / "weights.safetensors", metadata={"steps": "7"})
    with pytest.raises(InputError, match=r"does not fit the recipe in config\.json beside it\.\nPut back"):
        writer.trained()


def test_the_same_weights_are_the_same_bytes_in_every_folder(tmp_path: Path) -> None:
    digests = {trained_writer(tmp_path / f"run{number}", seed=3).trained().digest for number in range(8)}
    assert len(digests) == 1


# An edited config.json


def edit(path: Path, **changes: object) -> None:
    description = json.loads((path / "config.json").read_text())
    description["recipe"] |= changes
    (path / "config.json").write_text(json.dumps(description))


def test_an_edited_recipe_is_not_taken_for_the_one_that_was_trained(writer: RunWriter) -> None:
    edit(writer.path, learning_rate=0.25)
    edited = replace(CONFIG, learning_rate=0.25).recipe_hash
    with pytest.raises(InputError, match=rf"its recipe \({edited}\) is not the one .*\({CONFIG.recipe_hash}\)") as told:
        open_run(writer.path)
    remedy = f"or train it as it is now: lgq-explore train --config {writer.path / 'config.json'}."
    assert str(told.value).splitlines()[1].endswith(remedy)


def test_an_edited_seed_is_told_by_the_weights(tmp_path: Path) -> None:
    path = trained_writer(tmp_path / "run", seed=0).path
    edit(path, seed=1)
    with pytest.raises(InputError, match="seed 0, not 1"):
        open_run(path).trained()


def test_what_only_decides_when_something_is_written_may_be_edited(tmp_path: Path) -> None:
    path = trained_writer(tmp_path / "run", seed=0).path
    edit(path, checkpoint_steps=3, log_steps=1, snapshot_steps=2)
    assert open_run(path).trained().finished_steps == 7


@pytest.mark.parametrize("version", ["leaves window_steps out", "takes numbers as written", "lacks later fields"])
def test_recipes_that_earlier_versions_hashed_open(writer: RunWriter, version: str) -> None:
    description = json.loads((writer.path / "config.json").read_text())
    recipe = description["recipe"]
    of_quantizer = type(CONFIG.quantizer)
    parts = ((TrainConfig, recipe), (BackboneConfig, recipe["backbone"]), (of_quantizer, recipe["quantizer"]))
    for kind, written in parts:
        for later in fields(kind):
            if "left_out_of_hash_at" in later.metadata and later.name != "drop":
                del written[later.name]
    if version == "takes numbers as written":
        recipe["learning_rate"] = 1
    elif version == "lacks later fields":
        del recipe["quantizer"]["drop"], recipe["rounding_replicate"]
    unnamed = {"seed", "rounding_replicate", "log_steps", "checkpoint_steps", "snapshot_steps"}
    if version == "leaves window_steps out":
        unnamed |= {"window_steps"}
        del recipe["quantizer"]["drop"]
    named = json.dumps({name: value for name, value in recipe.items() if name not in unnamed}, sort_keys=True)
    description["recipe_hash"] = hashlib.sha256(named.encode()).hexdigest()[:12]
    (writer.path / "config.json").write_text(json.dumps(description))
    RunWriter(writer.path).save_checkpoint(7, built(), {})
    assert open_run(writer.path).trained().finished_steps == 7


# What a finished run lacks


def finished_writer(path: Path) -> RunWriter:
    writer = RunWriter.create(path, CONFIG, ENVIRONMENT)
    for step in (1, 6, 11):
        writer.append_history(row(step))
    writer.save_checkpoint(11, built(), {})
    return writer


def test_a_whole_run_and_one_that_still_trains_give_no_cause_for_remarks(tmp_path: Path) -> None:
    assert finished_writer(tmp_path / "whole").remarks() == []
    training = trained_writer(tmp_path / "training", seed=0)
    with (training.path / "history.csv").open("a") as file:
        file.write("8,0.0")
    assert training.remarks() == []


LACKING: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "the end of its last row": (lambda content: content[:-3], "ends with step 6 of 11, and a torn row follows"),
    "its last row": (lambda content: b"".join(content.splitlines(keepends=True)[:-1]), "ends with step 6 of 11:"),
    "everything": (lambda content: b"", "ends with step 0 of 11:"),
    "a row's cells": (lambda content: content.replace(b"\n6,", b"\n6;"), "line 3 has 2 columns, not 3"),
    "an end of what follows": (lambda content: content + b"12,0.", "ends with step 11 of 11, and a torn row follows"),
}


@pytest.mark.parametrize(("damage", "told"), LACKING.values(), ids=LACKING)
def test_what_the_history_of_a_finished_run_lacks_is_told(
    tmp_path: Path, damage: Callable[[bytes], bytes], told: str
) -> None:
    path = finished_writer(tmp_path / "run").path
    history = path / "history.csv"
    history.write_bytes(damage(history.read_bytes()))
    (remark,) = open_run(path).remarks()
    assert told in remark
    assert "Put back" in remark
    assert len(remark.splitlines()) == 1


# Creation while another trainer creates


def test_of_two_who_make_one_folder_the_later_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run"

    def first_another(config: TrainConfig) -> dict[str, object]:
        if not path.exists():
            path.mkdir()
            (path / "config.json").write_text("another's")
        return config_to_json(config)

    monkeypatch.setattr("lgq_explore.runs.run_description.config_to_json", first_another)
    with pytest.raises(InputError, match="run exists already"):
        RunWriter.create(path, CONFIG, ENVIRONMENT)
    assert (path / "config.json").read_text() == "another's"
    assert [entry.name for entry in tmp_path.iterdir()] == ["run"]


def test_of_two_who_take_one_default_name_the_later_takes_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(tmp_path))
    name = default_run_path(CONFIG)

    def first_another(config: TrainConfig) -> dict[str, object]:
        name.mkdir(parents=True, exist_ok=True)
        (name / "config.json").write_text("another's")
        return config_to_json(config)

    monkeypatch.setattr("lgq_explore.runs.run_description.config_to_json", first_another)
    assert RunWriter.create_by_default(CONFIG, ENVIRONMENT).path.name == f"{name.name}-2"
    assert (name / "config.json").read_text() == "another's"


def test_a_default_folder_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(tmp_path / "file"))
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can't be made"):
        RunWriter.create_by_default(CONFIG, ENVIRONMENT)


# Checkpoints and weights


def test_weights_come_back_as_they_were_in_eval_mode(writer: RunWriter) -> None:
    trained = built(seed=5)
    writer.save_checkpoint(7, trained, {"step": 7})
    run = Run(writer.path)
    assert run.finished_steps == 7
    assert not run.is_finished
    assert repr(run) == "Run('run': lgq, K = 16, 7 of 11 steps)"
    tokenizer = run.tokenizer()
    assert not tokenizer.training
    for name, tensor in trained.state_dict().items():
        assert torch.equal(tokenizer.state_dict()[name], tensor), name


def test_the_temperature_is_that_of_the_last_finished_step(writer: RunWriter) -> None:
    writer.save_checkpoint(6, built(), {})
    assert writer.tokenizer().quantizer.temperature == pytest.approx(1.0 + (0.1 - 1.0) * 0.5)


def test_the_newest_checkpoints_are_kept_and_older_ones_go(writer: RunWriter) -> None:
    for step in (1, 2, 9, 10, 100):
        writer.save_checkpoint(step, built(), {"step": step})
    kept = sorted(path.name for path in (writer.path / "checkpoints").iterdir())
    assert kept == ["step-00000010", "step-00000100"]
    assert len(kept) == CHECKPOINTS_KEPT
    newest = writer.newest_checkpoint()
    assert newest is not None
    assert newest.name == "step-00000100"
    assert sorted(path.name for path in newest.iterdir()) == ["state.pt", "weights.safetensors"]


def test_a_checkpoint_comes_back_with_its_state(writer: RunWriter) -> None:
    trained = built(seed=5)
    state = {"step": 3, "override": None, "optimizer": {"exp_avg": torch.ones(2)}}
    writer.save_checkpoint(3, trained, state)
    tokenizer = built(seed=6)
    checkpoint = writer.newest_checkpoint()
    assert checkpoint is not None
    loaded = writer.load_checkpoint(checkpoint, tokenizer)
    assert loaded["step"] == 3
    assert loaded["override"] is None
    assert torch.equal(loaded["optimizer"]["exp_avg"], torch.ones(2))
    assert all(torch.equal(tensor, tokenizer.state_dict()[name]) for name, tensor in trained.state_dict().items())


def test_a_checkpoint_that_was_being_written_does_not_count(writer: RunWriter) -> None:
    writer.save_checkpoint(3, built(), {"step": 3})
    (writer.path / "checkpoints" / ".step-00000004.abcd").mkdir()
    newest = writer.newest_checkpoint()
    assert newest is not None
    assert newest.name == "step-00000003"


# History


def test_history_comes_back_to_the_last_bit(writer: RunWriter) -> None:
    writer.append_history(row(1))
    writer.append_history(row(3, temperature_override=0.1 + 0.2, loss=math.pi * 1e-7))
    history = writer.history()
    assert history.columns.tolist() == ["step", "loss", "temperature_override"]
    assert history["step"].tolist() == [1, 3]
    assert history["loss"].tolist() == [1 / 3, math.pi * 1e-7]
    assert math.isnan(history["temperature_override"][0])
    assert history["temperature_override"][1] == 0.1 + 0.2


@pytest.mark.parametrize("half", ["4,0.0", "4", "4,0.083,"])
def test_a_row_that_is_being_written_is_left_out(writer: RunWriter, half: str) -> None:
    writer.append_history(row(1))
    with (writer.path / "history.csv").open("a") as file:
        file.write(half)
    assert writer.history()["step"].tolist() == [1]
    writer.rewind_to(1)
    writer.append_history(row(2))
    assert writer.history()["step"].tolist() == [1, 2]
    assert writer.history()["loss"].tolist() == [1 / 3, 1 / 6]


def test_half_a_header_is_no_history(writer: RunWriter) -> None:
    (writer.path / "history.csv").write_text("step,lo")
    assert len(writer.history()) == 0
    writer.rewind_to(0)
    writer.append_history(row(1))
    assert writer.history()["step"].tolist() == [1]


def test_what_came_after_a_step_is_cut(writer: RunWriter) -> None:
    for step in (1, 2, 3, 4):
        writer.append_history(row(step))
        writer.save_codebooks(step, [torch.zeros(16, 4)])
    kept = writer.history()[:2]
    writer.rewind_to(2)
    assert writer.history().equals(kept)
    assert list(writer.codebook_snapshots()) == [1, 2]
    writer.rewind_to(0)
    assert len(writer.history()) == 0
    assert writer.codebook_snapshots() == {}


def test_snapshots_are_read_by_memory_map_in_order(writer: RunWriter) -> None:
    for step in (100, 9, 0):
        writer.save_codebooks(step, [torch.full((16, 4), float(step), dtype=torch.float64)])
    snapshots = writer.codebook_snapshots()
    assert list(snapshots) == [0, 9, 100]
    assert all(isinstance(codebook, np.memmap) for (codebook,) in snapshots.values())
    assert snapshots[9][0].dtype == np.float32
    assert snapshots[9][0].tolist() == [[9] * 4] * 16
    assert (writer.path / "codebooks" / "step-00000009.npy").exists()  # the name and format of older versions


@pytest.mark.parametrize(
    "content",
    [
        np.zeros((16, 4), np.float64),
        np.zeros((4, 16), np.float32),
        np.zeros(64, np.float32),
        np.zeros((16, 4), "V0"),
        np.array([{}] * 64, dtype=object).reshape(16, 4),
    ],
    ids=["double", "turned", "flat", "no bytes", "pickled"],
)
def test_a_snapshot_of_another_kind_is_named_when_it_is_asked_for(writer: RunWriter, content: np.ndarray) -> None:
    for step in (1, 2):
        writer.save_codebooks(step, [torch.zeros(16, 4)])
    path = writer.path / "codebooks" / "step-00000002.npy"
    with path.open("wb") as file:
        np.lib.format.write_array(file, content)
    snapshots = writer.codebook_snapshots()
    assert snapshots[1][0].shape == (16, 4)
    with pytest.raises(InputError, match=r"step-00000002\.npy is not a snapshot of this run's codebook") as told:
        _ = snapshots[2]
    assert len(str(told.value).splitlines()) == 2
    assert path.exists()


def test_snapshots_go_no_further_than_the_weights(writer: RunWriter) -> None:
    for step in (0, 3, 6):
        writer.save_codebooks(step, [torch.zeros(16, 4)])
    writer.save_checkpoint(4, built(), {})
    assert list(writer.codebook_snapshots()) == [0, 3]
    (writer.path / "codebooks" / "step-mine.npy").write_text("not a snapshot")
    writer.save_checkpoint(6, built(), {})
    assert list(writer.codebook_snapshots()) == [0, 3, 6]


# Folders


def test_one_trainer_at_a_time(writer: RunWriter) -> None:
    with (
        writer.claimed(),
        pytest.raises(InputError, match="is being trained already"),
        RunWriter(writer.path).claimed(),
    ):
        pass
    with RunWriter(writer.path).claimed():
        pass


def test_runs_get_free_folders_under_the_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(tmp_path))
    first = default_run_path(CONFIG)
    assert first == tmp_path / "runs" / f"lgq-16-{CONFIG.recipe_hash}-seed0"
    RunWriter.create(first, CONFIG, ENVIRONMENT)
    second = default_run_path(CONFIG)
    assert second.name == f"{first.name}-2"
    RunWriter.create(second, CONFIG, ENVIRONMENT)
    (tmp_path / "runs" / "something else").mkdir()
    assert run_folders() == [first, second]


def test_a_run_of_a_method_that_is_not_known_here_says_what_to_install(writer: RunWriter) -> None:
    description = json.loads((writer.path / "config.json").read_text())
    description["recipe"]["quantizer"]["method"] = "another-package-s"
    (writer.path / "config.json").write_text(json.dumps(description))
    with pytest.raises(InputError, match="another-package-s is no method that is known here") as refused:
        open_run(writer.path)
    assert "entry point in lgq_explore.quantizers" in str(refused.value)


def test_what_is_no_path_is_no_run() -> None:
    with pytest.raises(InputError, match="3 is no path"):
        open_run(3)  # type: ignore[arg-type]

"""Tests of the command line: what it does, and what it refuses in two lines.

What only a process of its own can show (streams, signals, the installed script) is run in one; the rest calls `main`
in this process, since each process spends seconds on importing torch.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from lgq_explore import QUANTIZERS, Encoding, encode, evaluate, open_run
from lgq_explore.analysis.health import assess, worst_state
from lgq_explore.cli import main, parser
from lgq_explore.runs.config import config_to_json
from lgq_explore.runs.measures import DEFINITIONS
from lgq_explore.runs.run_writer import RunWriter
from lgq_explore.training.presets import preset

ROOT = Path(__file__).resolve().parents[2]
KEYS = (
    "run quantizer codebook_size dim images photographs tokens psnr_db ssim l1 lpips fd active_codes utilization "
    "perplexity entropy_bits bits_per_pixel gini quantization_error seed steps recipe_hash rounding_replicate scenes "
    "weights device luminance_psnr_db colour_error groups soft_decode"
)
QUICK = ("--data", "fake", "--steps", "6", "--batch-size", "4", "--codebook-size", "16", "--device", "cpu")
SMALL = ("--set", "backbone.channels=[8,8,8]", "--set", "backbone.dim=4")
TRAIN = ("train", "--quantizer", "lgq", *QUICK, *SMALL)


@dataclass(frozen=True)
class Outcome:
    status: int
    stdout: str
    stderr: str


Command = Callable[..., Outcome]


@pytest.fixture(scope="module", autouse=True)
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Pictures and runs in a folder of their own, no network, and one thread, so that all processes round alike."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("no_proxy", "NO_PROXY", "WORLD_SIZE"):
            patch.delenv(name, raising=False)
        settings = {
            "OMP_NUM_THREADS": "1",
            "LGQ_EXPLORE_DATA": str(tmp_path_factory.mktemp("data")),
            "TORCH_HOME": str(tmp_path_factory.mktemp("no-weights")),
            "PYTHONPATH": str(ROOT),
            "http_proxy": "http://127.0.0.1:9",
            "https_proxy": "http://127.0.0.1:9",
        }
        for name, value in settings.items():
            patch.setenv(name, value)
        yield
    torch.set_num_threads(threads)


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs a command in this process; output is captured below Python, as a shell's pipe would."""

    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        streams = capfd.readouterr()
        return Outcome(status, streams.out, streams.err)

    return run


def in_a_process(*arguments: object) -> Outcome:
    done = subprocess.run(
        [sys.executable, "-m", "lgq_explore", *map(str, arguments)], capture_output=True, text=True, timeout=300
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, trained as users train."""
    run = tmp_path_factory.mktemp("runs") / "R"
    outcome = in_a_process(*TRAIN, "--seed", "3", "--run", run)
    assert outcome.status == 0, outcome.stderr
    assert outcome.stdout == f"{run}\n"
    assert f"finished: 6 of 6 steps; next: lgq-explore evaluate {run}" in outcome.stderr
    return run


def contents(folder: Path) -> dict[str, str]:
    """Every path below a folder with a digest of what it holds; lock files, which hold nothing, left out."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
        if path.name != ".lock"
    }


# What works


def test_what_train_was_told_is_what_the_run_holds(trained: Path) -> None:
    config = open_run(trained).config
    assert (config.quantizer.method, config.quantizer.size) == ("lgq", 16)
    assert (config.data, config.steps, config.batch_size, config.seed) == ("fake", 6, 4, 3)
    assert (config.backbone.channels, config.backbone.dim) == ((8, 8, 8), 4)
    assert (config.image_size, config.learning_rate) == (32, 1e-3)  # the rest is the preset's


@pytest.mark.slow
def test_evaluate_prints_one_json_object_and_python_gives_the_same(trained: Path) -> None:
    outcome = in_a_process("evaluate", trained, "--crops", "8", "--json")
    assert outcome.status == 0, outcome.stderr
    result = json.loads(outcome.stdout)
    assert outcome.stdout.count("\n") == 1
    assert " ".join(result) == KEYS
    assert result == evaluate(trained, crops=8)
    assert (result["run"], result["seed"], result["steps"]) == ("R", 3, 6)
    assert result["tokens"] == result["images"] * 8 * 8
    assert result["lpips"]["value"] is None
    assert result["lpips"]["why"]
    assert (result["fd"]["features"], result["fd"]["why"]) == ("efficientnet-lite0", None)
    assert result["fd"]["value"] > 0


@pytest.mark.slow
def test_evaluate_prints_a_line_a_number(trained: Path, command: Command) -> None:
    outcome = command("evaluate", trained, "--crops", "8")
    lines = outcome.stdout.splitlines()
    assert outcome.status == 0
    # Of a single group, and of a method without soft decoding, there is no more to say.
    names = [line.split()[0] for line in lines]
    assert " ".join(name for name in names if "." not in name) == KEYS.removesuffix(" groups soft_decode")
    after = names.index("fd") + 1
    assert names[after : after + 4] == ["fd.reference", "fd.crop", "fd.resize", "fd.extractor"]
    result = evaluate(trained, crops=8)
    shown = dict(line.split(maxsplit=1) for line in lines)
    assert shown["psnr_db"] == f"{result['psnr_db']:.4g}"
    assert shown["lpips"] == f"– (alex: {result['lpips']['why']})"


def test_evaluate_prints_the_metrics_that_are_named(trained: Path, command: Command) -> None:
    outcome = command("evaluate", trained, "--crops", "8", "--metrics", "code_lengths", "spectrum", "robustness")
    names = [line.split()[0] for line in outcome.stdout.splitlines()]
    assert outcome.status == 0
    assert {"images", "photographs", "tokens", "bits_codebook", "mse", "codes_kept.flip"} <= set(names)
    assert "psnr_db" not in names
    as_json = json.loads(command("evaluate", trained, "--crops", "8", "--json", "--metrics", "code_lengths").stdout)
    assert as_json["bits_codebook"] == 4
    refused = command("evaluate", trained, "--metrics", "robustnes")
    assert_refused(refused, "'robustnes'", "robustness")


def test_list_metrics_names_each_and_says_which_are_on_request(command: Command) -> None:
    lines = command("list", "metrics").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(DEFINITIONS)
    assert [line.split()[0] for line in lines if line.endswith("(on request)")] == [
        name for name, definition in DEFINITIONS.items() if definition.on_request
    ]


def test_evaluate_takes_all_of_another_spec_and_no_more_crops_than_asked_for(trained: Path, command: Command) -> None:
    quick = ("evaluate", trained, "--json", "--without", "lpips", "--without", "fd")
    held_out = json.loads(command(*quick).stdout)
    everything = json.loads(command(*quick, "--data", "fake", "--crops", "48").stdout)
    assert held_out == evaluate(trained, without=("lpips", "fd"))
    assert held_out["photographs"] < 16
    assert (everything["photographs"], everything["images"]) == (16, 48)


@pytest.mark.slow
def test_health_is_told_in_words_and_as_one_json_object(trained: Path, command: Command) -> None:
    told = in_a_process("health", trained, "--json")
    assert told.status == 0, told.stderr
    assert (told.stdout.count("\n"), told.stderr) == (1, "")
    result = json.loads(told.stdout)
    assert (result["run"], result["step"], result["steps"]) == ("R", 6, 6)
    verdicts = assess(open_run(trained))
    assert [row["finding"] for row in result["rules"]] == verdicts["finding"].tolist()
    assert result["state"] == worst_state(verdicts)
    in_words = command("health", trained)
    assert (in_words.status, in_words.stderr) == (0, "")
    for row in result["rules"]:
        assert f"{row['rule']}?" in in_words.stdout
        assert " ".join(row["finding"].split()) in " ".join(in_words.stdout.split())


def test_encode_and_decode_give_the_reconstructions(trained: Path, command: Command, tmp_path: Path) -> None:
    file, folder = tmp_path / "encoding.npz", tmp_path / "pictures"
    encoded = command("encode", trained, "--data", "fake", "--crops", "70", "--out", file)
    assert (encoded.status, encoded.stdout) == (0, "")
    assert encoded.stderr == f"{file}: 70 crops of 16 photographs\n"
    decoded = command("decode", trained, file, "--out", folder)
    assert (decoded.status, decoded.stdout, decoded.stderr) == (0, "", f"{folder}: 70 pictures\n")
    encoding = Encoding.load(file)
    pictures = [np.asarray(Image.open(path)).transpose(2, 0, 1) for path in sorted(folder.glob("*.png"))]
    np.testing.assert_array_equal(np.stack(pictures), encoding.reconstructions)
    listed = pd.read_csv(folder / "pictures.csv")
    assert listed["file"].tolist() == [f"{number:05d}.png" for number in range(70)]
    assert listed["photograph"].tolist() == encoding.photograph_names[encoding.photograph].tolist()
    assert listed["crop"].tolist() == (listed.groupby("photograph").cumcount() + 1).tolist()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["encoding.npz", "pictures"]


@pytest.mark.parametrize("asked", ["encode", "evaluate"])
def test_files_that_hold_no_picture_are_named_with_the_reason(
    asked: str, trained: Path, command: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    for number, pixels in enumerate(noise):
        Image.fromarray(pixels).save(folder / f"whole-{number}.jpg")
    whole = (folder / "whole-0.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "text.png").write_text("no picture")
    rest = {"encode": ("--out", tmp_path / "codes.npz"), "evaluate": ("--json",)}
    outcome = command(asked, trained, "--data", f"folder:{folder}", "--crops", "4", *rest[asked])
    assert outcome.status == 0
    (told,) = [line for line in outcome.stderr.splitlines() if "skipped" in line]
    assert told.startswith(f"folder:{folder}: 2 files skipped (cut.jpg: it cannot be decoded")
    assert "; text.png: it is not an image" in told


def test_codes_of_other_weights_are_decoded_and_said_to_be_so(trained: Path, command: Command, tmp_path: Path) -> None:
    file, folder = tmp_path / "encoding.npz", tmp_path / "pictures"
    replace(encode(trained, crops=2), weights="of another run").save(file)
    decoded = command("decode", trained, file, "--out", folder)
    assert decoded.status == 0
    assert decoded.stderr == (
        f"{file}: its codes were made by other weights than those that decode them\n{folder}: 2 pictures\n"
    )


def test_resuming_a_finished_run_says_so_and_changes_nothing(trained: Path, command: Command) -> None:
    before = contents(trained)
    outcome = command("resume", trained)
    assert outcome.status == 0
    assert outcome.stderr.startswith("finished: 6 of 6 steps")
    assert contents(trained) == before


def test_weights_that_are_lost_come_back_from_the_checkpoint(trained: Path, command: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    (run / "weights.safetensors").unlink()
    assert command("resume", run).status == 0
    assert contents(run)["weights.safetensors"] == contents(trained)["weights.safetensors"]


def test_a_run_s_config_trains_the_same_again(trained: Path, command: Command, tmp_path: Path) -> None:
    again = tmp_path / "again"
    outcome = command("train", "--config", trained / "config.json", "--run", again, "--device", "cpu")
    assert outcome.status == 0, outcome.stderr
    assert open_run(again).config == open_run(trained).config
    assert contents(again)["weights.safetensors"] == contents(trained)["weights.safetensors"]


def test_options_and_set_change_what_a_config_says_together(trained: Path, command: Command, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    outcome = command(
        *("train", "--config", trained / "config.json", "--run", changed, "--device", "cpu"),
        *("--steps", "2", "--seed", "4", "--codebook-size", "32"),
        *("--set", "loss_weights.peakedness=0.5", "--set", "log_steps=5", "--set", 'quantizer={"norm": "none"}'),
    )
    assert outcome.status == 0, outcome.stderr
    before, after = open_run(trained).config, open_run(changed).config
    assert after == replace(
        before,
        steps=2,
        seed=4,
        log_steps=5,
        quantizer=replace(before.quantizer, codebook_size=32, norm="none"),  # type: ignore[call-arg]
        loss_weights={**before.loss_weights, "peakedness": 0.5},
    )
    assert after.recipe_hash != before.recipe_hash


def test_a_run_without_a_name_gets_a_free_one_and_is_listed(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(tmp_path))
    earliest = datetime.now().date()
    first, second = (Path(command(*TRAIN, "--steps", "1").stdout.strip()) for _ in range(2))
    latest = datetime.now().date()
    assert first.parent == second.parent == tmp_path / "runs"
    assert second.name == f"{first.name}-2"
    (second / "config.json").write_text("{}")
    (tmp_path / "runs" / "no-run").mkdir()
    outcome = command("list", "runs")
    assert outcome.status == 0
    assert command("list", "runs", str(tmp_path / "runs")).stdout == outcome.stdout
    lines = outcome.stdout.splitlines()
    name, _, line = lines[0].partition("  ")
    assert name.strip() == first.name
    recipe, _, date = line.strip().rpartition(", ")
    assert recipe == "lgq, 16 codes, fake, seed 0, 1 of 1 steps"
    assert earliest <= datetime.fromisoformat(date).date() <= latest
    assert lines[1].startswith(f"{second.name}  ")
    assert "config.json can't be used" in lines[1]
    assert len(lines) == 2


def test_every_command_takes_a_run_by_the_name_that_the_list_shows(
    trained: Path, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained, tmp_path / "runs" / "named")
    encoded = command("encode", "named", "--data", "fake", "--crops", "2", "--out", "codes.npz")
    commands: tuple[tuple[str, ...], ...] = (
        ("evaluate", "named", "--crops", "2"),
        ("decode", "named", "codes.npz", "--out", "pictures"),
        ("health", "named"),
        ("resume", "named"),
    )
    for outcome in (encoded, *(command(*arguments) for arguments in commands)):
        assert outcome.status == 0, outcome.stderr
    (tmp_path / "named").mkdir()  # a path that exists comes first
    assert_refused(command("health", "named"), "named is not a run folder")


def test_where_there_are_no_runs_the_folder_is_named(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(tmp_path))
    listed = command("list", "runs")
    assert (listed.status, listed.stdout) == (0, "")
    assert listed.stderr == f"no runs in {tmp_path}/runs: lgq-explore train --quantizer lgq makes one there\n"
    assert_refused(command("evaluate", "nowhere"), f"list runs shows those in {tmp_path}/runs.")


def test_without_a_command_the_help_is_shown(command: Command) -> None:
    outcome = command()
    assert (outcome.status, outcome.stderr) == (0, "")
    assert outcome.stdout == parser().format_help()


def test_lists_have_a_name_and_a_line_on_each(command: Command) -> None:
    listed = {what: command("list", what) for what in ("quantizers", "data", "presets")}
    names = {}
    for what, outcome in listed.items():
        rows = [line.split(maxsplit=1) for line in outcome.stdout.splitlines()]
        assert all(len(row) == 2 for row in rows)
        names[what] = [row[0] for row in rows]
    assert names == {
        "quantizers": list(QUANTIZERS),
        "data": ["photos", "folder:PATH", "imagefolder:PATH", "cifar10", "imagenette", "fake"],
        "presets": ["tiny", "small", "vqgan-128", "vqgan-256", "lgq-paper"],
    }


@pytest.mark.parametrize("name", QUANTIZERS)
def test_a_quantizer_is_described_with_its_settings(command: Command, name: str) -> None:
    outcome = command("list", "quantizers", name)
    assert (outcome.status, outcome.stderr) == (0, "")
    lines = [line.split(maxsplit=1) for line in outcome.stdout.splitlines()]
    shown = {line[0]: json.loads(line[1]) for line in lines if line and line[0].startswith("quantizer.")}
    recipe = json.loads(json.dumps(config_to_json(preset("tiny", name))))
    assert shown == {f"quantizer.{key}": value for key, value in recipe["quantizer"].items() if key != "method"}


def test_a_size_that_a_method_can_not_have_is_said(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    few = ("--data", "fake", "--steps", "1", "--batch-size", "4", "--device", "cpu", *SMALL)
    told = command("train", "--quantizer", "lfq", "--codebook-size", "1000", "--run", "lfq", *few)
    assert "lfq can't have 1000 codes: it is trained with 1024" in told.stderr
    told = command("train", "--quantizer", "none", "--codebook-size", "512", "--run", "none", *few)
    assert "none has no codes: --codebook-size 512 changes nothing" in told.stderr


def test_what_evaluate_keeps_is_said(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    few = ("--data", "fake", "--steps", "1", "--batch-size", "4", "--device", "cpu", *SMALL)
    command("train", "--quantizer", "fsq", "--run", "fsq", *few)
    assert "fsq/metrics.json: kept" in command("evaluate", "fsq", "--crops", "8").stderr
    assert "metrics.json has one of 8 crops" in command("evaluate", "fsq", "--crops", "4").stderr
    assert "of all default metrics alone" in command("evaluate", "fsq", "--metrics", "quality").stderr


def test_a_folder_of_large_photographs_trains_from_anywhere(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number, name in enumerate(("harbour", "meadow", "street", "tower")):
        coarse = np.random.default_rng(number).integers(0, 256, (6, 9, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((3000, 2000), Image.Resampling.BICUBIC).save(folder / f"{name}.jpg")
    (folder / "broken.jpg").write_bytes((folder / "tower.jpg").read_bytes()[:5000])

    monkeypatch.chdir(tmp_path)
    outcome = command(*TRAIN, "--steps", "2", "--data", "folder:photographs", "--run", "R")
    assert outcome.status == 0, outcome.stderr
    assert "1 file skipped (broken.jpg: " in outcome.stderr

    monkeypatch.chdir(tmp_path / "R")  # the run remembers where the folder is
    result = json.loads(command("evaluate", ".", "--json", "--crops", "40", "--without", "fd").stdout)
    assert (result["images"], result["tokens"]) == (40, 40 * 64)
    everything = json.loads(command("evaluate", ".", "--json", "--data", f"folder:{folder}", "--crops", "8").stdout)
    assert 1 <= result["photographs"] < everything["photographs"] == 4


def test_bench_prints_its_table_and_keeps_its_results(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lgq_explore.bench.quantizers.evaluate", partial(evaluate, crops=8))
    bench = ("bench", "quantizers", *QUICK, *SMALL, "--steps", "1", "--quantizers", "fsq", "--seeds", "1")
    outcome = command(*bench, "--results", tmp_path / "results")
    assert outcome.status == 0, outcome.stderr
    assert outcome.stdout.startswith("| method |")
    as_json = command(*bench, "--results", tmp_path / "results", "--json")
    (file,) = (path for path in (tmp_path / "results").iterdir() if path.name.endswith("-2.json"))
    assert json.loads(as_json.stdout) == json.loads(file.read_bytes())
    assert str(file) in as_json.stderr


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)],
    ids=["SIGINT", "SIGTERM"],
)
@pytest.mark.slow
def test_a_signal_saves_and_resume_ends_at_the_same_weights(
    command: Command, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    # Checkpoints are far apart: what is resumed from is what Ctrl-C saved.
    recipe = (*TRAIN, "--steps", "80", "--checkpoint-steps", "1000", "--set", "log_steps=1")
    stopped, uninterrupted = tmp_path / "stopped", tmp_path / "uninterrupted"
    arguments = [sys.executable, "-m", "lgq_explore", *recipe, "--run", str(stopped)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        history = stopped / "history.csv"
        while process.poll() is None and not (history.exists() and history.read_text().count("\n") > 1):
            time.sleep(0.005)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=300)
    finished = open_run(stopped).finished_steps
    assert process.returncode == status, stderr
    assert stdout == f"{stopped}\n"
    assert 1 <= finished < 80
    assert f"stopped after {finished} of 80 steps; continue with lgq-explore resume {stopped}" in stderr
    assert "Traceback" not in stderr

    assert command("resume", stopped, "--device", "cpu").status == 0
    assert command(*recipe, "--run", uninterrupted).status == 0
    resumed, straight = (load_file(run / "weights.safetensors") for run in (stopped, uninterrupted))
    assert resumed.keys() == straight.keys()
    for name, tensor in straight.items():
        assert torch.equal(resumed[name], tensor), name
    assert list(open_run(stopped).history()["step"]) == list(range(1, 81))


def test_a_batch_scheduler_s_many_processes_are_refused(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    outcome = command(*TRAIN, "--run", tmp_path / "run")
    assert_refused(outcome, "WORLD_SIZE is 2", "without torchrun")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("backend", "fragments"),
    [("tile", ("LGQ_EXPLORE_BACKEND is 'tile'", "choose one of auto")), ("triton", ("needs a CUDA device", "tiled"))],
)
def test_a_backend_that_cannot_work_is_refused_before_a_folder_is_made(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, fragments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("LGQ_EXPLORE_BACKEND", backend)
    outcome = command(*TRAIN, "--run", tmp_path / "run")
    assert_refused(outcome, *fragments)
    assert list(tmp_path.iterdir()) == []


def test_a_scheduler_s_environment_without_its_launcher_trains_in_one_process(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm = {"JOB_ID": "1", "NTASKS": "4", "JOB_NAME": "train", "PROCID": "0", "LOCALID": "0", "NODELIST": "n1"}
    for name, value in slurm.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    outcome = command(*TRAIN, "--steps", "1", "--run", tmp_path / "run")
    assert outcome.status == 0, outcome.stderr
    assert open_run(tmp_path / "run").environment.world_size == 1


def test_a_start_that_failed_leaves_no_folder_and_the_command_can_be_given_again(
    command: Command, tmp_path: Path
) -> None:
    diverging = (*TRAIN, "--steps", "1", "--run", tmp_path / "run", "--set", "learning_rate=1e30")
    outcome = command(*diverging, "--set", "loss_weights.l1=1e38", "--set", "loss_weights.peakedness=1e38")
    told = outcome.stderr[outcome.stderr.rindex("lgq-explore: ") :]  # after the bars
    assert_refused(replace(outcome, stderr=told), "at step 1", "lower learning_rate")
    assert "checkpoint" not in told
    assert list(tmp_path.iterdir()) == []
    assert command(*TRAIN, "--steps", "1", "--run", tmp_path / "run").status == 0


@pytest.mark.parametrize("asked", ["evaluate", "health", "encode", "decode"])
def test_a_torn_history_of_a_finished_run_is_told_beside_the_result(
    asked: str, trained: Path, command: Command, tmp_path: Path
) -> None:
    run = shutil.copytree(trained, tmp_path / "torn")
    history = run / "history.csv"
    history.write_bytes(history.read_bytes()[:-3])
    rest = {
        "evaluate": ("--crops", "4", "--json"),
        "health": ("--json",),
        "encode": ("--data", "fake", "--crops", "4", "--out", tmp_path / "new.npz"),
        "decode": (tmp_path / "codes.npz", "--out", tmp_path / "new"),
    }
    encode(trained, crops=4).save(tmp_path / "codes.npz")
    outcome = command(asked, run, *rest[asked])
    assert outcome.status == 0
    (told,) = [line for line in outcome.stderr.splitlines() if "history.csv" in line]
    assert told.startswith(f"{history} ends with step 1 of 6, and a torn row follows")
    whole = command(asked, trained, *(str(part).replace("/new", "/whole") for part in rest[asked]))
    assert "history.csv" not in whole.stderr


def test_a_device_that_is_not_there_is_refused(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    outcome = command(*TRAIN, "--run", tmp_path / "run", "--device", "cuda")
    assert_refused(outcome, "'cuda'", "--device cpu")
    assert list(tmp_path.iterdir()) == []


# What is refused


def assert_refused(outcome: Outcome, *fragments: str) -> None:
    """Status 2, nothing on stdout, and at most two lines on stderr, with every fragment in them."""
    assert outcome.status == 2, outcome
    assert outcome.stdout == ""
    assert 1 <= len(outcome.stderr.splitlines()) <= 2, outcome.stderr
    assert outcome.stderr.startswith("lgq-explore: ")
    for unwanted in ("Traceback", "usage:"):
        assert unwanted not in outcome.stderr
    for fragment in fragments:
        assert fragment in outcome.stderr


@pytest.fixture(scope="module")
def workspace(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that can be wrong; no command below may change it."""
    folder = tmp_path_factory.mktemp("workspace")
    run = open_run(trained)
    shutil.copytree(trained, folder / "R")
    (folder / "a-file").write_text("not mine")
    (folder / "full").mkdir()
    (folder / "full" / "precious.txt").write_text("not mine")

    RunWriter.create(folder / "untrained", run.config, run.environment)
    for damage, content in (("empty", b""), ("junk", b"junk" * 20), ("cut", None)):
        path = _copy(folder, f"weights-{damage}") / "weights.safetensors"
        path.write_bytes(path.read_bytes()[:-50] if content is None else content)
        path = _copy(folder, f"state-{damage}", finished=False) / "checkpoints" / "step-00000006" / "state.pt"
        path.write_bytes(path.read_bytes()[:-50] if content is None else content)
    checkpoint = _copy(folder, "checkpoint-junk", finished=False) / "checkpoints" / "step-00000006"
    (checkpoint / "weights.safetensors").write_bytes(b"junk" * 20)

    (_copy(folder, "history-junk") / "history.csv").write_text("step,loss\n1,much\n")

    recipe = json.loads((trained / "config.json").read_bytes())
    _write_config(_copy(folder, "config-empty"), {})
    _write_config(_copy(folder, "config-list"), {**recipe, "recipe": [1]})
    _write_config(_copy(folder, "config-old"), {**recipe, "environment": {"device": "cpu"}})
    (_copy(folder, "config-junk") / "config.json").write_bytes(b"\xff\xfe{")
    recipe["recipe"]["seed"] = 4
    _write_config(_copy(folder, "config-seed"), recipe)
    recipe["recipe"]["quantizer"]["codebook_size"] = 32
    _write_config(_copy(folder, "config-other"), recipe)

    recipes: dict[str, Any] = {
        "list": [1],
        "unknown": {"stepz": 3},
        "type": {"steps": "many"},
        "yes": {"steps": True},
        "nested": {"backbone": {"chanels": [8]}},
        "recipe": {"recipe": 3},
        "method": {"quantizer": {"method": ["lgq"]}},
        "weights": {"loss_weights": {"ssim": 1}},
    }
    for name, values in recipes.items():
        (folder / f"{name}.json").write_text(json.dumps(values))
    (folder / "junk.json").write_bytes(b"\xff\xfe{")
    (folder / "cut.json").write_text('{"steps": ')
    (folder / "deep.json").write_text("[" * 100_000)

    for name in ("no-images", "truncated", "one-image"):
        (folder / name).mkdir()
    (folder / "no-images" / "notes.txt").write_text("no image")
    picture = Image.effect_noise((300, 300), 60).convert("RGB")
    picture.save(folder / "one-image" / "only.png")
    picture.save(folder / "truncated" / "cut.jpg")
    path = folder / "truncated" / "cut.jpg"
    path.write_bytes(path.read_bytes()[:700])

    _write_encodings(folder)
    return folder


def _copy(folder: Path, name: str, finished: bool = True) -> Path:
    shutil.copytree(folder / "R", folder / name)
    if not finished:
        (folder / name / "weights.safetensors").unlink()
    return folder / name


def _write_config(run: Path, description: dict[str, Any]) -> None:
    (run / "config.json").write_text(json.dumps(description))


def _write_encodings(folder: Path) -> None:
    count = 2
    arrays: dict[str, Any] = {
        "images": np.zeros((count, 3, 32, 32), np.uint8),
        "latents": np.zeros((count, 4, 8, 8), np.float32),
        "codes": np.zeros((count, 1, 8, 8), np.int64),
        "reconstructions": np.zeros((count, 3, 32, 32), np.uint8),
        "levels": np.array([16]),
        "photograph": np.zeros(count, np.int64),
        "photograph_names": np.array(["a"]),
    }
    np.savez(folder / "good.npz", **arrays)
    codes = {
        "above": arrays["codes"] + 16,
        "below": arrays["codes"] - 1,
        "floats": arrays["codes"] + 0.5,
        "objects": np.array([{}], dtype=object),
        "shape": arrays["codes"][:, :, :4],
    }
    for name, wrong in codes.items():
        np.savez(folder / f"{name}.npz", **{**arrays, "codes": wrong})
    del arrays["latents"]
    np.savez(folder / "lacking.npz", **arrays)
    np.save(folder / "array.npy", arrays["codes"])
    (folder / "pickle.npz").write_bytes(pickle.dumps(arrays))
    (folder / "empty.npz").write_bytes(b"")
    (folder / "cut.npz").write_bytes((folder / "good.npz").read_bytes()[:900])


LONG = "long" * 100
NEW = ("--run", "new", "--device", "cpu")
LGQ = ("train", "--quantizer", "lgq", "--data", "fake", *NEW)
DECODE = ("decode", "R", "--out", "new")
BENCH = ("bench", "quantizers", "--data", "fake", "--results", "new")
REFUSED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "text as an option's number": ((*LGQ, "--steps", "ten"), ("--steps", "'ten' is not a whole number")),
    "codes below two, and no method": (("train", "--codebook-size", "-5"), ("codebook_size is -5", "at least 2")),
    "a bare path as data": ((*LGQ, "--data", "/my/pictures"), ("'/my/pictures'", "give folder:/my/pictures")),
    "unknown logger": ((*LGQ, "--log", "tensorbord"), ("'tensorbord'", "did you mean tensorboard?")),
    "a logger twice": ((*LGQ, "--log", "tensorboard", "--log", "tensorboard"), ("named twice", "once")),
    "unknown command": (("trian",), ("'trian'", "train")),
    "unknown option": ((*LGQ, "--sead", "3"), ("--sead 3", "--help")),
    "shortened option": ((*LGQ, "--codebook", "8"), ("--codebook 8", "--help")),
    "option without value": (("train", "--quantizer"), ("--quantizer", "expected one argument")),
    "unknown method": (("train", "--quantizer", "lqg", *NEW), ("'lqg'", "did you mean lgq or lfq?", "simvq-mlp")),
    "no method": (("train", *NEW), ("--quantizer", "list quantizers")),
    "K = 1": ((*LGQ, "--codebook-size", "1"), ("codebook_size is 1", "at least 2")),
    "K = 1 for a grid": (("train", "--quantizer", "fsq", *NEW, "--codebook-size", "1"), ("codebook_size is 1",)),
    "K = 0": ((*LGQ, "--codebook-size", "0"), ("codebook_size is 0", "at least 2")),
    "K beyond memory": ((*LGQ, "--codebook-size", str(10**13)), ("codebook_size is 10000000000000", "16777216")),
    "K is no number": ((*LGQ, "--codebook-size", "1k"), ("'1k'", "--codebook-size")),
    "negative steps": ((*LGQ, "--steps", "-5"), ("steps is -5", "at least 1")),
    "no steps": ((*LGQ, "--steps", "0"), ("steps is 0", "at least 1")),
    "steps are no number": ((*LGQ, "--steps", "many"), ("'many'", "--steps")),
    "half a step": ((*LGQ, "--set", "steps=1.5"), ("steps is 1.5", "integer")),
    "empty batch": ((*LGQ, "--batch-size", "0"), ("batch_size is 0", "at least 1")),
    "image size": ((*LGQ, "--image-size", "30"), ("image_size is 30", "multiple of the backbone's factor 4")),
    "negative seed": ((*LGQ, "--seed", "-1"), ("seed is -1", "not be negative")),
    "huge seed": ((*LGQ, "--seed", str(2**70)), (str(2**70), "below 2^63")),
    "no checkpoints": ((*LGQ, "--checkpoint-steps", "0"), ("checkpoint_steps is 0", "at least 1")),
    "unknown device": ((*LGQ, "--device", "gpu"), ("'gpu'", "auto, cpu, cuda")),
    "unknown preset": ((*LGQ, "--preset", "tinny"), ("'tinny'", "did you mean tiny?")),
    "empty preset": ((*LGQ, "--preset", ""), ("unknown preset ''", "tiny, small")),
    "empty run": ((*LGQ, "--run", ""), ("--run", "an empty text names no file and no folder")),
    "empty config": ((*LGQ, "--config", ""), ("--config", "empty text")),
    "empty results": ((*BENCH, "--results", ""), ("--results", "empty text")),
    "evaluate an empty name": (("evaluate", ""), ("RUN", "empty text")),
    "decode an empty name": ((*DECODE, ""), ("FILE.npz", "empty text")),
    "encode to what is named as a folder": (
        ("encode", "R", "--data", "fake", "--out", "new/"),
        ("'new/' names a folder", "name a file"),
    ),
    "unknown data": ((*LGQ, "--data", "foto"), ("'foto'", "photos", "folder:PATH")),
    "a path as data": ((*LGQ, "--data", "one-image"), ("'one-image'", "folder:one-image")),
    "missing folder": ((*LGQ, "--data", "folder:nowhere"), ("nowhere", "folder:PATH")),
    "no folder": ((*LGQ, "--data", "folder:"), ("'folder:'", "folder:PATH")),
    "a file as folder": ((*LGQ, "--data", "folder:a-file"), ("a-file is a file", "give the folder")),
    "empty folder": ((*LGQ, "--data", "folder:no-images"), ("no-images", "JPEG, PNG")),
    "truncated image": ((*LGQ, "--data", "folder:truncated"), ("cut.jpg", "whole image files")),
    "one image": ((*LGQ, "--data", "folder:one-image"), ("only.png", "Add others")),
    "run exists": ((*LGQ, "--run", "R"), ("R exists already", "lgq-explore resume R")),
    "folder exists": ((*LGQ, "--run", "full"), ("full exists already", "It is no run: give another folder")),
    "file exists": ((*LGQ, "--run", "a-file"), ("a-file exists already", "another folder")),
    "run below a file": ((*LGQ, "--run", "a-file/run"), ("a-file/run can't be made", "can be written")),
    "impossible run": ((*LGQ, "--run", LONG), (LONG, "can be written")),
    "existing run before bad data": ((*LGQ, "--run", "R", "--data", "folder:truncated"), ("R exists already",)),
    "negative loss weight": ((*LGQ, "--set", "loss_weights.l1=-1"), ("loss_weights: l1 is -1", "at least 0")),
    "loss weight that is no number": ((*LGQ, "--set", "loss_weights.l1=NaN"), ("loss_weights: l1 is nan", "finite")),
    "endless learning rate": ((*LGQ, "--set", "learning_rate=Infinity"), ("learning_rate is inf", "finite number")),
    "one token to normalise": (
        (*LGQ, "--batch-size", "1", "--image-size", "4", "--set", "quantizer.norm=batch"),
        ("batch_size is 1", "at least 2"),
    ),
    "a hundred thousand brackets": ((*LGQ, "--set", "steps=" + "[" * 100_000), ("steps is '[[[", "nested so deep")),
    "a hundred thousand dots": (
        (*LGQ, "--set", "a" + ".a" * 100_000 + "=1"),
        ("100000 dots", "no field has such a long path"),
    ),
    "a long value": ((*LGQ, "--set", "steps=" + "9" * 10_000 + "x"), ("steps is '999", "integer")),
    "images beyond memory": (
        (*LGQ, "--image-size", "1000000"),
        ("image_size 1000000", "needs more than", "make one of them smaller"),
    ),
    "widths beyond memory": (
        (*LGQ, "--set", "backbone.channels=[8000000,8,8]"),
        ("channels [8000000, 8, 8]", "needs more than"),
    ),
    "batches beyond memory": ((*LGQ, "--batch-size", "1000000000"), ("batch_size 1000000000", "needs more than")),
    "run before bad data": ((*LGQ, "--run", "a-file/x", "--data", "folder:truncated"), ("a-file/x can't be made",)),
    "decode out before a bad file": (("decode", "R", "junk.json", "--out", "full"), ("full exists", "new folder")),
    "encode to a long name": (
        ("encode", "R", "--data", "fake", "--out", f"{LONG}.npz"),
        ("can't be written", "Name a file"),
    ),
    "no assignment": ((*LGQ, "--set", "steps"), ("'steps'", "key.path=value")),
    "unknown field": ((*LGQ, "--set", "stepz=3"), ("'stepz'", "did you mean steps?")),
    "unknown nested field": ((*LGQ, "--set", "quantizer.nrom=1"), ("'quantizer.nrom'", "did you mean norm?")),
    "field of a number": ((*LGQ, "--set", "steps.x=3"), ("'steps.x'", "no fields")),
    "method as text": ((*LGQ, "--set", "quantizer=fsq"), ("'fsq'", "method")),
    "an empty object": ((*LGQ, "--codebook-size", "64", "--set", "quantizer={}"), ("quantizer={}", "quantizer.FIELD=")),
    "method by set": ((*LGQ, "--set", "quantizer.method=fsq"), ("'fsq'", "--quantizer")),
    "two numbers of steps": ((*LGQ, "--steps", "5", "--set", "steps=7"), ("--steps asks for 5", "--set for 7")),
    "two seeds": ((*LGQ, "--seed", "4", "--set", "seed=5"), ("--seed asks for 4", "--set for 5")),
    "two codebook sizes": (
        (*LGQ, "--codebook-size", "64", "--set", 'quantizer={"codebook_size": 32}'),
        ("--codebook-size asks for 64", "--set for 32"),
    ),
    "two grids": (
        ("train", "--quantizer", "fsq", *NEW, "--codebook-size", "1000", "--set", "quantizer.levels=[5,5]"),
        ("--codebook-size asks for 1000", "--set for 25"),
    ),
    "yes as steps": ((*LGQ, "--set", "steps=true"), ("steps is True", "valid integer")),
    "no as seed": ((*LGQ, "--set", "seed=false"), ("seed is False", "valid integer")),
    "text as steps": ((*LGQ, "--set", 'steps="5"'), ("steps is '5'", "valid integer")),
    "yes as learning rate": ((*LGQ, "--set", "learning_rate=true"), ("learning_rate is True", "valid number")),
    "yes in config": ((*LGQ, "--config", "yes.json"), ("steps is True", "valid integer")),
    "wrong widths": ((*LGQ, "--set", "backbone.channels=[7]"), ("(7,)", "widths")),
    "wrong choice": ((*LGQ, "--set", "quantizer.norm=l2"), ("'l2'", "layer")),
    "missing config": ((*LGQ, "--config", "none.json"), ("none.json", "Name a JSON file")),
    "folder as config": ((*LGQ, "--config", "R"), ("R can't be read", "Name a JSON file")),
    "cut config": ((*LGQ, "--config", "cut.json"), ("cut.json is not JSON",)),
    "junk config": ((*LGQ, "--config", "junk.json"), ("junk.json is not JSON",)),
    "endless config": ((*LGQ, "--config", "deep.json"), ("deep.json is not JSON",)),
    "list as config": ((*LGQ, "--config", "list.json"), ("list.json holds list", "fields of a recipe")),
    "number as recipe": ((*LGQ, "--config", "recipe.json"), ("recipe is 3", "object")),
    "unknown field in config": ((*LGQ, "--config", "unknown.json"), ("'stepz'", "did you mean steps?")),
    "nested in config": ((*LGQ, "--config", "nested.json"), ("'backbone.chanels'", "did you mean channels?")),
    "type in config": ((*LGQ, "--config", "type.json"), ("steps is 'many'", "integer")),
    "method in config": ((*LGQ, "--config", "method.json"), ("['lgq']", "simvq-mlp")),
    "loss in config": (
        (*LGQ, "--config", "weights.json"),
        ("'ssim'", "l1, l2, log_mse, perceptual, gan, quant"),
    ),
    "two recipes": ((*LGQ, "--config", "type.json", "--preset", "tiny"), ("type.json", "one of them")),
    "resume nothing": (("resume", "nowhere"), ("nowhere is not a run folder", "lgq-explore train")),
    "resume a folder": (("resume", "full"), ("full is not a run folder", "lgq-explore train")),
    "resume impossible": (("resume", LONG), (LONG, "lgq-explore train")),
    "evaluate nothing": (("evaluate", "nowhere"), ("nowhere is not a run folder", "lgq-explore train")),
    "evaluate untrained": (("evaluate", "untrained"), ("untrained has no weights", "lgq-explore resume untrained")),
    "evaluate untrained as JSON": (("evaluate", "untrained", "--json"), ("untrained has no weights",)),
    "encode untrained": (
        ("encode", "untrained", "--data", "fake", "--out", "new.npz"),
        ("untrained has no weights", "lgq-explore resume untrained"),
    ),
    "decode untrained": (
        ("decode", "untrained", "good.npz", "--out", "new"),
        ("untrained has no weights", "lgq-explore resume untrained"),
    ),
    "no crops": (("evaluate", "R", "--crops", "0", "--json"), ("0 crops", "1 or more")),
    "crops are no number": (("evaluate", "R", "--crops", "all", "--json"), ("'all'", "--crops")),
    "evaluate unknown data": (("evaluate", "R", "--data", "foto", "--json"), ("'foto'", "photos")),
    "unknown features": (("evaluate", "R", "--fd-features", "incepton", "--json"), ("'incepton'", "inception")),
    "other recipe": (("evaluate", "config-other"), ("is not the one that was trained", "Put back", "--config")),
    "other seed": (("evaluate", "config-seed"), ("seed 3, not 4", "Put back")),
    "resume other seed": (("resume", "config-seed"), ("seed 3, not 4", "Put back")),
    "resume an empty path": (("resume", ""), ("an empty text",)),
    "health of an empty path": (("health", "", "--json"), ("an empty text",)),
    "encode to an empty path": (("encode", "R", "--data", "fake", "--out", ""), ("--out: an empty text",)),
    "decode to an empty path": (("decode", "R", "good.npz", "--out", ""), ("--out: an empty text",)),
    "encode without data": (("encode", "R", "--out", "new.npz"), ("--data", "--help")),
    "encode nowhere": (("encode", "R", "--data", "fake", "--out", "none/new.npz"), ("none/new.npz", "Name a file")),
    "encode to a folder": (("encode", "R", "--data", "fake", "--out", "full"), ("full exists", "name a new file")),
    "encode to a file": (
        ("encode", "R", "--data", "fake", "--out", "good.npz"),
        ("good.npz exists", "name a new file"),
    ),
    "decode nothing": ((*DECODE, "none.npz"), ("none.npz", "lgq-explore encode")),
    "decode to a folder that exists": (("decode", "R", "good.npz", "--out", "full"), ("full exists", "new folder")),
    "decode below a file": (("decode", "R", "good.npz", "--out", "a-file/x"), ("a-file/x", "can be written")),
    "decode impossible": (("decode", "R", "good.npz", "--out", LONG), (LONG, "can be written")),
    "codes above": ((*DECODE, "above.npz"), ("above.npz", "codes lie outside of the levels")),
    "codes below": ((*DECODE, "below.npz"), ("below.npz", "codes lie outside of the levels")),
    "codes are floats": ((*DECODE, "floats.npz"), ("float64", "lgq-explore encode")),
    "codes of another grid": ((*DECODE, "shape.npz"), ("codes do not fit", "lgq-explore encode")),
    "health of nothing": (("health", "nowhere"), ("nowhere is not a run folder", "lgq-explore train")),
    "health of a folder as JSON": (("health", "full", "--json"), ("full is not a run folder", "lgq-explore train")),
    "health of a damaged history": (
        ("health", "history-junk"),
        ("history-junk/history.csv", "column loss", "Put back"),
    ),
    "health of other weights": (("health", "config-other", "--json"), ("is not the one that was trained", "Put back")),
    "list nothing": (("list",), ("what", "--help")),
    "list a name of no quantizer": (("list", "data", "photos"), ("list data", "photos", "list quantizers")),
    "list an unknown quantizer": (("list", "quantizers", "lqg"), ("'lqg'", "did you mean lgq")),
    "list runs of no folder": (("list", "runs", "nowhere"), ("nowhere", "give one that holds runs")),
    "list unknown": (("list", "quantisers"), ("'quantisers'", "quantizers")),
    "bench unknown": (("bench", "quantisers"), ("'quantisers'", "quantizers")),
    "bench no seeds": ((*BENCH, "--seeds", "0"), ("--seeds 0", "1 or more")),
    "bench a seed": ((*BENCH, "--set", "seed=5"), ("--set seed=5", "--seeds")),
    "bench a rate": (
        ("bench", "learning-rates", "--results", "new", "--set", "learning_rate=0.1"),
        ("learning_rate=0.1", "--rates"),
    ),
    "bench no replicates": ((*BENCH, "--rounding-replicates", "0"), ("0 rounding replicates", "from 1 to 101")),
    "bench rates too high": (("bench", "learning-rates", "--rates", "0.1", "--results", "new"), ("0.1", "0.001")),
    "bench a rate twice": (
        ("bench", "learning-rates", "--rates", "1e-3", "0.001", "--results", "new"),
        ("0.001, 0.001", "each rate once"),
    ),
    "bench a method twice": ((*BENCH, "--quantizers", "fsq", "fsq"), ("fsq with 1000 codes is given twice",)),
    "bench without an unknown metric": ((*BENCH, "--without", "psnr"), ("'psnr'", "lpips")),
    "bench unknown method": ((*BENCH, "--quantizers", "lgq", "fqs"), ("'fqs'", "did you mean lfq or fsq?")),
    "bench below a file": ((*BENCH, "--results", "a-file/x"), ("a-file/x", "can be written")),
}
for damaged in ("objects.npz", "lacking.npz", "array.npy", "pickle.npz", "empty.npz", "cut.npz"):
    REFUSED[f"decode {damaged}"] = ((*DECODE, damaged), (damaged, "lgq-explore encode"))
for damage in ("empty", "junk", "cut"):
    for verb in ("evaluate", "resume", "health"):
        REFUSED[f"{verb} weights-{damage}"] = (
            (verb, f"weights-{damage}"),
            (f"weights-{damage}/weights.safetensors", "Delete it and resume"),
        )
    REFUSED[f"resume state-{damage}"] = (
        ("resume", f"state-{damage}", "--device", "cpu"),
        (f"state-{damage}/checkpoints/step-00000006", "Delete it and resume"),
    )
REFUSED["resume checkpoint-junk"] = (("resume", "checkpoint-junk", "--device", "cpu"), ("step-00000006", "Delete it"))
for damage, problem in (("empty", "'recipe'"), ("list", "[1]"), ("old", "environment"), ("junk", "JSON")):
    REFUSED[f"health config-{damage}"] = (("health", f"config-{damage}"), (f"config-{damage}/config.json", problem))
    REFUSED[f"evaluate config-{damage}"] = (("evaluate", f"config-{damage}"), (f"config-{damage}/config.json", problem))


@pytest.mark.parametrize(("arguments", "fragments"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(
    arguments: tuple[str, ...],
    fragments: tuple[str, ...],
    workspace: Path,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(workspace)
    before = contents(workspace)
    outcome = command(*arguments)
    assert_refused(outcome, *fragments)
    assert contents(workspace) == before
    assert not Path(os.environ["LGQ_EXPLORE_DATA"], "runs").exists()


def test_bad_input_to_a_process(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)
    before = contents(workspace)
    assert_refused(in_a_process(*LGQ, "--codebook-size", "1"), "codebook_size is 1", "at least 2")
    assert contents(workspace) == before


def test_the_installed_script() -> None:
    script = Path(sysconfig.get_path("scripts")) / "lgq-explore"
    version = subprocess.run([script, "--version"], capture_output=True, text=True)
    assert (version.returncode, version.stderr) == (0, "")
    assert version.stdout.startswith("lgq-explore ")
    refused = subprocess.run([script, "trian"], capture_output=True, text=True)
    assert_refused(Outcome(refused.returncode, refused.stdout, refused.stderr), "'trian'", "train")


def test_a_reader_who_has_seen_enough_gets_no_traceback() -> None:
    command = [sys.executable, "-m", "lgq_explore", "list", "data"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


# Where streams are closed, full or old


def in_a_shell(line: str) -> Outcome:
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=300)
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.slow
@pytest.mark.parametrize(
    "redirection",
    ["2>&-", ">&- 2>&-", "2>/dev/full", ">/dev/full 2>&1", "2>&1 | head -c 100 >/dev/null"],
    ids=["no stderr", "no stream", "full disk", "both on a full disk", "a reader that leaves"],
)
def test_training_goes_on_where_nothing_can_be_told(tmp_path: Path, redirection: str) -> None:
    run = tmp_path / "run"
    line = shlex.join([sys.executable, "-m", "lgq_explore", *TRAIN, "--steps", "40", "--run", str(run)])
    outcome = in_a_shell(f"set -o pipefail; {line} {redirection}")
    assert outcome.status == 0
    assert open_run(run).finished_steps == 40


@pytest.mark.slow
def test_a_message_for_a_closed_stderr_is_not_on_stdout() -> None:
    outcome = in_a_shell(shlex.join([sys.executable, "-m", "lgq_explore", "evaluate", "nowhere"]) + " 2>&-")
    assert (outcome.status, outcome.stdout) == (2, "")


NOWHERE = pytest.mark.parametrize(
    ("redirection", "why"), [(">&-", "it is closed"), (">/dev/full", "No space left on device")]
)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", ["list data", "--version", "train --help"])
@NOWHERE
def test_a_result_that_cannot_be_written_is_told(arguments: str, redirection: str, why: str) -> None:
    outcome = in_a_shell(f"{sys.executable} -m lgq_explore {arguments} {redirection}")
    assert_refused(outcome, f"the result can't be written to stdout: {why}. Send it to a file (> FILE) or a terminal.")


COMMANDS_WITH_A_STDOUT_EACH = """
import json, sys
from lgq_explore.cli import main
closed = sys.stdout is None
for arguments in json.loads(sys.argv[1]):
    if not closed:
        sys.stdout = open("/dev/full", "w")  # a stream of its own, without what another could not write
    print("status", main(arguments), file=sys.stderr, flush=True)
"""


@pytest.mark.slow
@NOWHERE
def test_a_result_that_has_nowhere_to_go_fails(trained: Path, tmp_path: Path, redirection: str, why: str) -> None:
    """What takes long: one process makes all results, which spends seconds on importing torch once."""
    bench = shlex.split("bench quantizers --data fake --steps 1 --batch-size 4 --seeds 1 --quantizers fsq --json")
    commands = [
        ["evaluate", str(trained), "--json", "--crops", "4"],
        ["evaluate", str(trained), "--crops", "4"],
        ["health", str(trained)],
        ["health", str(trained), "--json"],
        [*bench, *SMALL, "--without", "fd", "--without", "lpips", "--results", str(tmp_path)],
    ]
    line = shlex.join([sys.executable, "-c", COMMANDS_WITH_A_STDOUT_EACH, json.dumps(commands)])
    outcome = in_a_shell(f"{line} {redirection}")
    told = [each for each in outcome.stderr.splitlines() if each.startswith(("lgq-explore: ", "status "))]
    refusal = f"lgq-explore: the result can't be written to stdout: {why}. Send it to a file (> FILE) or a terminal."
    assert told == [refusal, "status 2"] * len(commands)
    assert outcome.stdout == ""


@pytest.mark.parametrize("arguments", [("list", "data"), ("--version",)])
def test_a_closed_stdout_is_told_in_one_line(
    arguments: tuple[str, ...], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", None)  # what Python makes of a stream that was closed before it
    assert main(arguments) == 2
    assert "stdout: it is closed" in capfd.readouterr().err


def test_a_letter_that_the_terminal_lacks_is_escaped(
    trained: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert main(["evaluate", str(trained), "--crops", "4"]) == 0
    assert sys.stdout.errors == "strict"
    shown = sys.stdout.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
    assert "psnr_db" in shown
    assert "lpips                \\u2013 (alex" in shown


def test_a_name_that_a_terminal_would_obey_is_escaped(command: Command, tmp_path: Path) -> None:
    outcome = command("evaluate", tmp_path / "\x1b[2Jred\nsecond\nthird")
    assert_refused(outcome, "\\x1b[2Jred\\nsecond\\nthird")
    assert "\x1b" not in outcome.stderr

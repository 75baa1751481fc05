"""Tests of `lgq-explore compare`: text, one JSON object, files, and refusals in two lines."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lgq_explore.analysis.comparison.findings import NO_TRIALS
from lgq_explore.cli import main
from lgq_explore.report.comparison.tables import PAIRING
from lgq_explore.training.loop import train
from tests.analysis.runs_folder import GRID, SOFT, stopping

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, own_data_and_no_network: None) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for name, recipe in {"soft": SOFT, "grid": GRID}.items():
        train(recipe, folder / name, device="cpu", progress=False)
    return folder


def compare(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main(["compare", *map(str, arguments), "--crops", "8"])
    told = capsys.readouterr()
    return status, told.out, told.err


def test_a_table_and_sentences_are_printed(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = compare(capsys, runs / "soft", runs / "grid")
    assert (status, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[:3]] == ["group", "lgq", "fsq"]
    assert "has the highest PSNR of what has codes" in " ".join(out.split())
    assert "no condition differs between the runs" in " ".join(out.split())


def test_json_is_one_object_and_nothing_else(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = compare(capsys, runs, "--json")
    assert (status, err, out.count("\n")) == (0, "", 1)
    told = json.loads(out)
    assert [group["name"] for group in told["groups"]] == ["fsq", "lgq"]
    assert told["unfair"] == []


def test_one_run_has_nothing_beside_it(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = compare(capsys, runs / "soft", "--out", tmp_path / "report.html")
    assert "There is one run: nothing to compare it with." in " ".join(out.split())
    assert "no condition differs" not in out
    page = (tmp_path / "report.html").read_text()
    assert "<p>There is one run: nothing to compare it with.</p>" in page
    assert "Nothing was found that makes it unfair" not in page


def test_a_run_without_all_of_its_steps_is_named(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    controls, stop = stopping(2)
    stopped = train(
        replace(SOFT, seed=1),
        tmp_path / "it is stopped",
        device="cpu",
        progress=False,
        controls=controls,
        on_log=stop,
    )
    _, out, _ = compare(capsys, runs / "soft", stopped.path)
    told = " ".join(out.split())
    assert "it is stopped has finished 2 of 4 steps: it is counted all the same." in told
    assert f"(lgq-explore resume '{stopped.path}'), or leave it out." in told
    assert "soft has finished" not in told
    assert main(["resume", str(stopped.path), "--device", "cpu"]) == 0
    assert f"next: lgq-explore evaluate '{stopped.path}'\n" in capsys.readouterr().err


def test_unknown_trials_and_the_pairing_of_seeds_are_told(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = train(replace(GRID, learning_rate=0.01), tmp_path / "other", device="cpu", progress=False)
    _, out, _ = compare(capsys, runs / "soft", other.path)
    told = " ".join(out.split())
    assert told.count(NO_TRIALS) == 2  # with the verdict, and in the list
    assert PAIRING in told
    _, out, _ = compare(capsys, runs / "soft", runs / "grid")
    assert NO_TRIALS not in " ".join(out.split())


def test_features_give_fd_ratios_of_it_and_its_bias(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Corners(torch.nn.Module):
        """The first pixels of a picture, in the place of a network that takes minutes."""

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            return pictures[:, :, :2, :2].float().flatten(1)

    monkeypatch.setattr("lgq_explore.runs.picture_features.efficientnet_lite0_features", Corners)
    status, out, err = compare(capsys, runs, "--features", "--json", "--tables", tmp_path / "tables")
    written = "numbers, differences, ratios, fd-sizes, ledger, published"  # no curves of one size
    assert (status, err) == (0, f"{tmp_path / 'tables'}: tables of {written}\n")
    assert not (tmp_path / "tables" / "curves.csv").exists()
    told = json.loads(out)
    first, second = (group["numbers"]["fd"]["estimate"] for group in told["groups"])
    (ratio,) = told["ratios"]
    assert ratio["ratio"] == pytest.approx(first / second)
    assert ratio["why"] == "An interval takes 8 photographs at least: here are 4."
    assert told["frechet_sizes"][-1]["fd"] == pytest.approx(second)
    assert any("has the lowest FD" in sentence for sentence in told["found"])
    assert any("FD is biased by the number of pictures" in sentence for sentence in told["found"])
    assert (tmp_path / "tables" / "ratios.csv").read_text().splitlines()[0] == "pair,ratio of,ratio"
    heads = (tmp_path / "tables" / "fd-sizes.csv").read_text().splitlines()[0]
    assert heads == 'group,"2 photographs, 4 crops","4 photographs, 8 crops"'
    status, out, _ = compare(capsys, runs, "--features")
    assert "Ratios of FD:\npair" in out
    assert "FD is by 1280 features of EfficientNet-Lite0." in " ".join(out.split())


def test_a_page_tables_and_figures_are_written(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, tables, figures = tmp_path / "report.html", tmp_path / "out" / "tables", tmp_path / "out" / "figures"
    arguments = ("--out", page, "--tables", tables, "--figures", figures, "--pair", "lgq", "fsq")
    status, out, err = compare(capsys, runs, *arguments)
    assert status == 0
    assert out.startswith("fsq (1 seed) and lgq (1 seed) were measured on ")
    assert "has the highest PSNR of what has codes" in " ".join(out.split())
    assert "group " not in out  # the page has the table
    assert err.splitlines() == [
        f"{tables}: tables of numbers, differences, ledger, published",
        f"{figures}: figures",
        f"{page}: report on 2 runs",
    ]
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert "lgq against fsq" in page.read_text()
    assert {path.suffix for path in tables.iterdir()} == {".csv", ".md", ".tex"}
    assert {path.suffix for path in figures.iterdir()} == {".pdf", ".svg"}


def test_what_can_t_be_done_is_refused_before_the_work(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    refused = {
        "is given twice: leave one of them out": (runs / "soft", runs / "soft"),
        "is neither a run nor a folder of runs": (tmp_path / "nowhere",),
        "holds no trained run": (tmp_path,),
        "x.toml is the file of a sweep: give its folder, ": (tmp_path / "x.toml",),
        "is a folder: name a file, such as": (runs, "--out", tmp_path),
        "can't be written": (runs, "--out", tmp_path / "nowhere" / "report.html"),
        "exists already": (runs, "--tables", tmp_path / "file"),
        "--pair chooses pictures of a page": (runs, "--pair", "lgq", "fsq"),
        "there is no group 'x'": (runs, "--pair", "x", "lgq", "--out", tmp_path / "report.html"),
    }
    for words, arguments in refused.items():
        status, out, err = compare(capsys, *arguments)
        assert (status, out) == (2, ""), words
        assert words in err
        assert len(err.splitlines()) <= 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]

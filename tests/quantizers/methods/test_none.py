"""Does a tokenizer without codes train and evaluate, and does whatever needs codes say that there are none?"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import lgq_explore as lgq
from lgq_explore import Run, TrainConfig, widgets
from lgq_explore.analysis import comparison, health, usage
from lgq_explore.bench.quantizers import markdown_table
from lgq_explore.errors import InputError
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import QUANTIZERS, NoneConfig, joint_codes, methods_with_codes
from lgq_explore.runs.config import config_to_json
from lgq_explore.runs.encoding import Encoding, decode
from lgq_explore.training.fit import fit_quantizer
from lgq_explore.training.loop import LogEvent

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")

RECIPE = TrainConfig(
    data="fake",
    steps=4,
    batch_size=4,
    warmup_steps=1,
    log_steps=1,
    checkpoint_steps=2,
    backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
    quantizer=NoneConfig(),
)


def test_latents_and_their_gradient_are_passed_on() -> None:
    quantizer, latents = NoneConfig.for_codebook_size(1024).build(3), torch.randn(2, 3, 5, 4, requires_grad=True)
    for mode in (True, False):
        coded = quantizer.train(mode)(latents)
        assert torch.equal(coded.quantized, latents)
        assert (coded.codes.shape, coded.codes.dtype) == ((2, 0, 5, 4), torch.int64)
        assert coded.losses == {}
    (gradient,) = torch.autograd.grad(coded.quantized.square().sum(), latents)
    assert torch.equal(gradient, 2 * latents)


def test_its_capability_says_that_there_are_no_codes_and_what_needs_them_does_in_words() -> None:
    quantizer = NoneConfig().build(3)
    assert not quantizer.has_codes
    assert quantizer.codebook_size == NoneConfig().size == 0
    assert quantizer.codebook_is_fixed
    assert quantizer.learned_codebooks() == []
    codes, points = torch.zeros(1, 0, 2, 2, dtype=torch.int64), torch.zeros(4, 3)
    for asking in (
        lambda: quantizer.lookup(codes),
        lambda: quantizer.assign(points),
        lambda: quantizer.assign(points, torch.tensor([0])),
        lambda: quantizer.distances(points),
        lambda: quantizer.code_points(),
        lambda: joint_codes(codes, quantizer.levels),
    ):
        with pytest.raises(InputError, match="there are no codes, as nothing is quantized"):
            asking()
    with pytest.raises(InputError, match="none has no codes to fit"):
        fit_quantizer(NoneConfig(), torch.randn(64, 2), steps=1)
    assert [*methods_with_codes(), "none"] == list(QUANTIZERS)


@pytest.fixture(scope="module")
def run(own_data_and_no_network: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return lgq.train(RECIPE, tmp_path_factory.mktemp("runs") / "reference", device="cpu", progress=False)


def test_the_history_has_no_columns_of_codes(run: Run) -> None:
    history = run.history()
    assert history["step"].tolist() == [1, 2, 3, 4]
    assert history["loss_l1"].notna().all()
    assert not [column for column in history if "codes" in column or "perplexity" in column]
    assert run.codebook_snapshots() == {}


class Crash(BaseException):
    """What nobody catches, as when the process is killed."""


def test_a_killed_run_comes_to_the_same_weights(run: Run, tmp_path: Path) -> None:
    def crash(event: LogEvent) -> None:
        assert event.counts is None
        if event.row["step"] == 3:
            raise Crash

    with pytest.raises(Crash):
        lgq.train(RECIPE, tmp_path / "killed", device="cpu", on_log=crash, progress=False)
    again = lgq.resume(tmp_path / "killed", device="cpu", progress=False)
    states = [each.tokenizer().state_dict() for each in (run, again)]
    assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())


def test_numbers_of_codes_are_missing_from_its_result_and_those_of_pictures_are_not(run: Run) -> None:
    result = lgq.evaluate(run, without=("lpips", "fd"), progress=False)
    of_codes = ("active_codes", "utilization", "perplexity", "entropy_bits", "bits_per_pixel", "gini")
    assert [result[name] for name in (*of_codes, "quantization_error")] == [None] * 7
    assert (result["codebook_size"], result["groups"]) == (0, {})
    assert result["tokens"] == result["images"] * 64
    assert math.isfinite(result["psnr_db"])
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    table = markdown_table({"results": [result], "recipes": {"": config_to_json(RECIPE)}, "date": "", "device": ""})
    assert "| `none` | 0 | " in table
    assert "| – | – | – |" in table


def test_its_encoding_goes_through_a_file_and_is_not_decoded(run: Run, tmp_path: Path) -> None:
    encoding = lgq.encode(run, crops=4)
    encoding.save(tmp_path / "encoding.npz")
    again = Encoding.load(tmp_path / "encoding.npz")
    assert again.codes.shape == (4, 0, 8, 8)
    assert np.array_equal(again.latents, encoding.latents)
    with pytest.raises(InputError, match="there are no codes"):
        decode(run, again.codes)


PANELS: dict[str, Callable[[Run], object]] = {
    "CodeInspector": widgets.CodeInspector,
    "GeometryExplorer": widgets.GeometryExplorer,
    "PatchInspector": widgets.PatchInspector,
    "TemperatureExplorer": widgets.TemperatureExplorer,
    "UsageExplorer": widgets.UsageExplorer,
}


@pytest.mark.parametrize("panel", PANELS)
def test_panels_of_codes_refuse_it_in_a_line_that_says_why(run: Run, panel: str) -> None:
    with pytest.raises(InputError) as refused:
        PANELS[panel](run)
    (line,) = str(refused.value).splitlines()
    assert "no codes" in line or "without a temperature" in line


def test_analyses_of_codes_name_the_run(run: Run) -> None:
    with pytest.raises(InputError, match="reference has no codes, as nothing is quantized"):
        usage.per_code(lgq.study(run))


def test_panels_that_need_no_codes_show_it(run: Run) -> None:
    verdicts = health.assess(run).set_index("rule")
    for rule in ("collapse coming", "too few tokens for K", "centres leaving the latents"):
        assert verdicts.loc[rule, "state"] == "not applicable"
        assert "no codes" in verdicts.loc[rule, "finding"]
    assert widgets.HealthPanel(run).figure().axes
    monitor = widgets.TrainingMonitor(RECIPE, pictures=2)
    watched = asyncio.run(monitor.train())
    assert watched.is_finished
    assert len(monitor.figures()) == 2
    assert len(widgets.TrainingMonitor(run=run).figures()) == 2
    assert "no codes" in monitor._view.foot.line


def test_it_stands_in_the_table_of_runs(run: Run) -> None:
    table = comparison.runs_in(run.path.parent).set_index("run")
    assert table.loc["reference", "method"] == "none"
    assert math.isnan(table.loc["reference", "training_active_codes"])

"""Tests of the results of an evaluation."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import lgq_explore as lgq
from lgq_explore import Encoding, InputError, Run, TrainConfig, encode, evaluate, train
from lgq_explore.metrics import perceptual
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import FSQConfig
from lgq_explore.runs.encoding import EvaluationSet, evaluation_set
from lgq_explore.runs.evaluate import METRICS, kept_metrics
from lgq_explore.runs.photograph_numbers import photograph_numbers
from lgq_explore.runs.run_writer import RunWriter

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")

KEYS = (
    "run quantizer codebook_size dim images photographs tokens psnr_db ssim l1 lpips fd active_codes utilization "
    "perplexity entropy_bits bits_per_pixel gini quantization_error seed steps recipe_hash "
    "rounding_replicate scenes weights device luminance_psnr_db colour_error groups soft_decode"
)

CONFIG = TrainConfig(
    data="fake",
    steps=4,
    batch_size=4,
    backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
    quantizer=FSQConfig((5, 4, 3)),
    seed=7,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(CONFIG, tmp_path_factory.mktemp("run") / "grid", device="cpu", progress=False)


@pytest.fixture(scope="module")
def result(run: Run) -> dict[str, Any]:
    return evaluate(run)


@pytest.fixture(scope="module")
def encoding(run: Run) -> Encoding:
    return encode(run)


def test_the_keys_are_the_promised_ones_in_their_order(result: dict[str, Any]) -> None:
    assert " ".join(result) == KEYS
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_it_says_which_run_and_how_much_it_speaks_of(result: dict[str, Any], run: Run, encoding: Encoding) -> None:
    assert result["run"] == "grid"
    assert (result["quantizer"], result["codebook_size"], result["dim"]) == ("fsq", 60, 4)
    assert (result["seed"], result["steps"], result["recipe_hash"]) == (7, 4, run.config.recipe_hash)
    assert result["rounding_replicate"] == 0
    assert result["images"] == len(encoding)
    assert result["photographs"] == len(encoding.photograph_names)
    assert result["tokens"] == len(encoding) * 8 * 8


def test_the_result_on_held_out_pictures_is_kept_in_the_run_s_folder(run: Run, result: dict[str, Any]) -> None:
    assert kept_metrics(run) == result


def test_a_kept_result_of_another_run_is_none_and_a_damaged_one_is_named(
    run: Run, result: dict[str, Any], tmp_path: Path
) -> None:
    copy = Run(shutil.copytree(run.path, tmp_path / "copy"))
    assert kept_metrics(copy) == result
    (copy.path / METRICS).write_text(json.dumps({"identity": "another", "result": result}))
    assert kept_metrics(copy) == {}
    for content in ("{", "[]", "{}", '{"identity": "", "result": 3}', '{"identity": "", "result": {}}', "\0"):
        (copy.path / METRICS).write_text(content)
        with pytest.raises(
            InputError, match=r"copy/metrics\.json can't be read: delete it, and evaluate the run again"
        ):
            kept_metrics(copy)


def test_other_metrics_of_the_same_weights_and_crops_stand_beside_each_other(run: Run, tmp_path: Path) -> None:
    copy = Run(shutil.copytree(run.path, tmp_path / "copy"))
    kept = json.loads((copy.path / METRICS).read_text())
    kept["result"]["codes_kept"] = 0.5
    (copy.path / METRICS).write_text(json.dumps(kept))
    again = evaluate(copy, crops=kept["result"]["images"])
    assert kept_metrics(copy) == {**again, "codes_kept": 0.5}
    assert kept_metrics(copy, kept["weights"]) == kept_metrics(copy)
    assert kept_metrics(copy, "of other weights") == {}


def test_versions_of_a_picture_are_one_scene(run: Run, tmp_path: Path) -> None:
    for index, name in enumerate(("lake.png", "lake-dark.png", "hill.png")):
        pixels = np.random.default_rng(index).integers(256, size=(32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    result = evaluate(run, f"folder:{tmp_path}")
    assert (result["photographs"], result["scenes"]) == (3, 2)
    assert kept_metrics(run)["photographs"] != 3  # only numbers on the held-out split stand for the run


def test_pixel_metrics_are_those_of_scikit_image(result: dict[str, Any], encoding: Encoding) -> None:
    pairs = list(zip(encoding.images, encoding.reconstructions, strict=True))
    psnr = np.mean([peak_signal_noise_ratio(*pair, data_range=255) for pair in pairs])
    ssim = np.mean(
        [
            structural_similarity(
                *(picture / 255 for picture in pair),
                channel_axis=0,
                data_range=1,
                gaussian_weights=True,
                use_sample_covariance=False,
            )
            for pair in pairs
        ]
    )
    l1 = np.abs(encoding.images / 255 - encoding.reconstructions / 255).mean()
    assert result["psnr_db"] == pytest.approx(psnr, abs=1e-4)
    assert result["ssim"] == pytest.approx(ssim, abs=1e-4)
    assert result["l1"] == pytest.approx(l1, abs=1e-6)


def test_usage_is_that_of_the_codes(result: dict[str, Any], encoding: Encoding) -> None:
    joint = np.ravel_multi_index(tuple(np.moveaxis(encoding.codes, 1, 0)), tuple(encoding.levels))
    _, counts = np.unique(joint, return_counts=True)
    shares = counts / counts.sum()
    entropy = -(shares * np.log2(shares)).sum()
    assert result["active_codes"] == len(counts)
    assert result["utilization"] == pytest.approx(len(counts) / 60)
    assert result["entropy_bits"] == pytest.approx(entropy)
    assert result["perplexity"] == pytest.approx(2**entropy)
    assert result["bits_per_pixel"] == pytest.approx(entropy / 4**2)


def test_each_group_has_the_usage_of_its_own_codes(result: dict[str, Any], encoding: Encoding) -> None:
    assert list(result["groups"]) == ["0", "1", "2"]
    for group, level in enumerate((5, 4, 3)):
        of_group = result["groups"][str(group)]
        _, counts = np.unique(encoding.codes[:, group], return_counts=True)
        shares = counts / counts.sum()
        assert (of_group["codebook_size"], of_group["active_codes"]) == (level, len(counts))
        assert of_group["perplexity"] == pytest.approx(2 ** -(shares * np.log2(shares)).sum())


def test_quantization_error_is_over_what_the_method_rounds(
    result: dict[str, Any], run: Run, encoding: Encoding
) -> None:
    quantizer = run.tokenizer().quantizer
    with torch.no_grad():
        rounded = quantizer.continuous(torch.from_numpy(encoding.latents)).double().numpy()
    levels = [book[:, 0].double().numpy() for book in quantizer.codebooks()]
    points = np.stack([levels[group][encoding.codes[:, group]] for group in range(3)], axis=1)
    error = ((rounded - points) ** 2).sum(axis=1).mean() / rounded.var(axis=(0, 2, 3)).sum()
    assert result["quantization_error"] == pytest.approx(error, rel=1e-4)


def test_without_weights_there_is_a_reason_and_no_number(result: dict[str, Any]) -> None:
    assert list(result["lpips"]) == ["value", "net", "why"]
    assert list(result["fd"]) == ["value", "features", "why", "reference", "crop", "resize", "extractor"]
    assert (result["lpips"]["value"], result["lpips"]["net"]) == (None, "alex")
    assert len(result["lpips"]["why"].splitlines()) == 1


def test_features_that_are_not_at_hand_name_the_remedy(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perceptual, "find_spec", lambda name: None)
    distance = evaluate(run, crops=8, fd_features="inception")["fd"]
    assert (distance["value"], distance["features"]) == (None, "inception")
    assert 'pip install "lgq_explore[fid]"' in distance["why"]
    assert "efficientnet-lite0" in distance["why"]
    assert evaluate(run, crops=8)["fd"] == distance  # nor are any others at hand


def test_the_frechet_distance_is_by_the_features_that_are_at_hand(run: Run) -> None:
    distance = evaluate(run, crops=8)["fd"]
    assert distance["why"] is None
    assert distance["features"] == "efficientnet-lite0"
    assert distance["value"] > 0
    assert distance["reference"] == "the same 8 crops of 4 held-out photographs"
    assert distance["crop"] == "32 × 32 pixels, on a fixed grid of each photograph"
    assert "224 × 224" in distance["resize"]
    assert "1280" in distance["extractor"]


def test_results_make_a_table_of_numbers_and_names(result: dict[str, Any]) -> None:
    (row,) = pd.json_normalize([result, result]).drop_duplicates().to_dict("records")
    assert (row["psnr_db"], row["fd.value"]) == (result["psnr_db"], result["fd"]["value"])
    assert {"lpips.net", "lpips.why", "fd.features"} <= row.keys()
    assert not any(isinstance(value, dict | list) for value in row.values())


def test_another_spec_is_used_whole_and_crops_are_a_limit(run: Run, result: dict[str, Any]) -> None:
    quick = partial(evaluate, run, without=("lpips", "fd"))
    everything = quick("photos", crops=32)
    assert (everything["images"], everything["photographs"], everything["tokens"]) == (32, 11, 32 * 64)
    everything = quick("fake", crops=32)  # the run's own pictures, those of training included
    assert (everything["images"], everything["photographs"], everything["tokens"]) == (32, 16, 32 * 64)
    assert result["photographs"] < 16
    few = evaluate(run, crops=3)
    assert (few["images"], few["photographs"]) == (3, 3)


def test_slow_metrics_can_be_left_out_and_what_remains_is_not_kept(
    run: Run, result: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perceptual, "if_available", None)  # no network is loaded
    kept = kept_metrics(run)
    quick = evaluate(run, without=("lpips", "fd"))
    assert quick["lpips"] == {"value": None, "net": "alex", "why": "it was left out"}
    assert quick["fd"] == {"value": None, "features": "auto", "why": "it was left out"}
    slow = {"lpips", "fd"}
    assert {name: quick[name] for name in quick.keys() - slow} == {name: result[name] for name in result.keys() - slow}
    assert kept_metrics(run) == kept
    with pytest.raises(InputError, match="without 'psnr_db': only lpips and fd can be left out"):
        evaluate(run, without=["psnr_db"])


@pytest.mark.parametrize("shown", [True, False])
def test_progress_counts_crops(
    shown: bool, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lgq_explore.runs.evaluate.SECONDS_UNSHOWN", 0.0)
    evaluate(run, crops=70, without=("lpips", "fd"), progress=shown)
    told = capsys.readouterr().err
    assert ("evaluating" in told and "70/70" in told) == shown


def test_a_path_does_as_well_as_an_opened_run(run: Run) -> None:
    result = evaluate(run, crops=8)
    assert evaluate(run.path, crops=8) == result
    assert evaluate(str(run.path), crops=8) == result


def test_a_run_without_weights_is_refused(run: Run, tmp_path: Path) -> None:
    untrained = RunWriter.create(tmp_path / "untrained", run.config, run.environment)
    with pytest.raises(InputError, match="no weights yet"):
        evaluate(untrained)


def test_features_that_are_not_known_are_refused(run: Run) -> None:
    with pytest.raises(InputError, match="'incepton'"):
        evaluate(run, fd_features="incepton")


def test_the_steps_are_those_of_the_weights_that_were_measured(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = evaluate(run, crops=8)
    training = RunWriter(shutil.copytree(run.path, tmp_path / "grid"))

    def while_training_goes_on(*arguments: Any) -> EvaluationSet:
        chosen = evaluation_set(*arguments)
        moved = run.tokenizer()
        with torch.no_grad():
            for weight in moved.parameters():
                weight.zero_()
        training.save_checkpoint(5, moved, {})
        return chosen

    monkeypatch.setattr("lgq_explore.runs.evaluate.evaluation_set", while_training_goes_on)
    assert evaluate(training.path, crops=8) == result
    assert result["steps"] == 4


def test_a_device_that_is_not_there_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for device in ("cuda", "gpu"):
        with pytest.raises(InputError, match=f"device (is )?'{device}'"):
            evaluate(run, device=device)


def test_copies_of_a_picture_are_evaluated_once(run: Run, tmp_path: Path) -> None:
    for index, name in enumerate(("lake.png", "hill.png", "copy.png")):
        pixels = np.random.default_rng(index % 2).integers(256, size=(32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    study = lgq.study(run, data=f"folder:{tmp_path}", crops=12)
    numbers = photograph_numbers(study)
    assert len(numbers) == numbers["digest"].nunique() == 2
    assert evaluate(run, f"folder:{tmp_path}", crops=12)["photographs"] == 2


@pytest.mark.gpu
def test_fd_on_a_gpu_is_nearly_that_of_the_cpu(run: Run, result: dict[str, Any]) -> None:
    there = evaluate(run, device="cuda")
    assert there["fd"]["value"] == pytest.approx(result["fd"]["value"], rel=1e-2)


def test_what_is_asked_for_is_measured_and_nothing_else(run: Run, result: dict[str, Any]) -> None:
    kept = kept_metrics(run)
    few = evaluate(run, metrics=["groups", "spectrum", "quality"])
    known = set(KEYS.split())
    assert few["psnr_db"] == result["psnr_db"]
    assert few["groups"] == result["groups"]
    assert few.keys() - known == {"mse", "error_bands", "relative_error_bands"}
    assert known - few.keys() >= {"lpips", "fd", "perplexity", "quantization_error"}
    assert few["images"] == result["images"]
    assert sum(few["error_bands"].values()) == pytest.approx(few["mse"])
    assert kept_metrics(run) == kept  # a part of the metrics does not stand for the run


@pytest.mark.slow
def test_more_metrics_follow_those_of_every_evaluation(run: Run) -> None:
    more = evaluate(run, crops=8, metrics=["default", "robustness", "code_lengths"])
    assert " ".join(more).startswith(KEYS + " bits_codebook")
    assert {"codes_kept", "kept_psnr_db"} <= more.keys()
    assert json.loads(json.dumps(more, allow_nan=False)) == more
    assert kept_metrics(run)["images"] > 8  # fewer crops of the same weights do not take its place


def test_one_metric_may_be_given_by_its_name_alone(run: Run, result: dict[str, Any]) -> None:
    assert evaluate(run, metrics="quality")["psnr_db"] == result["psnr_db"]


def test_a_number_of_crops_that_is_none_is_refused(run: Run) -> None:
    with pytest.raises(InputError, match="crops is '3': give a whole number"):
        evaluate(run, crops="3")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["spectrun"], "did you mean spectrum"),
        ([], "0 metrics"),
        (["zzz"], "list metrics"),
        (["psnr"], "which is a number of quality"),
        (["codes_kept"], "which is a number of robustness"),
    ],
)
def test_metrics_that_are_not_known_are_refused(run: Run, names: list[str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        evaluate(run, metrics=names)

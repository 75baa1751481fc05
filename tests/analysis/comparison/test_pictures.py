"""Tests of pictures on which runs disagree, and of pictures from fewer codes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import lgq_explore as lgq
from lgq_explore.analysis.comparison import disagreement, pruning
from lgq_explore.analysis.pictures import reconstruction_quality
from lgq_explore.errors import InputError
from lgq_explore.metrics import code_usage
from lgq_explore.runs.study import Study
from lgq_explore.training.loop import train
from tests.analysis.runs_folder import GRID, SOFT

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory, own_data_and_no_network: None) -> dict[str, Study]:
    folder = tmp_path_factory.mktemp("runs")
    recipes = {"soft": SOFT, "grid": GRID, "none": replace(SOFT, quantizer=lgq.QUANTIZERS["none"](), loss_weights={})}
    runs = {name: train(recipe, folder / name, device="cpu", progress=False) for name, recipe in recipes.items()}
    return {name: lgq.study(run, crops=12) for name, run in runs.items()}


@pytest.mark.parametrize("name", ["soft", "grid"])
def test_with_all_active_codes_nothing_changes(studies: dict[str, Study], name: str) -> None:
    study = studies[name]
    first = pruning(study).iloc[0]
    usage = code_usage(np.bincount(study.codes), study.quantizer.codebook_size)
    assert (first["kept"], first["active_codes"]) == (usage.active_codes, usage.active_codes)
    assert first["entropy_bits"] == pytest.approx(usage.entropy_bits)
    assert first["psnr_db"] == pytest.approx(reconstruction_quality(study)["psnr_db"].mean(), abs=1e-6)
    assert first["crops"] == 12


def test_the_most_used_codes_are_kept_and_tokens_take_the_nearest(studies: dict[str, Study]) -> None:
    study = studies["soft"]
    codes, counts = np.unique(study.codes, return_counts=True)
    two = codes[np.argsort(-counts, kind="stable")[:2]]
    found = pruning(study, [1, 2]).set_index("kept")
    assert (found.loc[1, "active_codes"], found.loc[1, "entropy_bits"]) == (1, 0)
    distances = (study.points[:, None].double() - study.code_points[two].double()).square().sum(-1)
    nearer = np.bincount(distances.argmin(dim=1).numpy(), minlength=2)
    assert found.loc[2, "entropy_bits"] == pytest.approx(code_usage(nearer, 2).entropy_bits)


def test_fewer_crops_are_the_first_ones(studies: dict[str, Study]) -> None:
    found = pruning(studies["soft"], crops=3).iloc[0]
    quality = reconstruction_quality(studies["soft"])["psnr_db"]
    assert found["psnr_db"] == pytest.approx(quality[:3].mean(), abs=1e-3)


@pytest.mark.parametrize("kept", [0, 17])
def test_an_impossible_number_of_codes_is_refused(studies: dict[str, Study], kept: int) -> None:
    with pytest.raises(InputError, match=f"{kept} codes are kept: give numbers from 1 to the"):
        pruning(studies["soft"], [kept])
    with pytest.raises(InputError, match="has no codes"):
        pruning(studies["none"])


def test_crops_are_sorted_by_the_paired_difference(studies: dict[str, Study]) -> None:
    frame = disagreement(studies["soft"], studies["grid"])
    assert frame["difference"].is_monotonic_decreasing
    a, b = (reconstruction_quality(studies[name])["psnr_db"].to_numpy() for name in ("soft", "grid"))
    np.testing.assert_allclose(frame["difference"], (a - b)[frame["image"]])
    assert sorted(frame["image"]) == list(range(12))
    assert frame["crop"].min() == 1
    turned = disagreement(studies["grid"], studies["soft"])
    np.testing.assert_allclose(turned["difference"], -frame["difference"][::-1])


def test_other_pictures_are_refused(studies: dict[str, Study]) -> None:
    with pytest.raises(InputError, match="soft and grid hold different images"):
        disagreement(studies["soft"], lgq.study(studies["grid"].require_run(), crops=4))

"""Every method is in every panel: the panel shows it, or says in words what the method cannot do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import lgq_explore as lgq
from lgq_explore import widgets
from lgq_explore.contract.training import fitted_to_few
from lgq_explore.errors import InputError
from lgq_explore.quantizers import QUANTIZERS, SoftQuantizer
from lgq_explore.runs.run import Run
from lgq_explore.runs.study import Study
from lgq_explore.widgets.explorer import Explorer

CROPS = 3

PANELS: dict[str, Callable[[Study], Explorer]] = {
    "usage": lambda study: widgets.UsageExplorer(study, selection=[1, 2]),
    "temperature": lambda study: widgets.TemperatureExplorer(study, view="pictures", token=3),
    "geometry": lambda study: widgets.GeometryExplorer(study, beside_as="start", selection=[1, 2]),
    "codes": lambda study: widgets.CodeInspector(study, view="neighbours", selection=[0, 1], turned_off=[2]),
    "patch": lambda study: widgets.PatchInspector(study, patch=[1, 1, 1]),
    "health": lambda study: widgets.HealthPanel(study.require_run()),
    "comparison": lambda study: widgets.ComparisonExplorer(study.require_run(), crops=CROPS, view="numbers"),
}

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_data_and_no_network")]


def trained(method: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of a step, with the codebook before it and after it."""
    recipe = fitted_to_few(lgq.preset("tiny", method, codebook_size=64 if QUANTIZERS[method]().size else None))
    small = replace(
        recipe,
        data="fake",
        image_size=16,
        steps=2,
        batch_size=4,
        warmup_steps=1,
        log_steps=1,
        snapshot_steps=1,
        backbone=replace(recipe.backbone, channels=(8, 8, 8)),
    )
    return lgq.train(small, tmp_path_factory.mktemp("runs") / method, progress=False)


def refusals(study: Study) -> dict[str, str]:
    """The panels that can't show the method, each with a part of what they say."""
    quantizer = study.quantizer
    if not quantizer.has_codes:
        return dict.fromkeys(("usage", "temperature", "geometry", "codes", "patch"), "no codes|without a temperature")
    return {
        **({} if isinstance(quantizer, SoftQuantizer) else {"temperature": "without a temperature"}),
        **({"geometry": "has no geometry"} if quantizer.no_geometry else {}),
    }


@pytest.mark.parametrize("method", QUANTIZERS)
def test_a_method_is_shown_or_refused_in_words(method: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    study = lgq.study(trained(method, tmp_path_factory), crops=CROPS)
    refused = refusals(study)
    for name, panel in PANELS.items():
        if name in refused:
            with pytest.raises(InputError, match=refused[name]) as refusal:
                panel(study)
            assert len(str(refusal.value).splitlines()) <= 2
            continue
        shown = panel(study)
        assert shown.charts.figures
        assert len(shown.frame()) > 0
        assert method in shown.caption()
        assert shown.line()
        assert shown.code().startswith("lgq.widgets.")

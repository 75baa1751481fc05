"""Does a view of a tokenizer at a temperature hold what its parts give on their own?"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import numpy as np
import pytest
import torch

from lgq_explore.analysis.pictures import reconstruct
from lgq_explore.analysis.temperature import (
    TemperatureProbe,
    TemperatureViews,
    require_soft,
)
from lgq_explore.analysis.temperature.view import SWEEP_TOKENS
from lgq_explore.errors import InputError
from lgq_explore.models import BackboneConfig
from lgq_explore.models.tokenizer import build_tokenizer
from lgq_explore.quantizers import FSQConfig, LGQConfig, QuantizerConfig
from lgq_explore.runs.encoding import encode_pictures
from lgq_explore.runs.run import TrainedTokenizer
from lgq_explore.runs.study import Study

LGQ = LGQConfig(codebook_size=16)


@lru_cache
def trained(config: QuantizerConfig) -> TrainedTokenizer:
    return TrainedTokenizer.of(build_tokenizer(BackboneConfig(channels=(8, 8, 8), dim=4), config, seed=0))


def pictures(images: int) -> np.ndarray:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (images, 3, 16, 16), dtype=torch.uint8, generator=generator).numpy()


def studied(images: int = 5, config: QuantizerConfig = LGQ) -> Study:
    made = trained(config)
    return Study(made, encode_pictures(made, pictures(images)))


class WithSnapshot(Study):
    """A study with a snapshot of step 3, in which each code stands in the next one's place."""

    @property
    def snapshots(self) -> dict[int, list[np.ndarray]]:
        return {3: [np.roll(self.quantizer.codebooks()[0].numpy(), 1, axis=0)]}


def test_a_view_holds_the_sample_the_places_and_the_pictures() -> None:
    study = studied()
    views = TemperatureViews(study, tokens=50, pictures=3)
    assert np.array_equal(views.images, study.encoding.images[[0, 2, 4]])
    view = views.at(0.5)
    assert view.tokens.equals(TemperatureProbe.of(study, 50).at(0.5))
    assert view.placed.iloc[-1][["picture", "row", "column"]].tolist() == [2, 3, 3]
    alone = reconstruct(study.tokenizer, study.encoding.images[[0, 2, 4]], 0.5)
    assert np.array_equal(view.reconstructions.soft, alone.soft)
    assert np.array_equal(view.reconstructions.hard, alone.hard)
    assert views.at(0.5).tokens is view.tokens
    assert views.at(0.5).reconstructions is view.reconstructions
    assert views.is_known(0.5)
    assert not views.is_known(0.6)


def test_a_preview_is_of_some_tokens_of_the_sample_and_of_the_same_pictures() -> None:
    views = TemperatureViews(studied(images=40), pictures=3)
    preview = views.preview(0.5)
    assert not views.is_known(0.5)
    view = views.at(0.5)
    assert (len(preview.tokens), len(view.tokens)) == (SWEEP_TOKENS, 640)
    assert Counter(preview.tokens["code"]) <= Counter(view.tokens["code"])
    assert preview.placed is view.placed
    assert preview.reconstructions is view.reconstructions


def test_no_temperature_changes_the_hard_pictures() -> None:
    views = TemperatureViews(studied())
    cold, hot = views.at(0.01).reconstructions, views.at(10.0).reconstructions
    assert np.array_equal(cold.hard, hot.hard)
    assert not np.array_equal(cold.soft, hot.soft)


def test_another_codebook_takes_the_place_of_the_tokenizers_own() -> None:
    study = studied()
    own = study.quantizer.codebooks()[0].clone()
    views = TemperatureViews(WithSnapshot(study.trained, study.encoding), step=3)
    same = TemperatureViews(study)
    assert np.array_equal(views.at(0.5).tokens["code"], (same.at(0.5).tokens["code"] + 1) % 16)
    assert torch.equal(study.quantizer.codebooks()[0], own)


def test_the_temperatures_span_what_training_used_and_leave_the_schedule_alone() -> None:
    study = studied()
    quantizer = require_soft(study.quantizer)
    quantizer.anneal(0.5)
    before = quantizer.temperature
    views = TemperatureViews(study, tokens=20)
    assert (views.temperatures[0], views.temperatures[-1]) == pytest.approx((0.001, 10))
    assert quantizer.temperature == before
    assert views.sweep["temperature"].tolist() == views.temperatures
    assert (views.sweep["tokens"] == 20).all()
    assert len(views.flips) == len(views.temperatures) - 1


def test_the_top_codes_of_a_token_are_those_of_its_place() -> None:
    study = studied()
    views = TemperatureViews(study, pictures=5)
    number = 2 * 16 + 1 * 4 + 3
    latents = torch.from_numpy(study.encoding.latents[2, :, 1, 3])[None, :, None, None]
    assert views.top(number, 0.5).equals(TemperatureProbe(study.quantizer, latents).top(0, 0.5))
    assert views.top(number, 0.5)["code"].iloc[0] == views.at(0.5).placed["code"].iloc[number]
    with pytest.raises(InputError, match=r"token is 80: the 5 pictures have 0 … 79"):
        views.top(80, 0.5)


def test_a_method_without_temperature_is_refused() -> None:
    with pytest.raises(InputError, match="fsq chooses its codes without a temperature"):
        TemperatureViews(studied(config=FSQConfig()))

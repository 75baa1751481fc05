"""Does a view of a tokenizer at a temperature hold what its parts give on their own?"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from lgq_explore.analysis.pictures import reconstruct
from lgq_explore.analysis.temperature import TemperatureProbe, TemperatureViews, sample_latents, top_responsibilities
from lgq_explore.analysis.temperature.view import SWEEP_TOKENS
from lgq_explore.errors import InputError
from lgq_explore.models import BackboneConfig, Tokenizer
from lgq_explore.models.tokenizer import build_tokenizer
from lgq_explore.quantizers import FSQConfig, LGQConfig, QuantizerConfig
from lgq_explore.runs.encoding import Encoding, coded_batches


def tokenizer(config: QuantizerConfig) -> Tokenizer:
    return build_tokenizer(BackboneConfig(channels=(8, 8, 8), dim=4), config, seed=0).eval()


def encoded(model: Tokenizer, images: int = 5) -> Encoding:
    pictures = torch.randint(256, (images, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    (batch,) = coded_batches(model, pictures)
    return Encoding(
        images=pictures.numpy(),
        latents=batch.output.latents.numpy(),
        codes=batch.output.coded.codes.numpy(),
        reconstructions=batch.reconstructions.numpy(),
        levels=np.array(model.quantizer.levels),
        photograph=np.zeros(images, dtype=np.int64),
        photograph_names=np.array(["one"]),
    )


@pytest.fixture(scope="module")
def model() -> Tokenizer:
    return tokenizer(LGQConfig(codebook_size=16))


def test_a_view_holds_the_sample_the_places_and_the_pictures(model: Tokenizer) -> None:
    encoding = encoded(model)
    views = TemperatureViews(model, encoding, tokens=50, pictures=3)
    assert np.array_equal(views.images, encoding.images[[0, 2, 4]])
    view = views.at(0.5)
    assert view.tokens.equals(TemperatureProbe(model.quantizer, sample_latents(encoding, 50)).at(0.5))
    assert view.placed.iloc[-1][["picture", "row", "column"]].tolist() == [2, 3, 3]
    alone = reconstruct(model, encoding.images[[0, 2, 4]], 0.5)
    assert np.array_equal(view.reconstructions.soft, alone.soft)
    assert np.array_equal(view.reconstructions.hard, alone.hard)
    assert views.at(0.5).tokens is view.tokens
    assert views.at(0.5).reconstructions is view.reconstructions
    assert views.is_known(0.5)
    assert not views.is_known(0.6)


def test_a_preview_is_of_some_tokens_of_the_sample_and_of_the_same_pictures(model: Tokenizer) -> None:
    encoding = encoded(model, images=40)
    views = TemperatureViews(model, encoding, pictures=3)
    preview = views.preview(0.5)
    assert not views.is_known(0.5)
    view = views.at(0.5)
    assert (len(preview.tokens), len(view.tokens)) == (SWEEP_TOKENS, 640)
    assert Counter(preview.tokens["code"]) <= Counter(view.tokens["code"])
    assert preview.placed is view.placed
    assert preview.reconstructions is view.reconstructions


def test_no_temperature_changes_the_hard_pictures(model: Tokenizer) -> None:
    views = TemperatureViews(model, encoded(model))
    cold, hot = views.at(0.01).reconstructions, views.at(10.0).reconstructions
    assert np.array_equal(cold.hard, hot.hard)
    assert not np.array_equal(cold.soft, hot.soft)


def test_another_codebook_takes_the_place_of_the_tokenizers_own(model: Tokenizer) -> None:
    encoding, own = encoded(model), model.quantizer.codebooks()[0]
    views = TemperatureViews(model, encoding, codebooks=[np.roll(own.numpy(), 1, axis=0)])
    same = TemperatureViews(model, encoding)
    assert np.array_equal(views.at(0.5).tokens["code"], (same.at(0.5).tokens["code"] + 1) % 16)
    assert torch.equal(model.quantizer.codebooks()[0], own)


def test_the_temperatures_span_what_training_used_and_leave_the_schedule_alone(model: Tokenizer) -> None:
    model.quantizer.anneal(0.5)
    before = model.quantizer.temperature
    views = TemperatureViews(model, encoded(model), tokens=20)
    assert (views.temperatures[0], views.temperatures[-1]) == pytest.approx((0.001, 10))
    assert model.quantizer.temperature == before
    assert views.sweep["temperature"].tolist() == views.temperatures
    assert (views.sweep["tokens"] == 20).all()
    assert len(views.flips) == len(views.temperatures) - 1


def test_the_top_codes_of_a_token_are_those_of_its_place(model: Tokenizer) -> None:
    encoding = encoded(model)
    views = TemperatureViews(model, encoding, pictures=5)
    number = 2 * 16 + 1 * 4 + 3
    latents = torch.from_numpy(encoding.latents[2, :, 1, 3])[None, :, None, None]
    assert views.top(number, 0.5).equals(top_responsibilities(model.quantizer, latents, 0.5))
    assert views.top(number, 0.5)["code"].iloc[0] == views.at(0.5).placed["code"].iloc[number]
    with pytest.raises(InputError, match=r"token is 80: the 5 pictures have 0 … 79"):
        views.top(80, 0.5)


def test_a_method_without_temperature_is_refused() -> None:
    grid = tokenizer(FSQConfig())
    with pytest.raises(InputError, match="FSQ chooses its codes without a temperature"):
        TemperatureViews(grid, encoded(grid))

"""Tests of the measures that need a tokenizer, of one whose codes are colours and of others at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from lgq_explore.metrics import PictureMetricSettings, psnr_db
from lgq_explore.models import Tokenizer
from lgq_explore.quantizers.base import to_tokens
from lgq_explore.runs.encoding import coded_batches
from lgq_explore.runs.measures import MeasuredBatch, MeasureSettings, measure
from lgq_explore.runs.measures.base import TokenizerMeasure
from lgq_explore.runs.measures.listed import TOKENIZER_MEASURES
from lgq_explore.runs.measures.perturbation import NearCodes, perturbed
from lgq_explore.runs.measures.robustness import CHANGES, compressed, noisy, shifted
from lgq_explore.runs.measures.times import Times
from tests.analysis.planted_tokenizer import FACTOR, colour_tokenizer, method_tokenizer, noise_pictures

GREYS = [[level / 8] * 3 for level in range(-8, 9)]
QUICK = [name for name in TOKENIZER_MEASURES if name not in ("perturbation", "times")]


def settings_of(tokenizer: Tokenizer) -> MeasureSettings:
    return MeasureSettings(tokenizer, PictureMetricSettings(), FACTOR)


def batches(tokenizer: Tokenizer, pictures: np.ndarray, size: int = 64) -> list[MeasuredBatch]:
    with torch.no_grad():
        return [
            MeasuredBatch(batch.images, batch.output, batch.reconstructions, np.arange(len(batch.images)))
            for batch in coded_batches(tokenizer, torch.from_numpy(pictures), size)
        ]


@torch.no_grad()
def numbers(name: str, tokenizer: Tokenizer, pictures: np.ndarray | Tensor, size: int = 64) -> dict[str, Any]:
    measured = measure(name, settings_of(tokenizer))
    for batch in batches(tokenizer, np.asarray(pictures), size):
        measured.update(batch)
    return measured.numbers()


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("method", ["lgq", "fsq"])
def test_batches_order_and_processes_change_nothing(name: str, method: str) -> None:
    tokenizer, pictures = method_tokenizer(method), noise_pictures(10)
    whole, cut = numbers(name, tokenizer, pictures), numbers(name, tokenizer, pictures[::-1].copy(), size=3)
    kind: type[TokenizerMeasure] = TOKENIZER_MEASURES[name]
    one, other = kind(settings_of(tokenizer)), kind(settings_of(tokenizer))
    with torch.no_grad():
        for part, of_part in ((one, pictures[:4]), (other, pictures[4:])):
            part.update(batches(tokenizer, of_part)[0])
    one.merge(other)  # type: ignore[attr-defined]
    assert tuple(whole) == kind.definition.keys
    for result in (cut, one.numbers()):
        for key, value in whole.items():
            assert result[key] == (None if value is None else pytest.approx(value, rel=1e-6))


@pytest.mark.parametrize("name", TOKENIZER_MEASURES)
def test_a_method_without_codes_has_no_numbers_of_codes(name: str) -> None:
    found = numbers(name, method_tokenizer("none"), noise_pictures(3))
    kind = TOKENIZER_MEASURES[name]
    assert tuple(found) == kind.definition.keys
    assert all(value is None for value in found.values()) == kind.of_codes
    assert found.get("codes_kept") is None


class TestQuantizationCost:
    def test_it_is_what_the_decoder_gives_for_latents(self) -> None:
        """Mean colours of squares of one colour are the squares: unquantized pictures are equal to 8 bits."""
        tokenizer, pictures = colour_tokenizer(GREYS), noise_pictures(6)
        found = numbers("quantization_cost", tokenizer, pictures)
        (batch,) = batches(tokenizer, pictures)
        psnr = psnr_db(batch.unit_pictures, batch.unit_reconstructions).mean().item()
        assert found["psnr_unquantized_db"] == 100
        assert found["quantization_cost_db"] == pytest.approx(100 - psnr)

    def test_what_lies_on_codes_costs_nothing(self) -> None:
        black = np.zeros((2, 3, 16, 16), dtype=np.uint8)
        assert numbers("quantization_cost", colour_tokenizer(GREYS), black)["quantization_cost_db"] == 0


class TestLatents:
    def test_dimensions_are_those_of_the_colours_that_vary(self) -> None:
        grey = noise_pictures(20)[:, :1].repeat(3, axis=1)
        found = numbers("latent_dimensions", colour_tokenizer(GREYS), grey)
        assert found == {"latent_dimensions": pytest.approx(1, abs=1e-4), "latent_width": 3}
        assert numbers("latent_dimensions", colour_tokenizer(GREYS), noise_pictures(200))[
            "latent_dimensions"
        ] == pytest.approx(3, rel=0.01)


class TestRobustness:
    def test_colours_are_the_same_in_a_mirror(self) -> None:
        found = numbers("robustness", colour_tokenizer(GREYS), noise_pictures(5))
        assert found["codes_kept"]["flip"] == 1
        assert found["kept_psnr_db"]["flip"] == 100
        assert 0 < found["codes_kept"]["shift"] < 1
        assert set(found["codes_kept"]) == set(CHANGES)

    def test_one_colour_stands_any_change_but_noise_at_an_edge(self) -> None:
        """Black and white codes: 50 and 200 are far from the edge between them."""
        flat = np.full((2, 3, 16, 16), 50, dtype=np.uint8)
        flat[1] = 200
        found = numbers("robustness", colour_tokenizer([[-1.0] * 3, [1.0] * 3]), flat)
        assert found["codes_kept"] == dict.fromkeys(CHANGES, 1.0)
        assert found["kept_psnr_db"] == dict.fromkeys(CHANGES, 100.0)

    def test_a_code_that_depends_on_the_place_is_lost_in_a_mirror(self) -> None:
        half = np.zeros((1, 3, 16, 16), dtype=np.uint8)
        half[..., 8:] = 255
        tokenizer = colour_tokenizer([[-1.0] * 3, [1.0] * 3])
        (batch,) = batches(tokenizer, half)
        assert (CHANGES["flip"].followed(batch.codes) == 1 - batch.codes).all()
        # The column that enters from the left changes a quarter of one square, and no code.
        assert numbers("robustness", tokenizer, half)["codes_kept"]["shift"] == 1

    def test_changes_are_small_and_depend_on_the_picture_alone(self) -> None:
        pictures = torch.from_numpy(noise_pictures(4))
        assert torch.equal(shifted(pictures)[..., 1:], pictures[..., :-1])
        for change in (noisy, compressed):
            changed = change(pictures)
            assert changed.dtype == torch.uint8
            assert torch.equal(change(pictures.flip(0)).flip(0), changed)
        difference = noisy(torch.full((1, 3, 64, 64), 128, dtype=torch.uint8)).float() - 128
        assert difference.std().item() == pytest.approx(2, rel=0.05)


class TestPerturbation:
    def test_neighbours_are_those_of_scikit_learn(self) -> None:
        quantizer = method_tokenizer("vq", size=64).quantizer
        near, points = NearCodes(quantizer), quantizer.code_points().numpy()
        expected = NearestNeighbors(n_neighbors=5).fit(points).kneighbors(points, return_distance=False)[:, 1:]
        assert near.number == 4
        assert near.of(np.arange(10)).tolist() == expected[:10].tolist()
        assert near.of(np.arange(64)).tolist() == expected.tolist()

    def test_half_of_the_tokens_get_a_near_code_whatever_the_batch(self) -> None:
        near = NearCodes(method_tokenizer("vq", size=64).quantizer)
        codes = torch.randint(64, (30, 8, 8), generator=torch.Generator().manual_seed(0))
        changed = perturbed(codes, near)
        moved = changed != codes
        assert moved.float().mean().item() == pytest.approx(0.5, abs=0.04)
        allowed = torch.from_numpy(near.of(codes.flatten().numpy()))
        assert (allowed == changed.flatten()[:, None]).any(1)[moved.flatten()].all()
        assert torch.equal(perturbed(codes.flip(0), near).flip(0), changed)

    def test_pictures_of_perturbed_codes_are_worse(self) -> None:
        tokenizer, pictures = colour_tokenizer(GREYS), noise_pictures(4)
        found = numbers("perturbation", tokenizer, pictures)
        (batch,) = batches(tokenizer, pictures)
        psnr = psnr_db(batch.unit_pictures, batch.unit_reconstructions).mean().item()
        assert found["perturbed_psnr_db"] < psnr
        assert list(found["perturbed_fd"])[:3] == ["value", "features", "why"]


class TestCodebookDistance:
    def test_codes_that_are_the_latents_have_none(self) -> None:
        """Each of 16 colours once in a picture."""
        colours = torch.linspace(-1, 1, 16).tolist()
        squares = ((torch.tensor(colours) + 1) * 127.5).round().to(torch.uint8).reshape(1, 1, 4, 4)
        pictures = squares.repeat(1, 3, 1, 1).repeat_interleave(4, 2).repeat_interleave(4, 3)
        found = numbers("codebook_distance", colour_tokenizer([[level] * 3 for level in colours]), pictures)
        assert found["codebook_wasserstein"] == pytest.approx(0, abs=5e-3)

    def test_moved_codes_are_as_far_as_they_were_moved(self) -> None:
        pictures = noise_pictures(50)
        tokenizer = colour_tokenizer(GREYS)
        (batch,) = batches(tokenizer, pictures)
        latents = to_tokens(batch.output.latents)
        away = colour_tokenizer((latents + torch.tensor([1.0, 0.0, 0.0])).tolist())
        found = numbers("codebook_distance", away, pictures)
        variance = latents.double().var(dim=0, correction=0).sum().item()
        assert found["codebook_wasserstein"] == pytest.approx(1, rel=1e-3)
        assert found["codebook_wasserstein_relative"] == pytest.approx(1 / variance, rel=2e-3)


class Clock:
    """Goes on by a second at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.mark.parametrize("method", ["vq", "none"])
def test_times_are_those_of_the_clock_over_images(method: str) -> None:
    tokenizer = method_tokenizer(method)
    timed: Sequence[Times] = [Times(settings_of(tokenizer), Clock()) for _ in range(2)]
    with torch.no_grad():
        for batch in batches(tokenizer, noise_pictures(8), size=4):
            timed[0].update(batch)
        timed[1].update(batches(tokenizer, noise_pictures(2))[0])
    timed[0].merge(timed[1])
    assert timed[0].numbers() == {
        "seconds_encode_image": 3 / 10,
        "seconds_decode_image": 3 / 10,
        "images_per_second_encode": 10 / 3,
        "images_per_second_decode": 10 / 3,
    }

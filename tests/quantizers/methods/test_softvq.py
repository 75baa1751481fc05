"""Tests of SoftVQ against its formula with a table of tokens × codes, and of what is told of its pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lgq_explore import Run, TrainConfig, encode, evaluate, train, widgets
from lgq_explore.cli import main
from lgq_explore.images.ranges import to_model_range, to_uint8
from lgq_explore.metrics import psnr_db
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import QUANTIZERS, SoftVQConfig, VQConfig, to_tokens
from lgq_explore.quantizers.methods.softvq import SoftVQ

SIZE, DIM = 24, 5


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def built(size: int = SIZE, **settings: object) -> SoftVQ:
    quantizer = SoftVQConfig(size, **settings).build(DIM, torch.Generator().manual_seed(0))
    assert isinstance(quantizer, SoftVQ)
    return quantizer


def by_a_table(tokens: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """The decoder's input and the entropy loss, with all cosines at once; logits treat codes as constants."""
    codes = functional.normalize(vectors, dim=1)
    cosines = functional.normalize(tokens, dim=1) @ codes.detach().T
    certain = (cosines / 0.01).softmax(1)
    of_tokens, of_batch = torch.special.entr(certain).sum(1).mean(), torch.special.entr(certain.mean(0)).sum()
    return (cosines / 0.07).softmax(1) @ codes, of_tokens - of_batch


def test_sums_losses_and_gradients_are_those_of_the_table() -> None:
    ours, upstream = built().double(), normal(48, DIM, seed=2).double()
    leaves = [normal(4, DIM, 4, 3, seed=1).double().requires_grad_() for _ in range(2)]
    vectors = ours.vectors.detach().clone().requires_grad_()
    coded, (quantized, entropy) = ours(leaves[0]), by_a_table(to_tokens(leaves[1]), vectors)
    torch.testing.assert_close(to_tokens(coded.quantized), quantized)
    torch.testing.assert_close(coded.losses["entropy"], entropy)
    for mine, theirs in (
        ((to_tokens(coded.quantized) * upstream).sum(), (quantized * upstream).sum()),
        (coded.losses["entropy"], entropy),
    ):
        gradients = torch.autograd.grad(mine, (leaves[0], ours.vectors), retain_graph=True, allow_unused=True)
        expected = torch.autograd.grad(theirs, (leaves[1], vectors), retain_graph=True, allow_unused=True)
        for given, wanted in zip(gradients, expected, strict=True):
            # One path gives None, and the other zeros, to what a loss leaves alone.
            both = [torch.zeros(1).double() if each is None else each for each in (given, wanted)]
            torch.testing.assert_close(*torch.broadcast_tensors(*both))


def test_the_decoder_of_training_sees_no_code_and_that_of_evaluation_nothing_else() -> None:
    quantizer, latents = built(), normal(4, DIM, 4, 3)
    codebook = quantizer.codebooks()[0]
    torch.testing.assert_close(codebook.norm(dim=1), torch.ones(SIZE))
    to_a_code = [
        torch.cdist(to_tokens(quantizer.train(mode)(latents).quantized), codebook).amin(1) for mode in (True, False)
    ]
    assert to_a_code[0].median() > 0.05
    assert to_a_code[1].max() < 1e-3
    torch.testing.assert_close(quantizer.train()(latents).quantized, quantizer.soft(latents, quantizer.temperature))


def test_softness_by_a_table() -> None:
    quantizer, latents = built().double(), normal(4, DIM, 4, 3).double()
    softness, tokens = quantizer.softness(latents, 0.4), functional.normalize(to_tokens(latents), dim=1)
    codebook = quantizer.codebooks()[0]
    p = (tokens @ codebook.T / 0.2).softmax(1)
    torch.testing.assert_close(softness.entropy, torch.special.entr(p).sum(1))
    torch.testing.assert_close(softness.log_largest, p.amax(1).log())

    def expected(token: Tensor) -> Tensor:
        return (token @ codebook.T / 0.2).softmax(0) @ codebook

    slopes = torch.stack([torch.autograd.functional.jacobian(expected, token).diagonal().mean() for token in tokens])
    torch.testing.assert_close(softness.encoder_gain, slopes)


def test_lengths_of_latents_do_not_matter_but_without_a_norm() -> None:
    quantizer, latents = built(), normal(4, DIM, 4, 3)
    torch.testing.assert_close(quantizer(7 * latents).quantized, quantizer(latents).quantized)
    plain = built(norm="none")
    with torch.no_grad():
        plain.vectors.copy_(normal(SIZE, DIM, seed=1))
    squared = torch.cdist(to_tokens(latents), plain.codebooks()[0]).square()
    expected = (-squared / 0.14).softmax(1) @ plain.codebooks()[0]
    torch.testing.assert_close(to_tokens(plain(latents).quantized), expected, rtol=1e-4, atol=1e-5)
    assert SoftVQConfig().for_raw_tokens(2) == SoftVQConfig(norm="none")


RECIPE = TrainConfig(
    data="fake",
    steps=30,
    batch_size=4,
    backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
    quantizer=SoftVQConfig(16),
    loss_weights={"l1": 1.0, "entropy": 0.01},
)


@pytest.fixture
def run(own_data_and_no_network: None, tmp_path: Path) -> Run:
    return train(RECIPE, tmp_path / "soft", device="cpu", progress=False)


def test_pictures_of_sums_are_measured_apart_from_those_of_codes(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    result, encoding, tokenizer = evaluate(run, without=("lpips", "fd")), encode(run), run.tokenizer()
    images = torch.from_numpy(encoding.images)
    quantizer = tokenizer.quantizer
    assert isinstance(quantizer, SoftVQ)
    with torch.no_grad():
        latents = tokenizer.encode(to_model_range(images))
        of_codes = to_uint8(tokenizer.decode(quantizer.lookup(torch.from_numpy(encoding.codes))))
        of_sums = to_uint8(tokenizer.decode(quantizer.soft(latents, quantizer.temperature)))
    for numbers, pictures in ((result, of_codes), (result["soft_decode"], of_sums)):
        expected = psnr_db(images.double() / 255, pictures.double() / 255).mean().item()
        assert numbers["psnr_db"] == pytest.approx(expected, abs=1e-2)
    assert abs(result["psnr_db"] - result["soft_decode"]["psnr_db"]) > 0.02
    assert "codes do not determine" in result["soft_decode"]["why_apart"]
    assert not {"perplexity", "entropy_bits", "bits_per_pixel"} & result["soft_decode"].keys()
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert main(["evaluate", str(run.path), "--without", "lpips", "--without", "fd"]) == 0
    assert f"soft_decode.psnr_db  {result['soft_decode']['psnr_db']:.4g}" in capsys.readouterr().out


def test_other_methods_have_no_such_numbers(own_data_and_no_network: None, tmp_path: Path) -> None:
    recipe = TrainConfig(data="fake", steps=1, batch_size=4, backbone=RECIPE.backbone, quantizer=VQConfig(16))
    other = train(recipe, tmp_path / "run", device="cpu", progress=False)
    assert evaluate(other, without=("lpips", "fd"))["soft_decode"] is None


def test_the_monitor_says_beside_the_usage_that_training_differs(run: Run) -> None:
    line = widgets.TrainingMonitor(run=run)._view.foot.line
    assert line.endswith("in training, the decoder sees weighted sums of all codes")
    assert QUANTIZERS["vq"].training_differs == ""


def test_the_published_settings() -> None:
    config = SoftVQConfig()
    assert (config.temperature, config.entropy_temperature) == (0.07, 0.01)
    assert config.default_loss_weights == {"entropy": 0.01}
    assert config.temperatures(8) == (0.14, 0.14)
    assert config.build(8).temperature == 0.14


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"temperature": 0.0}, r"temperature is 0\.0"),
        ({"entropy_temperature": -1.0}, r"entropy_temperature is -1\.0"),
        ({"norm": "layer"}, "norm is 'layer': choose one of length, none"),
        ({"codebook_size": 1}, "codebook_size is 1"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        SoftVQConfig(**settings)

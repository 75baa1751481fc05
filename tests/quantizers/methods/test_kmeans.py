"""Tests of k-means after training: against scikit-learn, and of what it is before the codes are fitted."""

from __future__ import annotations

import pytest
import torch
from sklearn.cluster import KMeans as Reference
from torch import Tensor

from lgq_explore.quantizers import AnnealedConfig, KMeansConfig, QuantizerConfig
from lgq_explore.quantizers.initialization import lloyd, spread_seeds
from lgq_explore.quantizers.methods.kmeans import kmeans
from lgq_explore.quantizers.nearest import nearest, nearest_codes
from lgq_explore.quantizers.plain_tokens import as_latents
from lgq_explore.quantizers.post_hoc import PostHocQuantizer

POST_HOC = [KMeansConfig, AnnealedConfig]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mixture(tokens: int, clusters: int, dim: int, apart: float, seed: int = 0) -> Tensor:
    """[N, D]: round Gaussians of variance 1, their means `apart` in every direction."""
    generator = seeded(seed)
    means = apart * torch.randn(clusters, dim, generator=generator)
    chosen = torch.randint(clusters, (tokens,), generator=generator)
    return means[chosen] + torch.randn(tokens, dim, generator=generator)


def distortion(tokens: Tensor, codebook: Tensor) -> float:
    return nearest(tokens, codebook).squared_distances.mean().item()


def told(finished: int, rounds: int) -> None:
    assert finished <= rounds


@pytest.mark.parametrize("rounds", [1, 7])
def test_rounds_are_those_of_scikit_learn(rounds: int) -> None:
    tokens = mixture(500, 12, 3, 2.0)
    seeds = spread_seeds(tokens, 12, seeded(1))
    reference = Reference(12, init=seeds.numpy(), n_init=1, max_iter=rounds, tol=0, algorithm="lloyd").fit(tokens)
    ours = lloyd(tokens, seeds, rounds)
    torch.testing.assert_close(ours, torch.from_numpy(reference.cluster_centers_).float(), rtol=1e-4, atol=1e-4)


def test_of_several_starts_the_best_is_kept() -> None:
    tokens = mixture(800, 16, 2, 8.0)
    generator = seeded(3)
    alone = [distortion(tokens, kmeans(tokens, 16, 1, 10, generator, told)) for _ in range(4)]
    assert len(set(alone)) > 1
    best = distortion(tokens, kmeans(tokens, 16, 4, 10, seeded(3), told))
    assert best == pytest.approx(min(alone), rel=1e-6)


@pytest.mark.parametrize("config", POST_HOC)
def test_before_the_fit_training_passes_latents_on_and_has_no_codes(config: type[QuantizerConfig]) -> None:
    quantizer, latents = config.for_codebook_size(8).build(3), torch.randn(2, 3, 5, 4, requires_grad=True)
    coded = quantizer.train()(latents)
    assert torch.equal(coded.quantized, latents)
    assert (coded.codes.shape, coded.codes.dtype) == ((2, 0, 5, 4), torch.int64)
    assert coded.losses == coded.diagnostics == {}
    (gradient,) = torch.autograd.grad(coded.quantized.square().sum(), latents)
    assert torch.equal(gradient, 2 * latents)


@pytest.mark.parametrize("config", POST_HOC)
def test_before_the_fit_codes_of_eval_mode_are_tokens_of_the_start(config: type[QuantizerConfig]) -> None:
    quantizer, tokens = config.for_codebook_size(8).build(3), mixture(40, 4, 3, 1.0)
    assert isinstance(quantizer, PostHocQuantizer)
    quantizer.initialize(tokens, seeded(0))
    (codebook,) = quantizer.codebooks()
    assert all((tokens == code).all(1).any() for code in codebook)
    coded = quantizer.eval()(as_latents(tokens))
    assert torch.equal(quantizer.lookup(coded.codes), coded.quantized)


@pytest.mark.parametrize("config", POST_HOC)
def test_the_fit_is_in_the_state_and_nothing_moves_the_codes_after_it(config: type[QuantizerConfig]) -> None:
    tokens, size = mixture(300, 8, 3, 3.0), 8
    fitted, restored = (config.for_codebook_size(size).build(3) for _ in range(2))
    assert isinstance(fitted, PostHocQuantizer)
    fitted.fit(tokens, seeded(0), told)
    before = fitted.codebook.clone()
    restored.load_state_dict(fitted.state_dict())
    for quantizer in (fitted, restored):
        codes = quantizer.train()(as_latents(tokens)).codes
        assert torch.equal(codes[:, 0, 0, 0], nearest_codes(tokens, before))
    assert torch.equal(fitted.codebook, before)
    assert list(fitted.parameters()) == []


@pytest.mark.parametrize("config", POST_HOC)
def test_the_fit_is_that_of_the_generator(config: type[QuantizerConfig]) -> None:
    tokens, books = mixture(300, 8, 3, 1.0), []
    for seed in (0, 0, 1):
        quantizer = config.for_codebook_size(8).build(3, seeded(7))
        assert isinstance(quantizer, PostHocQuantizer)
        quantizer.fit(tokens, seeded(seed))
        books.append(quantizer.codebook)
    assert torch.equal(books[0], books[1])
    assert not torch.equal(books[0], books[2])


@pytest.mark.parametrize(
    ("settings", "tokens"),
    [
        ({"codebook_size": 1024}, 65_536),
        ({"codebook_size": 4096}, 131_072),
        ({"codebook_size": 65_536}, 2_097_152),
        ({"codebook_size": 2**21}, 2**22),
        ({"codebook_size": 16, "fit_tokens": 0}, 512),
    ],
)
def test_codes_are_fitted_to_thirty_two_tokens_each_at_least(settings: dict[str, int], tokens: int) -> None:
    quantizer = KMeansConfig(**settings).build(1)
    assert isinstance(quantizer, PostHocQuantizer)
    assert quantizer.fit_tokens == tokens


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"starts": 0}, "starts is 0: give at least 1"),
        ({"rounds": 0}, "rounds is 0"),
        ({"fit_tokens": -1}, "fit_tokens is -1"),
        ({"codebook_size": 1}, "codebook_size is 1"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, int], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        KMeansConfig(**settings)

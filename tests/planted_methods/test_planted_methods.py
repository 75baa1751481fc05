"""Tests of the planted methods against known answers and vector-quantize-pytorch."""

from __future__ import annotations

import pytest
import torch
from vector_quantize_pytorch import LFQ, ResidualVQ, VectorQuantize

from lgq_explore.errors import InputError
from lgq_explore.quantizers import Quantizer, TakesCodebooks, nearest_codes, to_tokens

from . import PLANTED


def planted(method: str, dim: int, **settings: int) -> Quantizer:
    return PLANTED[method](**settings).build(dim, torch.Generator().manual_seed(0)).eval()


def normal(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_largest_dot_product_prefers_the_long_code_and_the_smallest_angle_the_straight_one() -> None:
    """Seen from (1, 0): the nearest is (0.9, 0.5), the straightest (5, 0), the largest product has (9, 9)."""
    point, codes = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.9, 0.5], [5.0, 0.0], [9.0, 9.0]])
    chosen = {}
    for method in ("planted-dot-product", "planted-cosine"):
        quantizer = planted(method, 2)
        assert isinstance(quantizer, TakesCodebooks)
        chosen[method] = quantizer.with_codebooks([codes])
    assert nearest_codes(point, codes).item() == 0
    assert chosen["planted-cosine"].assign(point).item() == 1
    assert chosen["planted-dot-product"].assign(point).item() == 2
    torch.testing.assert_close(chosen["planted-dot-product"].distances(point), torch.tensor([[-0.9, -5.0, -9.0]]))
    cosines = torch.tensor([[0.9 / (0.81 + 0.25) ** 0.5, 1.0, 0.5**0.5]])
    torch.testing.assert_close(chosen["planted-cosine"].distances(point), 1 - cosines)


@pytest.mark.parametrize("method", ["planted-dot-product", "planted-cosine"])
def test_another_metric_than_euclids_gives_other_codes(method: str) -> None:
    quantizer, points = planted(method, 8), normal(500, 8)
    (codebook,) = quantizer.codebooks()
    assert (quantizer.assign(points)[:, 0] == nearest_codes(points, codebook)).double().mean() < 0.8


def test_a_second_stage_takes_what_the_first_leaves() -> None:
    """Of 4.6 the first takes 4, and the second 0.5 of the 0.6 left. The pair (6, −1.4) is nearer, and is not found."""
    quantizer = planted("planted-residual", 1)
    assert isinstance(quantizer, TakesCodebooks)
    quantizer = quantizer.with_codebooks([torch.tensor([[0.0], [4.0], [6.0]]), torch.tensor([[-1.4], [0.5]])])
    point = torch.tensor([[4.6]])
    assert quantizer.assign(point).tolist() == [[1, 1]]
    assert quantizer.code_points().flatten().tolist() == pytest.approx([-1.4, 0.5, 2.6, 4.5, 4.6, 6.5])
    assert quantizer.distances(point).argmin().item() == 4  # (6, −1.4)
    assert quantizer.assign(point, torch.tensor([4, 5])).tolist() == [[2, 0]]
    assert quantizer.assign(point, torch.tensor([0, 2, 5])).tolist() == [[1, 0]]  # 4 is allowed to go on with −1.4 only


def test_cosine_codes_are_those_of_vector_quantize_pytorch() -> None:
    latents = normal(3, 8, 4, 4)
    quantizer, theirs = planted("planted-cosine", 8, codebook_size=64), VectorQuantize(8, 64, use_cosine_sim=True)
    (codebook,) = quantizer.codebooks()
    theirs.codebook = torch.nn.functional.normalize(codebook, dim=1)
    _, codes, _ = theirs.eval()(to_tokens(latents)[None])
    assert torch.equal(to_tokens(quantizer(latents).codes)[:, 0], codes[0])


def test_residual_codes_and_vectors_are_those_of_vector_quantize_pytorch() -> None:
    latents = normal(3, 8, 4, 4)
    quantizer, theirs = planted("planted-residual", 8), ResidualVQ(dim=8, num_quantizers=2, codebook_size=32)
    for layer, book in zip(theirs.layers, quantizer.codebooks(), strict=True):
        layer.codebook = book
    vectors, codes, _ = theirs.eval()(to_tokens(latents)[None])
    coded = quantizer(latents)
    assert torch.equal(to_tokens(coded.codes), codes[0])
    torch.testing.assert_close(to_tokens(coded.quantized), vectors[0])


def test_signs_are_those_of_vector_quantize_pytorch() -> None:
    latents, quantizer = normal(3, 8, 4, 4), planted("planted-signs", 8, signs=10)
    points = to_tokens(quantizer.continuous(latents))
    theirs = LFQ(dim=10, codebook_size=2**10).eval()
    signs, numbers, _ = theirs(points[None])
    codes = quantizer.assign(points)
    torch.testing.assert_close(signs[0], codes.float() * 2 - 1)
    bits = 2 ** torch.arange(9, -1, -1)
    assert torch.equal((codes * bits).sum(1), numbers[0])


def test_a_codebook_of_another_shape_is_refused_in_a_line() -> None:
    quantizer = planted("planted-residual", 8)
    assert isinstance(quantizer, TakesCodebooks)
    with pytest.raises(InputError, match=r"shapes \[\[3, 8\]\]: give 2 of \[K, 8\]"):
        quantizer.with_codebooks([torch.zeros(3, 8)])

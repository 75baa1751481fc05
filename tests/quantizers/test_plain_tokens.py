"""Tests of the codes and code vectors of plain tokens."""

from __future__ import annotations

import torch

from lgq_explore.quantizers import FSQConfig, VQConfig
from lgq_explore.quantizers.plain_tokens import code_vectors, codes_of


def test_code_vectors_of_many_codes_are_made_in_parts() -> None:
    torch.manual_seed(0)
    quantizer = FSQConfig((8, 8, 8, 6, 5, 5)).build(3).eval()
    vectors = code_vectors(quantizer)
    assert vectors.shape == (8 * 8 * 8 * 6 * 5 * 5, 3)
    last = torch.tensor([7, 7, 7, 5, 4, 4])[None, :, None, None]
    torch.testing.assert_close(vectors[-1], quantizer.lookup(last).flatten())


def test_the_codes_of_code_vectors_without_a_projection_are_the_codes() -> None:
    quantizer = VQConfig(codebook_size=16).build(3, torch.Generator().manual_seed(0)).eval()
    torch.testing.assert_close(codes_of(quantizer, code_vectors(quantizer)), torch.arange(16))

"""A study whose tokens are rounded to other codes than the method's own."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.models import Tokenizer
from lgq_explore.quantizers import Quantizer, QuantizerOutput, to_grid, to_tokens
from lgq_explore.runs.run import TrainedTokenizer
from lgq_explore.runs.study import Study

from .decoding import decode_codes


class OtherCodes(Quantizer):
    """Latents of another quantizer, rounded to the nearest of other codes [K, P] in the space where it rounds.

    For evaluation only. Nearest is Euclidean, whatever the other's metric: the codes may come from k-means.
    """

    codebook: Tensor

    def __init__(self, space: Quantizer, codebook: Tensor) -> None:
        super().__init__(space.dim, [len(codebook)])
        self.space = space
        self.register_buffer("codebook", codebook)

    def forward(self, latents: Tensor) -> QuantizerOutput:
        codes = to_grid(self.assign(to_tokens(self.continuous(latents))), latents)
        return QuantizerOutput(self.lookup(codes), codes)

    def codebooks(self) -> list[Tensor]:
        return [self.codebook]

    @property
    def learned_groups(self) -> tuple[int, ...]:
        return ()

    def continuous(self, latents: Tensor) -> Tensor:
        return self.space.continuous(latents)

    def decoder_input(self, points: Tensor) -> Tensor:
        return self.space.decoder_input(points)


@torch.no_grad()
def recoded(study: Study, codebook: Tensor) -> Study:
    """The study of the same pictures with the nearest codes of `codebook` [K', P] in place of the method's own.

    P is the width of the space of `Quantizer.continuous`; there is one group of K' codes. Encoder and decoder are as
    they were, and have never seen these codes.

    Raises:
        InputError: codes without a geometry, a codebook of another width, or with fewer than 2 codes.
    """
    study.require_geometry()
    width = study.points.shape[1]
    if codebook.ndim != 2 or codebook.shape[1] != width or len(codebook) < 2:
        raise InputError(f"the codebook has shape {list(codebook.shape)}: give [K, {width}], K at least 2")
    encoder, decoder = study.tokenizer.encoder, study.tokenizer.decoder
    quantizer = OtherCodes(study.quantizer, codebook.to(study.points))
    trained = replace(
        TrainedTokenizer.of(Tokenizer(encoder, quantizer, decoder)), finished_steps=study.trained.finished_steps
    )
    codes = to_grid(quantizer.assign(study.points), torch.from_numpy(study.encoding.latents)).numpy()
    encoding = replace(
        study.encoding,
        codes=codes,
        reconstructions=decode_codes(trained.on(study.device), codes),
        levels=torch.tensor(quantizer.levels).numpy(),
        weights=trained.digest,
    )
    return Study(trained, encoding, device=study.device)

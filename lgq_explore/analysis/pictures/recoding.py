"""What would a tokenizer make of pictures if it rounded to other codes?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.images.photographs import to_uint8
from lgq_explore.models import Tokenizer
from lgq_explore.quantizers import nearest_codes, to_grid
from lgq_explore.runs.encoding import BATCH_SIZE, Encoding

from ..code_space import token_points


@torch.no_grad()
def recoded(tokenizer: Tokenizer, encoding: Encoding, codebook: Tensor) -> Encoding:
    """The encoding with the nearest codes of `codebook` [K', E] in place of its own, and what they decode to.

    E is the width of the space of `Quantizer.continuous`; there is one group of K' codes. Encoder and decoder are as
    they were, and have never seen these codes.

    Raises:
        InputError: an encoding of another tokenizer, or a codebook of another width or with fewer than 2 codes.
    """
    quantizer = tokenizer.quantizer
    points = token_points(quantizer, encoding)
    if codebook.ndim != 2 or codebook.shape[1] != points.shape[1] or len(codebook) < 2:
        raise InputError(f"the codebook has shape {list(codebook.shape)}: give [K, {points.shape[1]}], K at least 2")
    codebook = codebook.to(points)
    codes = to_grid(nearest_codes(points, codebook)[:, None], torch.from_numpy(encoding.latents))
    pictures = [
        to_uint8(tokenizer.decode(quantizer.decoder_input(codebook[batch[:, 0]].movedim(-1, 1)))).cpu()
        for batch in codes.split(BATCH_SIZE)
    ]
    return replace(
        encoding,
        codes=codes.cpu().numpy(),
        reconstructions=torch.cat(pictures).numpy(),
        levels=np.array([len(codebook)]),
    )

"""Pictures decoded from codes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from lgq_explore.images.ranges import to_uint8
from lgq_explore.models import Tokenizer
from lgq_explore.quantizers import split_codes
from lgq_explore.runs.encoding import BATCH_SIZE

from ..codes import checked_codes


@torch.no_grad()
def decode_codes(tokenizer: Tokenizer, codes: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Codes [n, G, H, W] → pictures uint8 [n, 3, S, S] by a tokenizer in eval mode, in batches of a fixed size.

    The batch size is that of `encode`, so that the same codes give the same pixels.
    """
    device = next(tokenizer.parameters()).device
    batches = torch.from_numpy(codes).split(BATCH_SIZE)
    pictures = [to_uint8(tokenizer.decode(tokenizer.quantizer.lookup(batch.to(device)))).cpu() for batch in batches]
    return torch.cat(pictures).numpy()


def decode_alone(tokenizer: Tokenizer, codes: list[int], height: int, width: int) -> NDArray[np.uint8]:
    """For each joint code the picture of a grid [height, width] filled with that code, uint8 [n, 3, S, S].

    No encoder produces such a grid. It shows what the decoder makes of a code without its usual neighbours.

    Raises:
        InputError: a code outside 0 … K − 1.
    """
    quantizer = tokenizer.quantizer
    checked_codes(codes, quantizer.codebook_size)
    grids = torch.tensor(codes, dtype=torch.int64)[:, None, None].expand(-1, height, width)
    return decode_codes(tokenizer, split_codes(grids, quantizer.levels).numpy())

"""Where do tokens and codes lie in the space where a method rounds one to the other?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.quantizers import Quantizer, TakesCodebooks, to_tokens
from lgq_explore.runs.encoding import Encoding
from lgq_explore.runs.run import Run


def code_points(quantizer: Quantizer) -> Tensor:
    """`Quantizer.code_points`."""
    return quantizer.code_points()


def require_listed(quantizer: Quantizer) -> None:
    """`Quantizer.require_listed`."""
    quantizer.require_listed()


@torch.no_grad()
def token_points(quantizer: Quantizer, encoding: Encoding) -> Tensor:
    """The tokens of an encoding [N, E] in the same space, before rounding, in the order of (image, row, column).

    Raises:
        InputError: an encoding of another width or other levels than the quantizer's.
    """
    require_fit(quantizer, encoding)
    (book, *_) = quantizer.codebooks()
    return to_tokens(quantizer.continuous(torch.from_numpy(encoding.latents).to(book.device)))


def quantizer_at(run: Run, quantizer: Quantizer, step: int) -> Quantizer:
    """The run's quantizer with the codebooks of a snapshot; all else is as it is today.

    Raises:
        InputError: a step without snapshot, or a method that takes no other codebooks.
    """
    snapshots = run.codebook_snapshots()
    if step not in snapshots:
        raise InputError(f"there is no snapshot of step {step}: choose one of {', '.join(map(str, snapshots))}")
    return with_snapshot(quantizer, snapshots[step])


def with_snapshot(quantizer: Quantizer, codebooks: Sequence[ArrayLike]) -> Quantizer:
    """The quantizer with other learned codebooks. Raises InputError for a method that takes no others."""
    if not isinstance(quantizer, TakesCodebooks):
        raise InputError(f"{type(quantizer).__name__} takes no other codebooks than its own: look at today's")
    return quantizer.with_codebooks([torch.from_numpy(np.array(codebook)) for codebook in codebooks])


def require_fit(quantizer: Quantizer, encoding: Encoding) -> None:
    """Raise InputError unless the encoding can be the quantizer's own: its levels and the width of its latents."""
    levels, width = tuple(encoding.levels.tolist()), encoding.latents.shape[1]
    if levels != quantizer.levels or width != quantizer.dim:
        raise InputError(
            f"the encoding has levels {levels} and latents of width {width}, "
            f"the quantizer {quantizer.levels} and {quantizer.dim}: encode with the same run"
        )


def checked_codes(codes: Iterable[int], codebook_size: int) -> list[int]:
    """Joint codes, ascending, each once. Raises InputError for one outside 0 … K − 1."""
    distinct = sorted(set(codes))
    for code in distinct:
        if not 0 <= code < codebook_size:
            raise InputError(f"code {code} is outside 0 … {codebook_size - 1}: give joint codes of this codebook")
    return distinct

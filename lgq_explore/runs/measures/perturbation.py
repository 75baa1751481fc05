"""What reconstructions lose where some codes are replaced by near ones, as a generator's mistakes would."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lgq_explore.metrics.definition import Definition
from lgq_explore.metrics.image import psnr_db
from lgq_explore.metrics.mean import Mean
from lgq_explore.metrics.perceptual import FrechetDistance
from lgq_explore.quantizers import Quantizer
from lgq_explore.quantizers.base import joint_codes, split_codes

from .base import MeasuredBatch, MeasureSettings, decoded

PROBABILITY = 0.5
"""Of a token to be replaced."""

NEAREST_SHARE, MOST_NEAREST = 1 / 16, 256
"""A code is replaced by one of this share of the codebook, the nearest ones, of which there are at most so many."""

CODES_A_PASS = 256


class Perturbation:
    """Fréchet distance and PSNR of pictures decoded from perturbed codes, against the images."""

    definition: ClassVar[Definition] = Definition(
        summary="Fréchet distance and PSNR of pictures decoded from codes of which half are replaced by near ones",
        keys=("perturbed_fd", "perturbed_psnr_db"),
        formula="Each token's joint code is replaced with probability ½ by one of its δ nearest others in Euclidean "
        "distance, drawn uniformly, δ = K/16, at least 1 and at most 256, by a generator that the image's own codes "
        "seed. `perturbed_fd` and `perturbed_psnr_db` are `fd` and `psnr_db` of what is decoded.",
        unit="squared feature; dB",
        bias="As `fd` and `quality`. One setting of probability and neighbours, where pFID averages over several; null "
        "where joint codes are too many to list.",
        cost="One more decoding of each image, and as much as `fd`.",
        source="After pFID of Qiu et al. 2025, arXiv 2503.08354, whose distance is in features of Inception.",
        on_request=True,
    )
    of_codes: ClassVar[bool] = True

    def __init__(self, settings: MeasureSettings) -> None:
        self._tokenizer = settings.tokenizer
        quantizer = settings.tokenizer.quantizer
        self._neighbours = NearCodes(quantizer) if quantizer.can_be_listed else None
        self._distance, self._psnr = FrechetDistance.of(settings.pictures), Mean()

    def update(self, batch: MeasuredBatch) -> None:
        """Perturb and decode the batch's codes."""
        if self._neighbours is None:
            return
        quantizer = self._tokenizer.quantizer
        joint = perturbed(joint_codes(batch.codes, quantizer.levels).cpu(), self._neighbours)
        vectors = quantizer.lookup(split_codes(joint.to(batch.codes.device), quantizer.levels))
        pictures = decoded(self._tokenizer, vectors)
        self._distance.update(batch.unit_pictures, pictures)
        self._psnr.update(psnr_db(batch.unit_pictures, pictures))

    def merge(self, other: Self) -> None:
        """Add the images of another instance."""
        self._distance.merge(other._distance)
        self._psnr.merge(other._psnr)

    def numbers(self) -> dict[str, Any]:
        """The keys of the definition; None where joint codes are too many to list."""
        if self._neighbours is None:
            return dict.fromkeys(self.definition.keys)
        return {"perturbed_fd": self._distance.numbers()["fd"], "perturbed_psnr_db": self._psnr.compute()}


class NearCodes:
    """The nearest other codes of each joint code of a quantizer, found when they are first asked for."""

    def __init__(self, quantizer: Quantizer) -> None:
        self._points = quantizer.code_points().cpu().float()
        size = len(self._points)
        self.number = min(size - 1, max(1, min(MOST_NEAREST, int(size * NEAREST_SHARE))))
        self._nearest = np.full((size, self.number), -1, dtype=np.int64)

    def of(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Codes [N] → [N, number], the nearest first, the code itself left out."""
        for some in np.array_split(missing := self._missing(codes), -(-len(missing) // CODES_A_PASS) or 1):
            distances = torch.cdist(self._points[some], self._points)
            distances[torch.arange(len(some)), torch.from_numpy(some)] = torch.inf
            self._nearest[some] = distances.topk(self.number, largest=False).indices.numpy()
        return self._nearest[codes]

    def _missing(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        distinct = np.unique(codes)
        return distinct[self._nearest[distinct, 0] < 0]


def perturbed(joint: Tensor, neighbours: NearCodes) -> Tensor:
    """Joint codes [B, H, W] on the CPU with tokens replaced by near ones, each image by draws of its own."""
    return torch.stack([_perturbed_image(image, neighbours) for image in joint])


def _perturbed_image(joint: Tensor, neighbours: NearCodes) -> Tensor:
    codes = joint.flatten().numpy()
    # Seeded by its content, so that neither batches nor their order change what is drawn.
    digest = hashlib.blake2b(np.ascontiguousarray(codes, dtype="<i8").tobytes(), digest_size=8).digest()
    draws = np.random.default_rng(int.from_bytes(digest, "little"))
    replaced = draws.random(len(codes)) < PROBABILITY
    which = draws.integers(neighbours.number, size=len(codes))
    near = neighbours.of(codes)[np.arange(len(codes)), which]
    return torch.from_numpy(np.where(replaced, near, codes)).reshape(joint.shape)

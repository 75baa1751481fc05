"""Numbers of each photograph: what comparisons of methods resample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lgq_explore.errors import InputError
from lgq_explore.frames.comparison import PHOTOGRAPHS
from lgq_explore.images.cache import digest_of
from lgq_explore.images.source import Crops
from lgq_explore.metrics.feature_networks import if_available
from lgq_explore.metrics.image import ImageQuality
from lgq_explore.quantizers import Quantizer

from .code_counts import counts_by_photograph, usage_values
from .measures.base import MeasuredBatch, to_unit
from .picture_features import PairedFeatures, picture_features, require_pictures
from .study import Study

OF_CODES = ("active_codes", "entropy_bits")
"""Numbers of all tokens together that each photograph has a value of."""


class Reconstructed(Protocol):
    """Pictures and their reconstructions, uint8 [N, 3, S, S], with codes and photographs: an `Encoding` is one."""

    @property
    def images(self) -> NDArray[np.uint8]: ...
    @property
    def reconstructions(self) -> NDArray[np.uint8]: ...
    @property
    def codes(self) -> NDArray[np.integer]: ...
    @property
    def photograph(self) -> NDArray[np.int64]: ...
    @property
    def scene(self) -> NDArray[np.int64]: ...
    @property
    def photograph_names(self) -> NDArray[np.str_]: ...


def photograph_numbers(study: Study, features: PairedFeatures | None = None) -> pd.DataFrame:
    """One row per photograph of a study, in the encoding's order, with means over its crops.

    Crops of one photograph are not independent: comparisons of methods resample photographs. Versions of one picture,
    such as a light and a dark one, are one photograph, by the name of the first.

    The means of `psnr_db`, `ssim`, `l1` and `feature_error` over all crops, each photograph weighted by its `crops`,
    are those of `evaluate`. FD, the active codes and the entropy are numbers that only all photographs have: the means
    over photographs of equal weight of `fd` (`metrics.frechet.frechet_influence`), `active_codes` and `entropy_bits`
    (`code_counts.usage_values`). `digest` is of the pixels of the crops, so that rows of two runs belong
    together by what the photographs show. Without `features` the feature error and FD are NaN, as the numbers of
    codes are for a method without them, and the SSIM of crops that are too small for it.

    Raises:
        InputError: features of another number of pictures, or a study without pictures.
    """
    require_pictures(study)
    _require_fit(features, len(study.encoding))
    return _numbers(study.encoding, features, study.quantizer)


def _numbers(pictures: Reconstructed, features: PairedFeatures | None, quantizer: Quantizer) -> pd.DataFrame:
    scenes, owner = np.unique(pictures.scene, return_inverse=True)
    errors = None if features is None else _relative(features)
    together = {"fd": _distances(features, owner), **_of_codes(pictures, quantizer)}
    rows = []
    for place in range(len(scenes)):
        crops = np.flatnonzero(owner == place)
        images = pictures.images[crops]
        quality = ImageQuality()
        quality.update(to_unit(torch.from_numpy(images)), to_unit(torch.from_numpy(pictures.reconstructions[crops])))
        rows.append(
            {
                "photograph": str(pictures.photograph_names[pictures.photograph[crops[0]]]),
                "digest": digest_of(images),
                "crops": len(crops),
                **quality.numbers(),
                "feature_error": np.nan if errors is None else errors[crops].mean(),
                **{name: values[place] for name, values in together.items()},
            }
        )
    return PHOTOGRAPHS.frame(rows)


@dataclass(frozen=True, eq=False)
class _Gathered:
    """`Reconstructed` of an evaluation."""

    images: NDArray[np.uint8]
    reconstructions: NDArray[np.uint8]
    codes: NDArray[np.integer]
    photograph: NDArray[np.int64]
    scene: NDArray[np.int64]
    photograph_names: NDArray[np.str_]


class EachPhotograph:
    """`photograph_numbers` of an evaluation, gathered over its batches beside its measures.

    network: gives that of the features, run on the device; None to leave features out, as where it is not installed.
    """

    def __init__(self, quantizer: Quantizer, network: Callable[[], nn.Module] | None, device: torch.device) -> None:
        self._quantizer = quantizer
        self._network = None if network is None else if_available(network)[0]
        self._device = device
        if self._network is not None:
            self._network.to(device)
        self._reconstructions: list[Tensor] = []
        self._codes: list[Tensor] = []
        self._features: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []

    def update(self, batch: MeasuredBatch) -> None:
        """Add the pictures of a batch."""
        self._reconstructions.append(batch.reconstructions)
        self._codes.append(batch.codes.cpu())
        if self._network is not None:
            images, found = (
                picture_features(self._network, pictures.numpy(), self._device)
                for pictures in (batch.pictures, batch.reconstructions)
            )
            self._features.append((images, found))

    def numbers(self, crops: Crops) -> pd.DataFrame:
        """The frame, of all batches; crops: those that were evaluated."""
        found, codes = (torch.cat(parts).numpy() for parts in (self._reconstructions, self._codes))
        names = np.array(crops.names)
        gathered = _Gathered(crops.images.numpy(), found, codes, crops.photograph, crops.scene, names)
        return _numbers(gathered, self.features, self._quantizer)

    @property
    def features(self) -> PairedFeatures | None:
        """Of all batches, in their order."""
        if not self._features:
            return None
        images, reconstructions = (np.concatenate(parts) for parts in zip(*self._features, strict=True))
        return PairedFeatures(images, reconstructions)


def _relative(features: PairedFeatures) -> NDArray[np.float64]:
    """The squared error of each picture over the variance of all; NaN where the features do not vary."""
    return features.squared_errors / (features.variance or np.nan)


def _distances(features: PairedFeatures | None, owner: NDArray[np.int64]) -> NDArray[np.float64]:
    """The values of photographs whose mean is FD; NaN without features, and of a single picture."""
    if features is None or len(features) < 2:
        return np.full(owner.max() + 1, np.nan)
    return features.frechet_influence(owner).values


def _of_codes(pictures: Reconstructed, quantizer: Quantizer) -> dict[str, NDArray[np.float64]]:
    if not quantizer.has_codes:
        return dict.fromkeys(OF_CODES, np.full(len(np.unique(pictures.scene)), np.nan))
    counts = counts_by_photograph(pictures.codes, pictures.scene)
    return usage_values(counts, quantizer.codebook_size, OF_CODES)


def _require_fit(features: PairedFeatures | None, pictures: int) -> None:
    if features is not None and len(features) != pictures:
        raise InputError(
            f"the features are of {len(features)} pictures, and the study has {pictures}: "
            "give paired_features of this study"
        )

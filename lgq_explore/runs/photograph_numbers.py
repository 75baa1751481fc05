"""Numbers of each photograph: what comparisons of methods resample."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from lgq_explore.errors import InputError
from lgq_explore.frames.comparison import PHOTOGRAPHS
from lgq_explore.metrics.feature_networks import (
    EFFICIENTNET_LITE0,
    EfficientNetLite0Features,
    if_available,
    require_efficientnet_lite0,
)
from lgq_explore.metrics.image import ImageQuality
from lgq_explore.metrics.moments import Moments
from lgq_explore.metrics.perceptual import IMAGES_PER_PASS
from lgq_explore.progress import Progress

from .measures.base import to_unit
from .study import Study


@dataclass(frozen=True, eq=False)
class PairedFeatures:
    """Pooled features of N pictures and of their reconstructions, float32 [N, F] each, in the order of an encoding.

    network: the name of the features, as in `FrechetDistance`.
    """

    images: NDArray[np.float32]
    reconstructions: NDArray[np.float32]
    network: str

    @property
    def squared_errors(self) -> NDArray[np.float64]:
        """|φ(x) − φ(x̂)|² of each picture, [N]."""
        return np.square(self.images.astype(np.float64) - self.reconstructions).sum(axis=1)

    @property
    def variance(self) -> float:
        """tr cov φ(x) over the pictures, divided by N as in `FeatureError`."""
        moments = Moments()
        moments.update(torch.from_numpy(self.images))
        return moments.covariance.trace().item()


@torch.no_grad()
def paired_features(study: Study, *, progress: bool = True) -> PairedFeatures:
    """Features of EfficientNet-Lite0 of a study's pictures and reconstructions: some 0.1 s a picture on a CPU.

    Raises InputError, with the remedy, where the network is not installed, and for a study without pictures.
    """
    encoding = study.encoding
    _require_pictures(study)
    network, why = if_available(_network)
    if network is None:
        raise InputError(f"features need EfficientNet-Lite0: {why}")
    network.to(study.device)
    pairs = {"images": encoding.images, "reconstructions": encoding.reconstructions}
    found: dict[str, list[torch.Tensor]] = {name: [] for name in pairs}
    with Progress("features", len(encoding), "crops", shown=progress) as bar:
        for start in range(0, len(encoding), IMAGES_PER_PASS):
            for name, pictures in pairs.items():
                part = torch.from_numpy(pictures[start : start + IMAGES_PER_PASS])
                found[name].append(network(part.to(study.device)).cpu())
            bar.advance(min(IMAGES_PER_PASS, len(encoding) - start))
    return PairedFeatures(
        **{name: torch.cat(parts).numpy() for name, parts in found.items()}, network=EFFICIENTNET_LITE0
    )


def photograph_numbers(study: Study, features: PairedFeatures | None = None) -> pd.DataFrame:
    """One row per photograph of a study, in the encoding's order, with means over its crops.

    Crops of one photograph are not independent: comparisons of methods resample photographs.

    The means of `psnr_db`, `ssim`, `l1` and `feature_error` over all crops, each photograph weighted by its `crops`,
    are those of `evaluate`. `digest` is of the pixels of the crops, so that rows of two runs belong together by what
    the photographs show. Without `features` the feature error is NaN, and the SSIM of crops that are too small for it.

    Raises:
        InputError: features of another number of pictures, or a study without pictures.
    """
    _require_pictures(study)
    encoding = study.encoding
    _require_fit(features, len(encoding))
    errors = None if features is None else _relative(features)
    rows = []
    for index in np.unique(encoding.photograph):
        crops = np.flatnonzero(encoding.photograph == index)
        images = encoding.images[crops]
        quality = ImageQuality()
        quality.update(to_unit(torch.from_numpy(images)), to_unit(torch.from_numpy(encoding.reconstructions[crops])))
        rows.append(
            {
                "photograph": str(encoding.photograph_names[index]),
                "digest": hashlib.sha256(np.ascontiguousarray(images).tobytes()).hexdigest(),
                "crops": len(crops),
                **quality.numbers(),
                "feature_error": np.nan if errors is None else errors[crops].mean(),
            }
        )
    return PHOTOGRAPHS.frame(rows)


def _network() -> EfficientNetLite0Features:
    require_efficientnet_lite0()
    return EfficientNetLite0Features()


def _relative(features: PairedFeatures) -> NDArray[np.float64]:
    """The squared error of each picture over the variance of all; NaN where the features do not vary."""
    return features.squared_errors / (features.variance or np.nan)


def _require_pictures(study: Study) -> None:
    if not study.encoding.images.size:
        raise InputError(f"{study!r} has codes alone, without pictures: give lgq.study(run)")


def _require_fit(features: PairedFeatures | None, pictures: int) -> None:
    if features is not None and len(features.images) != pictures:
        raise InputError(
            f"the features are of {len(features.images)} pictures, and the study has {pictures}: "
            "give paired_features of this study"
        )

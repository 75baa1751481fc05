"""Features of pictures and of their reconstructions in a trained network, pair by pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lgq_explore.devices import CPU
from lgq_explore.errors import InputError
from lgq_explore.metrics.feature_networks import EFFICIENTNET_LITE0, efficientnet_lite0_features, if_available
from lgq_explore.metrics.frechet import FrechetInfluence, frechet_distance, frechet_influence
from lgq_explore.metrics.moments import Moments
from lgq_explore.metrics.perceptual import IMAGES_PER_PASS
from lgq_explore.progress import Progress

from .kept_features import KeptFeatures
from .study import Study


@dataclass(frozen=True, eq=False)
class PairedFeatures:
    """Pooled features of N pictures and of their reconstructions, float32 [N, F] each, in the order of an encoding.

    network: the name of the features, as in `FrechetDistance`.
    """

    images: NDArray[np.float32]
    reconstructions: NDArray[np.float32]
    network: str = EFFICIENTNET_LITE0

    def __len__(self) -> int:
        return len(self.images)

    def of(self, chosen: NDArray[np.int64]) -> PairedFeatures:
        """Those of some of the pictures."""
        return PairedFeatures(self.images[chosen], self.reconstructions[chosen], self.network)

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

    @property
    def frechet_distance(self) -> float:
        """FD of the pictures and their reconstructions. Raises InputError for fewer than 2 pictures."""
        return frechet_distance(torch.from_numpy(self.images), torch.from_numpy(self.reconstructions))

    def frechet_influence(self, group: NDArray[np.int64]) -> FrechetInfluence:
        """FD, and the values of groups of pictures whose mean it is; group: [N], the photograph of each, from 0 on."""
        return frechet_influence(torch.from_numpy(self.images), torch.from_numpy(self.reconstructions), group)


STRIDES = (8, 4, 2, 1)
"""Of the photographs every eighth, fourth, second and each, of which `fd_by_photographs` has the distance."""


def fd_by_photographs(features: PairedFeatures, photograph: NDArray[np.int64]) -> dict[int, float]:
    """FD of fewer photographs, by their number: of every STRIDES-th. photograph: [N], that of each crop.

    FD of few pictures is biased upwards: its course says how far it may differ between methods. A single photograph,
    whose crops say nothing of others, is left out.
    """
    owners = np.unique(photograph, return_inverse=True)[1]
    photographs = int(owners.max()) + 1
    chosen = {len(range(0, photographs, stride)): stride for stride in STRIDES}
    return {
        number: features.of(np.flatnonzero(owners % stride == 0)).frechet_distance
        for number, stride in chosen.items()
        if number > 1
    }


def picture_features(
    network: nn.Module,
    pictures: NDArray[np.uint8],
    device: torch.device = CPU,
    told: Callable[[int], None] | None = None,
) -> NDArray[np.float32]:
    """The features [N, F] of pictures uint8 [N, 3, S, S]; EfficientNet-Lite0 takes some 0.05 s for each on a CPU.

    told: is given the number of pictures of each batch that is done.
    """
    found = []
    with torch.no_grad():
        for part in torch.from_numpy(pictures).split(IMAGES_PER_PASS):
            found.append(network(part.to(device)).float().cpu().numpy())
            if told:
                told(len(part))
    return np.concatenate(found)


class FeaturesOfStudies:
    """Paired features of one study after the other; images that are those of another one are not computed again.

    network: uint8 [B, 3, S, S] → [B, F]; by default EfficientNet-Lite0. Raises InputError, with the remedy, where that
    is not installed.
    """

    def __init__(self, network: nn.Module | None = None) -> None:
        if network is None:
            network, why = if_available(efficientnet_lite0_features)
            if network is None:
                raise InputError(f"features need EfficientNet-Lite0: {why}")
        self._network = network
        self._kept: tuple[NDArray[np.uint8], KeptFeatures] | None = None

    def __call__(self, study: Study, *, progress: bool = True) -> PairedFeatures:
        """The features of a study's pictures. Raises InputError for one without pictures."""
        require_pictures(study)
        encoding, device = study.encoding, study.device
        kept = self._of(encoding.images, device)
        with Progress("features", 2 * len(encoding), "pictures", shown=progress) as bar:
            images, reconstructions = (
                picture_features(kept, pictures, device, bar.advance)
                for pictures in (encoding.images, encoding.reconstructions)
            )
        return PairedFeatures(images, reconstructions)

    def _of(self, images: NDArray[np.uint8], device: torch.device) -> KeptFeatures:
        """The network that keeps the features of these images, in memory while studies have the same."""
        if self._kept is None or not np.array_equal(self._kept[0], images):
            self._kept = images, KeptFeatures(self._network, torch.from_numpy(images), device)
        return self._kept[1]


def paired_features(study: Study, *, progress: bool = True) -> PairedFeatures:
    """Features of EfficientNet-Lite0 of a study's pictures and reconstructions: some 0.1 s a pair on a CPU.

    Raises InputError, with the remedy, where the network is not installed, and for a study without pictures.
    """
    return FeaturesOfStudies()(study, progress=progress)


def require_pictures(study: Study) -> None:
    """Raise InputError for a study of codes alone."""
    if not study.encoding.images.size:
        raise InputError(f"{study!r} has codes alone, without pictures: give lgq.study(run)")

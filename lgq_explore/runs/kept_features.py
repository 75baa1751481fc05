"""Features of the pictures that reconstructions are compared with, kept in a file for the next run that needs them.

All runs of a comparison have the same held-out pictures, whose features take half of the time of a Fréchet distance.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from lgq_explore.devices import CPU, model_of
from lgq_explore.files import remove_leftovers, whole_file
from lgq_explore.folders import data_directory
from lgq_explore.images.cache import digest_of

from .run_files import digest_of_weights


class KeptFeatures(nn.Module):
    """A network of features that computes those of given pictures once, for all processes on a machine.

    network: uint8 [B, 3, S, S] → float32 [B, F]. pictures: uint8 [N, 3, S, S] on the CPU, whose features are kept in a
    file in ``data_directory()/"features"`` when all have been seen. Other pictures always go through the network.

    The file's name is a digest of the pictures, the network's weights, and what changes the last digits of features:
    the device, the number of threads, and the version of PyTorch. The file is not trusted, since it has its own digest;
    a damaged one is written again. The folder can be deleted at any time. Where it can't be written, features are kept
    in memory alone.
    """

    def __init__(self, network: nn.Module, pictures: Tensor, device: torch.device = CPU) -> None:
        super().__init__()
        self.network = network.to(device)
        self.num_features = getattr(network, "num_features", None)  # which torchmetrics reads
        digests = [digest_of(picture.numpy()) for picture in pictures]
        self._pictures = len(digests)
        self._row = {digest: row for row, digest in enumerate(digests)}
        self._path = data_directory() / "features" / f"{_identity(network, device, digests)}.safetensors"
        self._features = _read(self._path, self._pictures)
        self._missing = set() if self._features is not None else set(self._row.values())

    def forward(self, images: Tensor) -> Tensor:
        """uint8 [B, 3, S, S] → float32 [B, F]."""
        rows = self._rows(images)
        if rows is None:
            return self._computed(images)
        features = self._features
        if features is None or self._missing.intersection(rows):
            features = self._with(rows, self._computed(images))
        return features[rows].to(images.device)

    def _computed(self, images: Tensor) -> Tensor:
        features: Tensor = self.network(images)
        return features

    def _rows(self, images: Tensor) -> list[int] | None:
        """The places of a batch among the pictures; None if one is not among them."""
        rows = []
        for image in images.cpu():
            row = self._row.get(digest_of(image.numpy()))
            if row is None:
                return None
            rows.append(row)
        return rows

    def _with(self, rows: list[int], found: Tensor) -> Tensor:
        """All features so far [N, F], with those of some rows; they are written when none is missing."""
        if self._features is None:
            self._features = torch.zeros(self._pictures, found.shape[1])
        self._features[rows] = found.float().cpu()
        self._missing.difference_update(rows)
        if not self._missing:
            _write(self._path, self._features)
        return self._features


def _identity(network: nn.Module, device: torch.device, pictures: list[str]) -> str:
    """A digest of all that features depend on."""
    kind = type(network)
    machine = [model_of(device), torch.backends.cpu.get_cpu_capability(), str(torch.get_num_threads())]
    weights = digest_of_weights(network)
    depends_on = [f"{kind.__module__}.{kind.__qualname__}", weights, torch.__version__, *machine, *pictures]
    return hashlib.sha256("\n".join(depends_on).encode()).hexdigest()


def _read(path: Path, pictures: int) -> Tensor | None:
    """The features in a file [N, F]; None without one, or where it is damaged."""
    try:
        content = load(path.read_bytes())
        features, digest = content["features"], content["sha256"].numpy().tobytes().hex()
    except (OSError, SafetensorError, KeyError):
        return None
    is_whole = features.ndim == 2 and len(features) == pictures and digest_of(features.numpy()) == digest
    return features if is_whole else None


def _write(path: Path, features: Tensor) -> None:
    digest = torch.tensor(list(bytes.fromhex(digest_of(features.numpy()))), dtype=torch.uint8)
    with suppress(OSError):  # the folder may be another user's, or the disk full
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent)
        with whole_file(path) as target:
            target.write(save({"features": features, "sha256": digest}))

"""CIFAR-10 through torchvision: 50,000 pictures of 32 × 32 pixels to train on, its 10,000 test pictures held out.

About 3 % of its test pictures are near copies of training pictures (B. Barz and J. Denzler, "Do we train on test data?
Purging CIFAR of near-duplicates", 2020).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from ...errors import InputError, printable
from ..crops import Photographs
from ..downloads import downloaded
from ..photographs import PhotographSource
from ..source import SourceKind

SIDE = 32


class Cifar10(SourceKind):
    form = "cifar10"
    description = "60,000 pictures of 32 px, the test pictures held out (torchvision downloads 170 MB once)"

    def open(self, argument: str, image_size: int, *, seed: int, split: bool) -> PhotographSource:
        if image_size > SIDE:
            raise InputError(
                f"cifar10 has pictures of {SIDE} px, too few for crops of {image_size}: give {SIDE} or less"
            )
        # Imported where it is needed: no other source needs it, and it takes as long as torch.
        from torchvision.datasets import CIFAR10

        folder = downloaded("cifar10", CIFAR10)
        training, held_out = _pictures(folder, is_training=True), _pictures(folder, is_training=False)
        identity = hashlib.sha256(f"cifar10, split: {split}".encode())
        for photographs in (training, held_out):
            for pixels in photographs.pixels:
                identity.update(np.ascontiguousarray(pixels).data)
        if not split:
            training, held_out = training.select([]), training.joined(held_out)
        return PhotographSource("cifar10", image_size, seed, training, held_out, identity.hexdigest())


def _pictures(folder: Path, *, is_training: bool) -> Photographs:
    from torchvision.datasets import CIFAR10

    try:
        pictures = CIFAR10(folder, train=is_training)
    except (RuntimeError, OSError) as error:
        raise InputError(
            f"cifar10 can't be read: {printable(error)}.\nDelete {printable(folder)}, so that it is downloaded again."
        ) from error
    side = "train" if is_training else "test"
    classes = [pictures.classes[number] for number in pictures.targets]
    names = tuple(f"{side}/{index:05d} {name}" for index, name in enumerate(classes))
    return Photographs(tuple(pictures.data), names, names)

"""Imagenette through torchvision: ten classes of ImageNet in its layout, in files whose shorter side has 320 pixels."""

from __future__ import annotations

from functools import partial

from ..downloads import downloaded
from ..picture_files import PictureFileSource
from ..picture_folders import open_picture_files
from ..source import SourceKind

SIZE = "320px"


class Imagenette(SourceKind):
    form = "imagenette"
    description = "13,000 photographs of ten classes of ImageNet, in 320 px (torchvision downloads 330 MB once)"

    def open(self, argument: str, image_size: int, *, seed: int, split: bool) -> PictureFileSource:
        # Imported where it is needed, as in `cifar10`.
        from torchvision import datasets

        folder = downloaded("imagenette", partial(datasets.Imagenette, size=SIZE))
        return open_picture_files("imagenette", folder / "imagenette2-320", image_size, seed=seed, split=split)

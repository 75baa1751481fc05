"""A source of photographs that are decoded in advance, split by their content, and cropped.

A photograph is prepared once (decoded to uint8 RGB, its shorter side resized to 8·S pixels, never enlarged)
and then cut into crops of S×S pixels, S being the image size. A crop shows a detail of the scene rather than the whole
scene.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from .cache import PreparedPictures, digest_of
from .copies import copies
from .crops import NO_PHOTOGRAPHS, Photographs, evaluation_crops, training_batch
from .division import HELD_OUT, TRAINING, VALIDATION, Division, divided_identity, parts_of
from .source import Crops, PictureCounts, Skipped, Source, no_usable_picture, no_validation, one_picture
from .splits import groups_of, held_out_groups


@dataclass(frozen=True, eq=False)
class PhotographSource(Source):
    """Splits of photographs that share no picture, and the files that were skipped.

    `spec` has a folder's path resolved. `validation` is empty unless a `Division` asks for it. `identity` is the
    SHA-256 (hexadecimal) of names, splits and prepared pixels.
    """

    spec: str
    image_size: int
    seed: int
    training: Photographs
    evaluation: Photographs
    identity: str
    skipped: Sequence[Skipped] = ()
    validation: Photographs = NO_PHOTOGRAPHS

    @classmethod
    def of(cls, spec: str, prepared: PreparedPictures, image_size: int, *, seed: int, split: bool) -> PhotographSource:
        """The source of prepared pictures.

        About a quarter of them is held out, chosen by a hash of their names. Versions of one picture (by name, see
        `splits`) and copies (by content, see `copies`) are in the same split. With ``split=False`` all are held out.

        Raises:
            InputError: no picture, or fewer than two different pictures to split.
        """
        if not prepared.names:
            raise no_usable_picture(spec, prepared.skipped, image_size)
        groups = groups_of(prepared.names, copies(prepared.pixels, prepared.digests, prepared.sketches))
        held_out = held_out_groups(groups) if split else frozenset(groups)
        if not held_out:
            raise one_picture(spec, prepared.names, len(prepared.skipped))
        photographs = Photographs(prepared.pixels, prepared.names, groups, prepared.contents)
        identity = hashlib.sha256()
        for name, group, digest in zip(prepared.names, groups, prepared.digests, strict=True):
            identity.update(ascii((name, group in held_out, digest)).encode())
        return cls(
            spec=spec,
            image_size=image_size,
            seed=seed,
            training=photographs.select(i for i, group in enumerate(groups) if group not in held_out),
            evaluation=photographs.select(i for i, group in enumerate(groups) if group in held_out),
            skipped=prepared.skipped,
            identity=identity.hexdigest(),
        )

    @property
    def counts(self) -> PictureCounts:
        return PictureCounts(len(self.training), len(self.evaluation), len(self.skipped))

    def batch(self, step: int, rows: Sequence[int]) -> Tensor:
        size = max(rows, default=0) + 1
        return training_batch(self.training, self.image_size, seed=self.seed, step=step, batch_size=size, rows=rows)

    def held_out(self, limit: int) -> Crops:
        """Crops of the held-out photographs from a fixed grid, see `evaluation_crops`."""
        return evaluation_crops(self.evaluation, self.image_size, limit)

    def training_crops(self, limit: int) -> Crops:
        """Crops of the training photographs from the same grid as the held-out ones."""
        return evaluation_crops(self.training, self.image_size, limit)

    def validation_crops(self, limit: int) -> Crops:
        """Crops of the validation photographs from the same grid as the held-out ones."""
        if not len(self.validation):
            raise no_validation(self.spec)
        return evaluation_crops(self.validation, self.image_size, limit)

    def divided(self, division: Division) -> PhotographSource:
        """The same photographs, divided by a hash of their files; those without files by one of their pixels.

        Photographs of one group are in one part. Raises InputError for too few photographs.
        """
        pool = self.training.joined(self.evaluation) if division.held_out else self.training
        order = sorted(range(len(pool)), key=lambda index: pool.names[index])  # whatever the source's own split
        pool = pool.select(order)
        contents = pool.contents or tuple(map(digest_of, pool.pixels))
        parts = parts_of(self.spec, pool.groups, contents, division)
        training, validation, held_out = (
            pool.select(index for index, part in enumerate(parts) if part == wanted)
            for wanted in (TRAINING, VALIDATION, HELD_OUT)
        )
        return replace(
            self,
            training=training,
            validation=validation,
            evaluation=held_out if division.held_out else self.evaluation,
            identity=divided_identity(self.identity, division),
        )

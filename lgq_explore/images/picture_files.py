"""A source of any number of picture files, each decoded when one of its crops is needed.

A picture is prepared as in `photographs`, and crops are drawn alike, so that a folder gives the same batches both
ways. But nothing of it is kept, neither in memory nor on the disk: of more pictures, only the names take more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError, printable
from .cutting import SIDE_IN_CROPS, Draw, cells_of, draws, even_shares, evenly
from .decoding import UnusablePicture, read_picture
from .decoding_processes import DecodingProcesses, decoding_processes
from .decoding_worker import Cut, Wanted
from .division import HELD_OUT, TRAINING, VALIDATION, Division, divided_identity, parts_of
from .source import Crops, PictureCounts, Skipped, Source, no_usable_picture, no_validation, require_crops
from .splits import group_of

MOST_REPLACED = 256
"""How many pictures in a row may be unusable where one is wanted."""


@dataclass(frozen=True, eq=False)
class PictureFiles:
    """The names of files, relative to `folder`, and their sizes in bytes, int64 [N]."""

    folder: Path
    names: Sequence[str]
    sizes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)

    def select(self, chosen: NDArray[np.bool_]) -> PictureFiles:
        """The files where `chosen`, bool [N], is true."""
        return PictureFiles(
            self.folder, [self.names[index] for index in np.flatnonzero(chosen).tolist()], self.sizes[chosen]
        )

    def joined(self, others: PictureFiles) -> PictureFiles:
        """These files and `others` of the same folder, sorted by name."""
        names, sizes = [*self.names, *others.names], np.concatenate([self.sizes, others.sizes])
        order = sorted(range(len(names)), key=names.__getitem__)
        return PictureFiles(self.folder, [names[index] for index in order], sizes[order])


class PictureFileSource(Source):
    """Picture files to train on, and others to evaluate on, decoded by worker processes.

    A file that gives no picture is replaced by another draw of the same row, and is in `skipped` from then on. So a row
    is a function of the seed, the step, its index, and the files; the number of processes does not matter. A file that
    cannot be read for a while (an error of the disk) is replaced as long as that lasts.

    `identity` is the SHA-256 (hexadecimal) of the names and sizes of all files and of their splits; no file is read for
    it. So it does not tell when a file was replaced by another one of the same size.

    Raises InputError if there is no usable picture among the first `MOST_REPLACED` of a split.
    """

    def __init__(
        self,
        spec: str,
        image_size: int,
        *,
        seed: int,
        training: PictureFiles,
        evaluation: PictureFiles,
        validation: PictureFiles | None = None,
        identity: str | None = None,
        skipped: Sequence[Skipped] = (),
    ) -> None:
        self.spec, self.image_size, self.seed = spec, image_size, seed
        self.training, self.evaluation, self.validation = training, evaluation, validation
        self.identity = identity or _identity(training, evaluation)
        self.skipped: list[Skipped] = list(skipped)
        self._processes = decoding_processes()
        self._decoding: DecodingProcesses | None = None
        for files in filter(len, (evaluation, training)):
            _require_usable(spec, files, image_size)

    @property
    def counts(self) -> PictureCounts:
        """The numbers of files, whether they are usable or not."""
        return PictureCounts(len(self.training), len(self.evaluation), len(self.skipped))

    def batch(self, step: int, rows: Sequence[int]) -> Tensor:
        if not len(self.training):
            raise InputError(f"{printable(self.spec)} has no picture to train on: load it with a split")
        self._decoding = self._decoding or DecodingProcesses(self._processes)
        images = torch.empty((len(rows), 3, self.image_size, self.image_size), dtype=torch.uint8)
        places = list(range(len(rows)))
        for replacement in range(MOST_REPLACED):
            drawn = draws(self.seed, step, [rows[place] for place in places], replacement=replacement)
            chosen = [int(draw.photograph * len(self.training)) for draw in drawn]
            wanted = [self._wanted(self.training, index, draw) for index, draw in zip(chosen, drawn, strict=True)]
            cuts = self._cuts(self._decoding, self.training, chosen, wanted)
            for place, cut in zip(places, cuts, strict=True):
                if cut is not None:
                    images[place] = torch.from_numpy(cut.crops[0])
            places = [place for place, cut in zip(places, cuts, strict=True) if cut is None]
            if not places:
                return images
        raise _too_many_unusable(self.spec, self.skipped[-1])

    def held_out(self, limit: int) -> Crops:
        """Crops of the held-out pictures from the grid of `evaluation_crops`."""
        return self._grid(self.evaluation, limit)

    def training_crops(self, limit: int) -> Crops:
        """Crops of the training pictures from the same grid as the held-out ones."""
        return self._grid(self.training, limit)

    def validation_crops(self, limit: int) -> Crops:
        """Crops of the validation pictures from the same grid as the held-out ones."""
        if self.validation is None or not len(self.validation):
            raise no_validation(self.spec)
        return self._grid(self.validation, limit)

    def divided(self, division: Division) -> PictureFileSource:
        """The same files, divided by a hash of their names, since reading a million of them would take hours.

        Versions of one picture, by its name, are in one part. Raises InputError for too few files.
        """
        pool = self.training.joined(self.evaluation) if division.held_out else self.training
        groups = [group_of(name) for name in pool.names]
        parts = np.array(parts_of(self.spec, groups, groups, division))
        return PictureFileSource(
            self.spec,
            self.image_size,
            seed=self.seed,
            training=pool.select(parts == TRAINING),
            evaluation=pool.select(parts == HELD_OUT) if division.held_out else self.evaluation,
            validation=pool.select(parts == VALIDATION),
            identity=divided_identity(self.identity, division),
            skipped=self.skipped,
        )

    def state_dict(self) -> dict[str, Any]:
        """The files that gave no picture so far, so that a resumed run names them, too."""
        return {"skipped": [asdict(file) for file in self.skipped]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        known = {file.name for file in self.skipped}
        before = [Skipped(**file) for file in state.get("skipped", ())]
        self.skipped += [file for file in before if file.name not in known]

    def close(self) -> None:
        """End the processes that decode for `batch`."""
        if self._decoding is not None:
            self._decoding.close()
            self._decoding = None

    def _grid(self, files: PictureFiles, limit: int) -> Crops:
        """At most `limit` crops, spread as by `evaluation_crops`; others are in the place of unusable pictures."""
        require_crops(limit)
        with DecodingProcesses(min(self._processes, len(files))) as decoding:
            cuts = self._one_crop_each(decoding, files, limit)
            if not cuts:
                raise _too_many_unusable(self.spec, self.skipped[-1])
            cells = np.array([cells_of(cut.height, cut.width, self.image_size) for cut in cuts.values()])
            shares = even_shares(cells, limit)
            more = [(index, share) for index, share in zip(cuts, shares.tolist(), strict=True) if share > 1]
            wanted = [self._wanted(files, index, cells=share) for index, share in more]
            chosen = [index for index, _ in more]
            for index, cut in zip(chosen, self._cuts(decoding, files, chosen, wanted), strict=True):
                cuts[index] = cut or cuts[index]  # the file may have gone in between
        names = tuple(files.names[index] for index in cuts)
        photograph = np.repeat(np.arange(len(cuts), dtype=np.int64), [len(cut.crops) for cut in cuts.values()])
        images = torch.from_numpy(np.concatenate([cut.crops for cut in cuts.values()]))
        return Crops(images, photograph, names, tuple(map(group_of, names)))

    def _one_crop_each(self, decoding: DecodingProcesses, files: PictureFiles, limit: int) -> dict[int, Cut]:
        """One crop of each of at most `limit` usable pictures at even distances, by their indices, in order."""
        untried, found = np.arange(len(files)), dict[int, Cut]()
        while len(found) < limit and len(untried):
            places = evenly(min(limit - len(found), len(untried)), len(untried))
            chosen = untried[places].tolist()
            untried = np.delete(untried, places)
            cuts = self._cuts(decoding, files, chosen, [self._wanted(files, index) for index in chosen])
            found |= {index: cut for index, cut in zip(chosen, cuts, strict=True) if cut is not None}
        return dict(sorted(found.items()))

    def _wanted(self, files: PictureFiles, index: int, draw: Draw | None = None, cells: int = 1) -> Wanted:
        return Wanted(str(files.folder / files.names[index]), self.image_size, draw, cells)

    def _cuts(
        self, decoding: DecodingProcesses, files: PictureFiles, chosen: Sequence[int], wanted: Sequence[Wanted]
    ) -> list[Cut | None]:
        """The crops of the files `chosen`, None for those that gave none, which are skipped from now on."""
        cuts: list[Cut | None] = []
        known = {file.name for file in self.skipped}
        for index, answer in zip(chosen, decoding.cuts(wanted), strict=True):
            cuts.append(answer if isinstance(answer, Cut) else None)
            if isinstance(answer, UnusablePicture) and files.names[index] not in known:
                known.add(files.names[index])
                self.skipped.append(Skipped(files.names[index], str(answer), answer.passing))
        return cuts


def _identity(training: PictureFiles, evaluation: PictureFiles) -> str:
    digest = hashlib.sha256()
    for files in (training, evaluation):
        # File names that are not valid UTF-8 contain surrogates, which strict encoding refuses. None contains "\0".
        digest.update("\0".join([str(len(files)), *files.names, ""]).encode(errors="surrogateescape"))
        digest.update(files.sizes.astype("<i8").tobytes())
    return digest.hexdigest()


def _require_usable(spec: str, files: PictureFiles, image_size: int) -> None:
    """Raise InputError if none of the first files gives a picture, before anything is made of them."""
    unusable: list[Skipped] = []
    for name in files.names[:MOST_REPLACED]:
        try:
            read_picture(files.folder / name, SIDE_IN_CROPS * image_size, image_size)
            return
        except UnusablePicture as error:
            unusable.append(Skipped(name, str(error)))
    raise no_usable_picture(spec, unusable, image_size)


def _too_many_unusable(spec: str, last: Skipped) -> InputError:
    return InputError(
        f"{printable(spec)} gave no picture {MOST_REPLACED} times in a row, the last {printable(last.name)}: "
        f"{printable(last.why)}.\n"
        "See that the folder is there and can be read; training continues with lgq-explore resume."
    )

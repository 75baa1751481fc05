"""Latents, codes and reconstructions of pictures, computed by a trained tokenizer."""

from __future__ import annotations

import csv
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from lgq_explore.devices import CPU, device_named, model_of
from lgq_explore.errors import InputError, printable
from lgq_explore.files import given_path, new_file, new_folder
from lgq_explore.images.division import HELD_OUT, TRAINING, VALIDATION
from lgq_explore.images.opening import open_source
from lgq_explore.images.ranges import to_model_range, to_uint8
from lgq_explore.images.source import Crops, PictureCounts, Source, numbered_scenes
from lgq_explore.models import Tokenizer, TokenizerOutput
from lgq_explore.progress import tell

from .arrays import read_arrays
from .outputs import require_new, require_new_folder
from .run import Run, TrainedTokenizer, open_run

BATCH_SIZE = 64


@dataclass(frozen=True, eq=False)
class Encoding:
    """N pictures with their latents, codes and reconstructions, as arrays.

    images, reconstructions: uint8 [N, 3, S, S]. latents: float32 [N, D, H, W], raw. codes: int64 [N, G, H, W].
    levels: int64 [G]. photograph: int64 [N], index into photograph_names. scenes: of each photograph, what it is a
    version of; empty in older files, where each photograph is a scene of its own.

    The other fields say where the arrays come from; they are empty or 0 if unknown. weights: digest of the tokenizer's
    weights (as in `TrainedTokenizer`). steps: optimiser steps of these weights. data: SPEC of the pictures. split:
    "held out", "validation", "training" or "everything". crops: the largest number of crops that was asked for.
    device: "cpu" or the model of a GPU; codes of tokens between two codes, and last digits, depend on it.
    """

    images: NDArray[np.uint8]
    latents: NDArray[np.float32]
    codes: NDArray[np.int64]
    reconstructions: NDArray[np.uint8]
    levels: NDArray[np.int64]
    photograph: NDArray[np.int64]
    photograph_names: NDArray[np.str_]
    scenes: NDArray[np.str_] = field(default_factory=lambda: np.array([], dtype=np.str_))
    weights: str = ""
    steps: int = 0
    data: str = ""
    split: str = ""
    crops: int = 0
    device: str = ""

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def scene(self) -> NDArray[np.int64]:
        """The number of each picture's scene [N]. Pictures of one scene are not independent of each other."""
        return numbered_scenes(self.scenes.tolist())[self.photograph] if len(self.scenes) else self.photograph

    def codes_only(self) -> Encoding:
        """The same encoding with no pictures and latents, which take nearly all of its memory."""
        dropped = ("images", "latents", "reconstructions")
        return replace(self, **{name: getattr(self, name)[:0].copy() for name in dropped})

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all fields to one new .npz file. Raises InputError if the file exists already or cannot be written."""
        require_new(path)
        try:
            with new_file(Path(path)) as target:
                np.savez_compressed(target, **{entry.name: getattr(self, entry.name) for entry in fields(self)})
        except FileExistsError:  # it appeared meanwhile
            require_new(path)
            raise
        except OSError as error:
            raise InputError(
                f"{printable(path)} can't be written: {error.strerror}. Name a file in a folder that exists."
            ) from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Encoding:
        """Read a file written by `save`. Raises InputError for any other file; nothing is unpickled."""
        file = given_path(path)
        try:
            values: dict[str, Any] = read_arrays(file, [entry.name for entry in fields(cls)])
            encoding = cls(**values | {name: values[name].item() for name in OWNER if name in values})
            check_encoding(encoding)
        except OSError as error:
            raise InputError(
                f"{printable(path)} can't be read: {error.strerror or error}.\n"
                "Name a file that lgq-explore encode wrote."
            ) from error
        except (TypeError, ValueError) as error:  # arrays are missing, damaged, or do not fit together
            why = "arrays are missing" if isinstance(error, TypeError) else printable(error)
            raise InputError(
                f"{printable(path)} is not an encoding, or damaged: {why}.\nMake one with lgq-explore encode."
            ) from error
        return encoding


OWNER = {"weights": str, "steps": int, "data": str, "split": str, "crops": int, "device": str}
"""Fields that say where an encoding comes from, and their types; older files lack them."""


def check_encoding(encoding: Encoding) -> None:
    """Raise ValueError if types, shapes or values of the parts of an encoding do not fit together."""
    values = vars(encoding)
    for name, kind in OWNER.items():
        _require(type(values[name]) is kind, f"{name} is {values[name]!r}")
    kinds = {
        "images": ("uint8", 4),
        "latents": ("float32", 4),
        "codes": ("int64", 4),
        "reconstructions": ("uint8", 4),
        "levels": ("int64", 1),
        "photograph": ("int64", 1),
    }
    for name, (dtype, axes) in kinds.items():
        array = values[name]
        _require((array.dtype, array.ndim) == (np.dtype(dtype), axes), f"{name} is {array.dtype} {list(array.shape)}")
    images, latents, codes, levels = encoding.images, encoding.latents, encoding.codes, encoding.levels
    count, channels, height, width = images.shape
    _require(count > 0 and channels == 3 and height == width, f"images have shape {list(images.shape)}")
    _require(encoding.reconstructions.shape == images.shape, "images and reconstructions have different shapes")
    _require(codes.shape == (count, len(levels), *latents.shape[2:]), "codes do not fit latents and levels")
    _require(len(latents) == count and latents.size > 0, "latents do not fit images")
    _require(latents.shape[2] == latents.shape[3] and height % latents.shape[2] == 0, "latents do not fit images")
    _require(bool(np.isfinite(latents).all()), "latents contain NaN or infinity")
    _require(bool(((codes >= 0) & (codes < levels[:, None, None])).all()), "codes lie outside of the levels")
    names, scenes, photograph = encoding.photograph_names, encoding.scenes, encoding.photograph
    _check_text("photograph_names", names)
    _check_text("scenes", scenes)
    _require(len(scenes) in (0, len(names)), "scenes do not fit photograph_names")
    _require(photograph.shape == (count,), "photograph does not fit images")
    _require(bool(((photograph >= 0) & (photograph < len(names))).all()), "photograph has an index without a name")


def _check_text(name: str, texts: NDArray[np.str_]) -> None:
    _require(texts.dtype.kind == "U" and texts.ndim == 1 and texts.dtype.isnative, f"{name} are not text")
    letters = np.ascontiguousarray(texts).view(np.uint32)
    _require(bool((letters <= sys.maxunicode).all()), f"{name} are not text")


def _require(condition: bool, trouble: str) -> None:
    if not condition:
        raise ValueError(trouble)


@dataclass(frozen=True)
class CodedBatch:
    """A batch of pictures, uint8 [B, 3, S, S], the tokenizer's output, and the reconstructions as uint8."""

    images: Tensor
    output: TokenizerOutput
    reconstructions: Tensor


@dataclass(frozen=True)
class EvaluationSet:
    """The crops that a run is evaluated on, with their SPEC, their split, and the largest number asked for."""

    crops: Crops
    data: str
    split: str
    limit: int


def evaluation_set(run: Run, data: str | None, crops: int, split: str = HELD_OUT) -> EvaluationSet:
    """At most `crops` crops of the run's held-out split, or of all photographs of another SPEC, copies left out.

    Where the run's own pictures were moved, the SPEC of their new place gives its held-out split.
    split: `validation` for the pictures that the recipe's `split` keeps to choose settings on.
    Skipped files of a SPEC are named on stderr. Raises InputError if the data can't be used, or are no longer those
    that the run was trained on, and for another split.
    """
    if split not in (HELD_OUT, VALIDATION):
        raise InputError(f"there is no split {split!r} to evaluate on: give {HELD_OUT!r} or {VALIDATION!r}")
    if data is None:
        found = _of_split(source_of(run), split, crops)
    elif (moved := _moved(run, data)) is not None:
        found = _told(moved, split, crops)
    else:
        found = all_pictures(run, data, crops)
    return replace(found, crops=found.crops.without_copies())


def _moved(run: Run, data: str) -> Source | None:
    """The run's own pictures at a SPEC, where they are no longer at their old place; None for any others."""
    try:
        given = source_of(run, data)
    except InputError:
        return None
    with suppress(InputError):
        source_of(run)
        return None
    return given


def all_pictures(run: Run, data: str, crops: int) -> EvaluationSet:
    """At most `crops` crops of all photographs of a SPEC, whether trained on or not. Raises InputError."""
    return _told(open_source(data, run.config.image_size, split=False), "everything", crops)


def _told(source: Source, split: str, limit: int) -> EvaluationSet:
    """The crops of a split, with the source's notes on stderr."""
    chosen = _of_split(source, split, limit)
    for note in source.notes:
        tell(note)
    return chosen


def _of_split(source: Source, split: str, limit: int) -> EvaluationSet:
    taken = {TRAINING: source.training_crops, VALIDATION: source.validation_crops, HELD_OUT: source.held_out}
    return EvaluationSet(taken.get(split, source.held_out)(limit), source.spec, split, limit)


def source_of(run: Run, data: str | None = None) -> Source:
    """The source that the run was trained on, with its split and seed, or the same pictures at another SPEC.

    A folder that gained or lost a picture would be split differently, with training pictures in the held-out split.
    Raises InputError if the pictures have changed or can't be read.
    """
    name = printable(run.path)
    try:
        config = run.config
        source = open_source(data or config.data, config.image_size, seed=config.seed, division=config.split)
    except InputError as error:
        raise InputError(
            f"the pictures that {name} was trained on can't be read: {str(error).splitlines()[0].rstrip('.')}.\n"
            "Put them back, which restores the held-out split; their new place can also be given as data "
            f"(--data {'imagefolder' if run.config.data.startswith('imagefolder:') else 'folder'}:PATH)."
        ) from error
    if source.identity != run.environment.data_fingerprint:
        spec, change = printable(data or run.config.data), _what_changed(run, source.counts)
        raise InputError(
            f"the pictures of {spec} are no longer those that {name} was trained on{change}.\n"
            "Put them back, or name other pictures as data (--data SPEC)."
        )
    return source


def _what_changed(run: Run, counts: PictureCounts) -> str:
    """What changed, as the end of a sentence; empty for a source that cannot count its pictures."""
    now = counts.training, counts.held_out
    then = run.environment.training_photographs, run.environment.held_out_photographs
    if None in (*now, *then):
        return ""
    if now == then:  # the run keeps one fingerprint of all pictures, not one of each
        return f": as many as then ({now[0]} to train, {now[1]} held out), but some were replaced, edited or renamed"
    return f": {now[0]} to train and {now[1]} held out now, {then[0]} and {then[1]} then"


@torch.no_grad()
def coded_batches(tokenizer: Tokenizer, images: Tensor, batch_size: int = BATCH_SIZE) -> Iterator[CodedBatch]:
    """Run pictures uint8 [N, 3, S, S] through a tokenizer in eval mode, on its device, in batches."""
    device = next(tokenizer.parameters()).device
    for batch in images.split(batch_size):
        output = tokenizer(to_model_range(batch.to(device)))
        yield CodedBatch(batch, output, to_uint8(output.reconstruction).cpu())


def encode(
    run: Run | str | os.PathLike[str],
    data: str | None = None,
    *,
    crops: int = 1024,
    trained: TrainedTokenizer | None = None,
    device: str = "cpu",
) -> Encoding:
    """Encode crops of the run's held-out split, or of all photographs of a SPEC, those of training included.

    trained: weights of the run read earlier (`Run.trained`); by default the newest. device: of `devices.DEVICES`.
    Raises InputError if the run has no weights, or the data or the device can't be used.
    """
    there = device_named(device)
    run = run if isinstance(run, Run) else open_run(run)
    weights = trained or run.trained()
    chosen = evaluation_set(run, None, crops) if data is None else all_pictures(run, data, crops)
    return _encoded(weights, chosen, there)


def encode_evaluation_set(
    run: Run, data: str | None, *, crops: int, trained: TrainedTokenizer, device: torch.device = CPU
) -> Encoding:
    """Encode the crops of `evaluation_set`, at which analyses look. Raises InputError, as it does."""
    return _encoded(trained, evaluation_set(run, data, crops), device)


def encode_training(
    run: Run | str | os.PathLike[str],
    data: str | None = None,
    *,
    crops: int = 1024,
    trained: TrainedTokenizer | None = None,
    device: str = "cpu",
) -> Encoding:
    """Encode crops of the run's training photographs, from the same kind of fixed grid as the held-out crops.

    Anything fitted to latents should be fitted to these. data: the SPEC of the same pictures, where they were moved.
    trained, device: as in `encode`. Raises InputError if the run has no weights, its data have changed, or the device
    can't be used.
    """
    there = device_named(device)
    run = run if isinstance(run, Run) else open_run(run)
    return _encoded(trained or run.trained(), _of_split(source_of(run, data), "training", crops), there)


def encode_pictures(trained: TrainedTokenizer, pictures: NDArray[np.uint8]) -> Encoding:
    """Encode pictures uint8 [N, 3, S, S] that belong to no source; each counts as a photograph of its own."""
    crops = Crops.unnamed(torch.from_numpy(pictures))
    return _encoded(trained, EvaluationSet(crops, "", "everything", len(pictures)), CPU)


def _encoded(trained: TrainedTokenizer, chosen: EvaluationSet, device: torch.device) -> Encoding:
    tokenizer = trained.on(device)
    parts = [
        (batch.output.latents.cpu(), batch.output.coded.codes.cpu(), batch.reconstructions)
        for batch in coded_batches(tokenizer, chosen.crops.images)
    ]
    latents, codes, reconstructions = (torch.cat(tensors).numpy() for tensors in zip(*parts, strict=True))
    return Encoding(
        images=chosen.crops.images.numpy(),
        latents=latents,
        codes=codes,
        reconstructions=reconstructions,
        levels=np.array(tokenizer.quantizer.levels, dtype=np.int64),
        photograph=chosen.crops.photograph,
        photograph_names=np.array(chosen.crops.names),
        scenes=np.array(chosen.crops.scenes),
        weights=trained.digest,
        steps=trained.finished_steps,
        data=chosen.data,
        split=chosen.split,
        crops=chosen.limit,
        device=model_of(device),
    )


@torch.no_grad()
def decode(
    run: Run | str | os.PathLike[str],
    codes: NDArray[np.int64],
    *,
    batch_size: int = BATCH_SIZE,
    trained: TrainedTokenizer | None = None,
    device: str = "cpu",
) -> NDArray[np.uint8]:
    """Codes [N, G, H, W] → pictures uint8 [N, 3, S, S] by the run's decoder.

    trained, device: as in `encode`. Raises InputError if the codes do not fit the run's levels or grid, or the device
    can't be used.
    """
    there = device_named(device)
    run = run if isinstance(run, Run) else open_run(run)
    tokenizer = (trained or run.trained()).on(there)
    levels = tokenizer.quantizer.levels
    side = run.config.image_size // run.config.backbone.factor
    if not np.issubdtype(codes.dtype, np.integer):
        raise InputError(f"codes are of type {codes.dtype}, not whole numbers: encode with the same run")
    if codes.ndim != 4 or codes.shape[1:] != (len(levels), side, side):
        raise InputError(
            f"codes have shape {list(codes.shape)}, but {printable(run.path)} decodes "
            f"[N, {len(levels)}, {side}, {side}]: encode with the same run"
        )
    limits = np.array(levels)[:, None, None]
    if not ((codes >= 0) & (codes < limits)).all():
        raise InputError(
            f"codes reach from {codes.min()} to {codes.max()}, but the levels are {levels}: encode with the same run"
        )
    pictures = [
        to_uint8(tokenizer.decode(tokenizer.quantizer.lookup(batch.to(there)))).cpu()
        for batch in torch.from_numpy(codes.astype(np.int64)).split(batch_size)
    ]
    return torch.cat(pictures).numpy()


LIST_OF_PICTURES = "pictures.csv"


def write_pictures(
    folder: str | os.PathLike[str], pictures: NDArray[np.uint8], photographs: Sequence[str] | None = None
) -> None:
    """Write pictures uint8 [N, 3, S, S] as numbered PNG files into a new folder, all or none. Raises InputError.

    photographs: the name of the one that each picture is cut from, for a LIST_OF_PICTURES beside them, which numbers
    the crops of each photograph from 1.
    """
    path = given_path(folder)
    require_new_folder(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_folder(path) as target:
            for number, picture in enumerate(pictures):
                Image.fromarray(picture.transpose(1, 2, 0)).save(target / _picture_name(number))
            if photographs is not None:
                _write_list(target / LIST_OF_PICTURES, photographs)
    except OSError as error:
        require_new_folder(path)  # it may have appeared meanwhile
        raise InputError(
            f"{printable(path)} can't be made: {error.strerror}. Name a folder that can be written."
        ) from error


def _write_list(path: Path, photographs: Sequence[str]) -> None:
    crops: Counter[str] = Counter()
    # File names that are not valid UTF-8 contain surrogates, which strict encoding refuses.
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as target:
        rows = csv.writer(target)
        rows.writerow(("file", "photograph", "crop"))
        for number, photograph in enumerate(photographs):
            crops[photograph] += 1
            rows.writerow((_picture_name(number), photograph, crops[photograph]))


def _picture_name(number: int) -> str:
    return f"{number:05d}.png"

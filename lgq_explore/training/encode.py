"""What does a trained tokenizer make of pictures: latents, codes, reconstructions?"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.models import Tokenizer, TokenizerOutput

from .files import whole_file, whole_folder
from .images import Crops, ImageData, Photographs, evaluation_crops, load_images, to_model_range, to_uint8
from .run import Run, TrainedTokenizer, open_run

BATCH_SIZE = 64
NOT_AN_ENCODING = (
    ValueError,
    KeyError,
    AttributeError,
    TypeError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What numpy raises for a file of another kind, a pickle, or bytes that were changed."""


@dataclass(frozen=True, eq=False)
class Encoding:
    """N pictures and what a tokenizer made of them, as arrays: all that an analysis takes.

    images, reconstructions: uint8 [N, 3, S, S]. latents: float32 [N, D, H, W], raw. codes: int64 [N, G, H, W].
    levels: int64 [G]. photograph: int64 [N], index into photograph_names.
    """

    images: NDArray[np.uint8]
    latents: NDArray[np.float32]
    codes: NDArray[np.int64]
    reconstructions: NDArray[np.uint8]
    levels: NDArray[np.int64]
    photograph: NDArray[np.int64]
    photograph_names: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.images)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all arrays to one new .npz. Raises InputError where it is there already, or cannot be written."""
        require_new(path)
        try:
            with whole_file(Path(path)) as target:
                np.savez_compressed(target, **{entry.name: getattr(self, entry.name) for entry in fields(self)})
        except OSError as error:
            raise InputError(
                f"{path} can't be written: {error.strerror}. Name a file in a folder that exists."
            ) from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Encoding:
        """Read what `save` wrote. Raises InputError for anything else; nothing is unpickled."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(**{entry.name: arrays[entry.name] for entry in fields(cls)})
        except OSError as error:
            raise InputError(
                f"{path} can't be read: {error.strerror or error}. Name a file that lgq-explore encode wrote."
            ) from error
        except NOT_AN_ENCODING as error:
            raise InputError(f"{path} is not an encoding, or damaged: make one with lgq-explore encode") from error


def require_new(path: str | os.PathLike[str]) -> None:
    """Raise InputError where something lies at `path`: ask before hours of work, and again before writing."""
    if Path(path).exists():
        raise InputError(f"{path} exists already: name a new file")


@dataclass(frozen=True)
class CodedBatch:
    """A batch of pictures, uint8 [B, 3, S, S], what the tokenizer gave for it, and its 8-bit reconstructions."""

    images: Tensor
    output: TokenizerOutput
    reconstructions: Tensor


@dataclass(frozen=True)
class EvaluationSet:
    """The photographs that a run is judged on, and the crops of them."""

    photographs: Photographs
    crops: Crops


def evaluation_set(run: Run, data: str | None, crops: int) -> EvaluationSet:
    """The run's held-out split, or all photographs of another SPEC, in at most `crops` crops.

    Raises InputError where the data can't be used, or where the run's are no longer those that it was trained on.
    """
    image_size = run.config.image_size
    if data is None:
        photographs = images_of(run).held_out
    else:
        photographs = load_images(data, image_size, split=False).everything
    return EvaluationSet(photographs, evaluation_crops(photographs, image_size, limit=crops))


def images_of(run: Run) -> ImageData:
    """The run's photographs, both splits as it was trained. Raises InputError where they are no longer the same.

    A folder that gained or lost a picture would be split anew, and pictures that were trained on held out.
    """
    data = load_images(run.config.data, run.config.image_size)
    if data.fingerprint != run.environment.data_fingerprint:
        environment = run.environment
        raise InputError(
            f"the pictures of {run.config.data} are no longer those that {run.path} was trained on: "
            f"{len(data.training)} to train and {len(data.held_out)} held out now, "
            f"{environment.training_photographs} and {environment.held_out_photographs} then.\n"
            "Put them back, or name other pictures as data."
        )
    return data


@torch.no_grad()
def coded_batches(tokenizer: Tokenizer, images: Tensor, batch_size: int = BATCH_SIZE) -> Iterator[CodedBatch]:
    """Pictures uint8 [N, 3, S, S] through a tokenizer in eval mode, on its device, a batch at a time."""
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
) -> Encoding:
    """Encode crops of the run's held-out split, or of all photographs of another SPEC.

    trained: weights of the run that were read before (`Run.trained`); by default its newest.
    Raises InputError where the run has no weights, or the data can't be used.
    """
    run = run if isinstance(run, Run) else open_run(run)
    return _encoded(trained or run.trained(), evaluation_set(run, data, crops))


def encode_training(run: Run | str | os.PathLike[str], *, crops: int = 1024) -> Encoding:
    """Encode crops of the photographs that the run was trained on, from a fixed grid as those that it is judged on.

    What is fitted to latents is fitted to these. Raises InputError where the run has no weights, or its data are gone.
    """
    run = run if isinstance(run, Run) else open_run(run)
    image_size = run.config.image_size
    photographs = images_of(run).training
    return _encoded(run.trained(), EvaluationSet(photographs, evaluation_crops(photographs, image_size, limit=crops)))


def _encoded(trained: TrainedTokenizer, chosen: EvaluationSet) -> Encoding:
    tokenizer = trained.tokenizer
    batches = list(coded_batches(tokenizer, chosen.crops.images))
    return Encoding(
        images=chosen.crops.images.numpy(),
        latents=torch.cat([batch.output.latents for batch in batches]).numpy(),
        codes=torch.cat([batch.output.coded.codes for batch in batches]).numpy(),
        reconstructions=torch.cat([batch.reconstructions for batch in batches]).numpy(),
        levels=np.array(tokenizer.quantizer.levels),
        photograph=chosen.crops.photograph,
        photograph_names=np.array(chosen.photographs.names),
    )


@torch.no_grad()
def decode(
    run: Run | str | os.PathLike[str], codes: NDArray[np.int64], *, batch_size: int = BATCH_SIZE
) -> NDArray[np.uint8]:
    """Codes [N, G, H, W] → pictures uint8 [N, 3, S, S] by the run's decoder.

    Raises InputError where the codes are not of the run's levels or grid.
    """
    run = run if isinstance(run, Run) else open_run(run)
    tokenizer = run.tokenizer()
    levels = tokenizer.quantizer.levels
    side = run.config.image_size // run.config.backbone.factor
    if not np.issubdtype(codes.dtype, np.integer):
        raise InputError(f"codes are of type {codes.dtype}, not whole numbers: encode with the same run")
    if codes.ndim != 4 or codes.shape[1:] != (len(levels), side, side):
        raise InputError(
            f"codes have shape {list(codes.shape)}, but {run.path} decodes [N, {len(levels)}, {side}, {side}]: "
            "encode with the same run"
        )
    limits = np.array(levels)[:, None, None]
    if not ((codes >= 0) & (codes < limits)).all():
        raise InputError(
            f"codes reach from {codes.min()} to {codes.max()}, but the levels are {levels}: encode with the same run"
        )
    pictures = [
        to_uint8(tokenizer.decode(tokenizer.quantizer.lookup(batch)))
        for batch in torch.from_numpy(codes.astype(np.int64)).split(batch_size)
    ]
    return torch.cat(pictures).numpy()


def write_pictures(folder: str | os.PathLike[str], pictures: NDArray[np.uint8]) -> None:
    """Pictures uint8 [N, 3, S, S] as numbered PNG files in a new folder, all or none. Raises InputError."""
    path = Path(folder)
    if os.path.lexists(path):  # False, unlike Path.exists, for a name that no folder can have
        raise InputError(f"{path} exists already: name a new folder")
    try:
        with whole_folder(path) as target:
            for number, picture in enumerate(pictures):
                Image.fromarray(picture.transpose(1, 2, 0)).save(target / f"{number:05d}.png")
    except OSError as error:
        raise InputError(f"{path} can't be made: {error.strerror}. Name a folder that can be written.") from error

"""The files of weights and steps in a run folder, and checks that they are complete and belong to the run."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import BinaryIO

from safetensors.torch import save
from torch import Tensor, nn

from lgq_explore.errors import InputError, printable

_OF_A_STEP = re.compile(r"step-(\d{8,18})", re.ASCII)


@dataclass(frozen=True)
class Origin:
    """What weights depend on besides their number of steps, short enough to be stored with them.

    data: fingerprint of the pictures.
    """

    recipe_hash: str
    seed: int
    rounding_replicate: int
    data: str

    def differences(self, other: Origin) -> str:
        """The fields that differ, in words; empty if there are none."""
        names = [entry.name for entry in fields(self) if getattr(self, entry.name) != getattr(other, entry.name)]
        pairs = {name: tuple(str(getattr(origin, name))[:12] for origin in (self, other)) for name in names}
        return ", ".join(f"{name} {here}, not {there}" for name, (here, there) in pairs.items())


@dataclass(frozen=True)
class WeightsHeader:
    """The metadata in a file of weights. origin: None in files of older versions."""

    finished_steps: int
    origin: Origin | None


def serialized_weights(tensors: Mapping[str, Tensor], header: WeightsHeader) -> bytes:
    """The content of a weights file: the same bytes for the same weights and header, on every machine."""
    assert header.origin is not None
    trained = {"finished_steps": header.finished_steps, **asdict(header.origin)}
    # Under one key: safetensors writes several keys in an order that differs between processes.
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return save(on_cpu, metadata={"trained": json.dumps(trained, sort_keys=True)})


def weights_header(weights: BinaryIO, path: Path) -> WeightsHeader:
    """The header of a file of weights. Raises InputError with the path if the file is damaged or cut off."""
    size = weights.seek(0, 2)
    weights.seek(0)
    length = int.from_bytes(weights.read(8), "little")
    try:
        header = json.loads(weights.read(min(length, size)))
        kept = _header(header.pop("__metadata__"))
        end = max(tensor["data_offsets"][1] for tensor in header.values())
    except Exception as error:  # the header may be any JSON
        raise damaged_weights(path, "its header is damaged") from error
    if 8 + length + end != size or kept.finished_steps < 0:
        raise damaged_weights(path, "it is cut off, or longer than its header says")
    return kept


def _header(metadata: Mapping[str, str]) -> WeightsHeader:
    if "trained" not in metadata:  # a file of an older version, which has no origin
        return WeightsHeader(int(metadata["steps"]), None)
    trained = json.loads(metadata["trained"])
    origin = Origin(**{entry.name: trained[entry.name] for entry in fields(Origin)})
    return WeightsHeader(int(trained["finished_steps"]), origin)


def require_origin(header: WeightsHeader, origin: Origin, path: Path) -> None:
    """Raise InputError for weights whose header names another run."""
    if header.origin is not None and header.origin != origin:
        differences = header.origin.differences(origin)
        raise _foreign_weights(path, f"is of another run than the config.json of its folder: {differences}")


def require_same_weights(content: bytes, path: Path, checkpoint: Path) -> None:
    """Raise InputError if the checkpoint of the same step holds other weights; a missing one is ignored."""
    try:
        kept = (checkpoint / path.name).read_bytes()
    except OSError:
        return
    if kept != content:
        raise _foreign_weights(path, f"differs from the weights that {printable(checkpoint)} keeps of the same step")


def _foreign_weights(path: Path, what: str) -> InputError:
    return InputError(
        f"{printable(path)} {what}.\nPut back the file that was changed, or delete the weights and resume the run."
    )


def damaged_weights(path: Path, why: str) -> InputError:
    return InputError(f"{printable(path)} can't be read: {why}.\nDelete it and resume the run.")


@contextmanager
def as_damage_of(checkpoint: Path) -> Iterator[None]:
    """Turn any exception while a checkpoint is loaded into an InputError with its path."""
    try:
        yield
    except Exception as error:  # damaged bytes can make the unpickler raise any exception
        why = "damaged weights" if isinstance(error, InputError) else type(error).__name__
        raise InputError(
            f"{printable(checkpoint)} can't be read ({why}).\n"
            "Delete it and resume the run: it continues from the checkpoint before, or from the start."
        ) from error


def unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"{printable(path)} can't be read: {error.strerror}.\nMake it a readable file.")


def step_of(path: Path, suffix: str = "") -> int | None:
    """The finished steps in the name of a file or folder; None for other names."""
    match = _OF_A_STEP.fullmatch(path.name.removesuffix(suffix))
    return int(match[1]) if match else None


def files_by_step(folder: Path, suffix: str = "") -> dict[int, Path]:
    """Step → file or folder named by it, ascending; other entries are ignored."""
    named = ((step_of(path, suffix), path) for path in folder.glob(f"step-*{suffix}"))
    return dict(sorted((step, path) for step, path in named if step is not None))


def digest_of_weights(module: nn.Module) -> str:
    """SHA-256 (hexadecimal) of a module's parameters and buffers, and of their names."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    return hashlib.sha256(save(weights)).hexdigest()

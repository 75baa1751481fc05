"""Studies, which every analysis takes: a tokenizer, its encoding of held-out pictures, and its run if there is one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lgq_explore.devices import CPU, device_named
from lgq_explore.errors import InputError, printable
from lgq_explore.kept import Kept
from lgq_explore.models import Tokenizer
from lgq_explore.quantizers import Quantizer, TakesCodebooks, joint_codes, to_tokens

from .encoding import Encoding, encode_evaluation_set, encode_training
from .frozen_run import FrozenRun, frozen
from .run import Run, TrainedTokenizer, open_run
from .snapshots import Codebooks

CROPS = 1024
"""The most held-out crops of a study; `encode` spreads them over the photographs."""

STUDIES_KEPT = 4
"""The number of studies in the cache; each may hold some hundred megabytes."""

SNAPSHOTS_KEPT = 64
"""The number of snapshots of a study whose codes are kept: some hundred kilobytes each, which take seconds to find."""

CODES_KEPT = 16
"""The number of studies of codes alone in the cache; each holds some megabytes."""


class Study:
    """A tokenizer and its encoding of held-out pictures; derived arrays are computed once and kept.

    trained: the tokenizer, with the digest of its weights. encoding: made with these weights. run: as its folder held
    it when the study was made; None for a tokenizer that was trained elsewhere. An encoding made with other weights is
    refused, so that no analysis can pair a tokenizer with the encoding of another one.

    device: where pictures are encoded and decoded, and tokens given the codes of snapshots. All arrays and tensors of
    a study are on the CPU whatever it is, and so is what analyses compute of them.

    Raises:
        InputError: an encoding made with other or unknown weights, or with codes outside its levels.
    """

    def __init__(
        self, trained: TrainedTokenizer, encoding: Encoding, run: FrozenRun | None = None, device: torch.device = CPU
    ) -> None:
        require_own(trained, encoding)
        _require_fit(encoding, trained.tokenizer.quantizer)
        self.trained, self.encoding, self.run, self.device = trained, encoding, run, device

    def __repr__(self) -> str:
        of = "a tokenizer without a run" if self.run is None else printable(self.run.name)
        return f"Study({of}, step {self.trained.finished_steps}, {len(self.encoding)} pictures)"

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer in eval mode, on the CPU; it must not be changed."""
        return self.trained.tokenizer

    @cached_property
    def tokenizer_on_device(self) -> Tokenizer:
        """The tokenizer on the study's device, through which many pictures go; it must not be changed."""
        return self.trained.on(self.device)

    @property
    def quantizer(self) -> Quantizer:
        return self.tokenizer.quantizer

    @property
    def method(self) -> str:
        """The name of the quantizer's method, which sets its colour in figures; its class's name if it has none."""
        return self.quantizer.own_name if self.run is None else self.run.config.quantizer.method

    @property
    def name(self) -> str:
        """The name of the run, or of the method without a run."""
        return self.method if self.run is None else self.run.name

    @cached_property
    def latents(self) -> Tensor:
        """The raw latents of all tokens [N, D], in the order of (image, row, column)."""
        return to_tokens(torch.from_numpy(self.encoding.latents))

    @cached_property
    def points(self) -> Tensor:
        """All tokens [N, P] in the space of `Quantizer.continuous`, before quantization, in the same order."""
        return self._points_of(self.encoding)

    @cached_property
    def codes(self) -> NDArray[np.int64]:
        """The joint code of each token [N]. Raises InputError if there are too many joint codes to number, or none."""
        if not self.quantizer.has_codes:
            name = printable(self.name)
            raise InputError(f"{name} has no codes, as nothing is quantized: look at a run of another method")
        return joint_codes(torch.from_numpy(self.encoding.codes), self.quantizer.levels).flatten().numpy()

    def require_geometry(self) -> None:
        """Raise InputError if the distance of a token to its code says nothing, since they lie in no common space."""
        if why := self.quantizer.no_geometry:
            raise InputError(f"{printable(self.name)} has no geometry: {why}; look at a run of another method")

    @cached_property
    def codes_only(self) -> Study:
        """The same study without pictures and latents, for analyses that look at codes alone. Many fit the memory."""
        is_bare = not self.encoding.images.size
        return self if is_bare else Study(self.trained, self.encoding.codes_only(), self.run, self.device)

    @cached_property
    def code_points(self) -> Tensor:
        """The point of each joint code [K, P]. Raises InputError if there are too many to list."""
        return self.quantizer.code_points()

    @cached_property
    def training_encoding(self) -> Encoding:
        """The encoding of as many crops of the training photographs, to which analyses fit whatever they fit.

        Raises InputError for a study without a run.
        """
        seen = self.encoding
        moved_to = seen.data if seen.split == "held out" and seen.data else None
        run, device = self.require_run(), str(self.device)
        return encode_training(run, moved_to, crops=seen.crops, trained=self.trained, device=device)

    @cached_property
    def training_points(self) -> Tensor:
        """`points` of `training_encoding`."""
        return self._points_of(self.training_encoding)

    @property
    def snapshots(self) -> Mapping[int, Codebooks]:
        """Finished steps → learned codebooks, from the run's snapshots up to these weights; may be empty."""
        return {} if self.run is None else self.run.codebook_snapshots()

    def quantizer_at(self, step: int) -> Quantizer:
        """The quantizer with the codebooks of a snapshot; everything else is that of the newest weights.

        Raises:
            InputError: a step without a snapshot, or a method whose codebooks cannot be exchanged.
        """
        if step == self.trained.finished_steps:
            return self.quantizer
        snapshots = self.snapshots
        if step not in snapshots:
            steps = ", ".join(map(str, sorted({*snapshots, self.trained.finished_steps})))
            raise InputError(f"there is no snapshot of step {step}: choose one of {steps}")
        if not isinstance(self.quantizer, TakesCodebooks):
            method = self.quantizer.own_name
            raise InputError(f"the codebooks of {method} cannot be exchanged: look at step {self.encoding.steps}")
        return self.quantizer.with_codebooks([torch.from_numpy(np.array(book)) for book in snapshots[step]])

    def codes_at(self, step: int) -> NDArray[np.int64]:
        """The joint code of each token [N] with the codebooks of a snapshot. Errors are those of `quantizer_at`."""
        if step == self.trained.finished_steps:
            return self.codes
        return self._codes_at.get(step, lambda: self._assigned_at(step))

    def _assigned_at(self, step: int) -> NDArray[np.int64]:
        quantizer = self.quantizer_at(step).to(self.device)  # a copy, since its codebooks are others
        return quantizer.assign_joint(self.points.to(self.device)).cpu().numpy()

    @cached_property
    def _codes_at(self) -> Kept[int, NDArray[np.int64]]:
        return Kept(most=SNAPSHOTS_KEPT)

    @torch.no_grad()
    def _points_of(self, encoding: Encoding) -> Tensor:
        # Where the codes were made, so that these are the points that took them.
        latents = torch.from_numpy(encoding.latents).to(self.device)
        return to_tokens(self.tokenizer_on_device.quantizer.continuous(latents)).cpu()

    def require_run(self) -> FrozenRun:
        """The run. Raises InputError for a study without one."""
        if self.run is None:
            raise InputError(f"{self!r} has no run, and so no history, recipe or snapshots: make one of a run folder")
        return self.run


def study(
    run: Run | str | os.PathLike[str],
    data: str | None = None,
    *,
    crops: int = CROPS,
    encoding: Encoding | None = None,
    device: str = "cpu",
) -> Study:
    """The study of a run's newest weights on its held-out split, or on all photographs of another SPEC.

    run: an opened run, its folder, or its name under data/runs. encoding: made earlier with these weights, instead of
    `data` and `crops`. data: the new place of training's pictures, if they were moved, gives their held-out split.
    device: of `devices.DEVICES`; the CPU by default, which gives the same codes on every machine.
    Repeated calls for the held-out split of a run that has not changed return the same object.

    Raises:
        InputError: a run without weights, data or a device that can't be used, or an encoding made with other weights.
    """
    there = device_named(device)
    run = frozen(run if isinstance(run, Run) else open_run(run))
    if encoding is None and data is None:
        return _studied(_Asked(run.content, crops, there, run))
    trained = run.trained()
    if encoding is None:
        encoding = encode_evaluation_set(run, data, crops=crops, trained=trained, device=there)
    return Study(trained, encoding, run, there)


def study_of_codes(run: Run | str | os.PathLike[str], data: str | None = None, *, crops: int = CROPS) -> Study:
    """`Study.codes_only` of `study`, which is not kept itself: for many runs. Raises InputError, as `study` does."""
    run = frozen(run if isinstance(run, Run) else open_run(run))
    if data is None:
        return _studied_codes(_Asked(run.content, crops, CPU, run))
    return study(run, data, crops=crops).codes_only


def require_own(trained: TrainedTokenizer, encoding: Encoding) -> None:
    """Raise InputError if the encoding was not made with these weights."""
    if encoding.weights != trained.digest:
        made = f"with weights {encoding.weights[:12]}" if encoding.weights else "with weights that it does not name"
        raise InputError(
            f"the encoding was made {made}, and these are {trained.digest[:12]} of step {trained.finished_steps}.\n"
            "Encode again with these: lgq.study(run)."
        )


def _require_fit(encoding: Encoding, quantizer: Quantizer) -> None:
    """Raise InputError for an encoding of another width, other levels, or codes outside of them.

    A code outside of its group's range would otherwise pass for another joint code.
    """
    codes, levels, width = encoding.codes, quantizer.levels, encoding.latents.shape[1]
    if width != quantizer.dim:
        raise InputError(f"the encoding has latents of width {width}, the tokenizer of {quantizer.dim}: encode again")
    if codes.ndim != 4 or codes.shape[1] != len(levels) or encoding.levels.tolist() != list(levels):
        raise InputError(
            f"the encoding has codes {list(codes.shape)} of levels {encoding.levels.tolist()}, the tokenizer makes "
            f"[N, {len(levels)}, H, W] of levels {list(levels)}: encode again"
        )
    for group, level in enumerate(levels):
        outside = codes[:, group][(codes[:, group] < 0) | (codes[:, group] >= level)]
        if outside.size:
            raise InputError(f"code {outside[0]} of group {group} is outside 0 … {level - 1}: encode again")


@dataclass(frozen=True)
class _Asked:
    """Key of a cached study: a run by its folder and the content that was read there."""

    content: tuple[object, ...]
    crops: int
    device: torch.device
    run: FrozenRun = field(compare=False)


@lru_cache(maxsize=CODES_KEPT)
def _studied_codes(asked: _Asked) -> Study:
    return _studied(asked).codes_only


@lru_cache(maxsize=STUDIES_KEPT)
def _studied(asked: _Asked) -> Study:
    run, trained, device = asked.run, asked.run.trained(), asked.device
    encoding = encode_evaluation_set(run, None, crops=asked.crops, trained=trained, device=device)
    return Study(trained, encoding, run, device)

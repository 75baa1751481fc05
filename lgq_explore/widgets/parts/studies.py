"""Studies and runs as panels take them, name them and write them in captions and code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lgq_explore.errors import InputError, printable
from lgq_explore.folders import runs_folder
from lgq_explore.runs.run import Run, open_run
from lgq_explore.runs.study import CROPS, Study, study, study_of_codes

RunLike = Run | str | os.PathLike[str]
"""A run: opened, its folder, or its name under data/runs."""

StudyLike = Study | RunLike
"""What a panel looks at: a study, or a run whose study of its held-out pictures is meant."""


def as_study(subject: StudyLike, crops: int = CROPS, data: str | None = None) -> Study:
    """A study as it is; for a run, the study of at most `crops` crops of its held-out pictures, or of `data`.

    data: the SPEC of other pictures, such as folder:PATH, all of which are looked at; the run's own may be gone.

    Raises:
        InputError: as `lgq.study`, and for data beside a study, which has its pictures already.
    """
    if isinstance(subject, Study):
        require_own_pictures(subject, data)
        return subject
    return study(as_run(subject), data, crops=crops)


def as_codes(subject: Study | Run, crops: int = CROPS, data: str | None = None) -> Study:
    """`Study.codes_only` of what `as_study` gives. Raises InputError, as it does."""
    if isinstance(subject, Study):
        require_own_pictures(subject, data)
        return subject.codes_only
    return study_of_codes(subject, data, crops=crops)


def require_own_pictures(study: Study, data: str | None) -> None:
    """Raise InputError for pictures given beside those that a study holds."""
    if data is not None:
        raise InputError(f"data is {data!r}, and {study!r} has its pictures already: give a run instead of a study")


def as_run(run: RunLike) -> Run:
    """The run that is meant by an opened run, a folder, or a name under data/runs. Raises InputError."""
    return run if isinstance(run, Run) else open_run(run)


def run_argument(run: Run) -> str:
    """How `Explorer.code` names a run: by its name where that is enough."""
    is_named = run.path.resolve().parent == runs_folder().resolve()
    return repr(run.name if is_named else str(run.path))


def study_argument(study: Study) -> str:
    """How `Explorer.code` names a study: by its run where that is enough; one without a run is called `study`."""
    run, encoding = study.run, study.encoding
    if run is None:
        return "study"
    is_own = encoding.split == "held out" and not _is_of_data(study)
    if is_own and encoding.crops == CROPS:
        return run_argument(run)
    data = "" if is_own else f", {encoding.data!r}"
    return f"lgq.study({str(run.path)!r}{data}, crops={encoding.crops})"


def study_arguments(*studies: Study, **named: Study) -> list[str]:
    """How `Explorer.code` writes the studies that a panel was made of, by position and by keyword.

    Where all are of one SPEC's pictures, they are written as runs, with the SPEC as `data`.
    """
    given = [*studies, *named.values()]
    data = {study.encoding.data for study in given if _is_given_by_data(study)}
    is_shared = len(data) == 1 and all(map(_is_given_by_data, given))
    write = _run_of_study if is_shared else study_argument
    keywords = [f"{name}={write(study)}" for name, study in named.items()]
    return [*map(write, studies), *keywords, *(f"data={spec!r}" for spec in data if is_shared)]


def _is_given_by_data(study: Study) -> bool:
    return study.run is not None and study.encoding.crops == CROPS and _is_of_data(study)


def _run_of_study(study: Study) -> str:
    return run_argument(study.require_run())


def study_names(subjects: Sequence[Study | Run]) -> list[str]:
    """As short as tells them apart: those of `run_names`, or methods, numbered, where one has no run.

    Raises InputError where a run was given twice.
    """
    runs = [subject.run if isinstance(subject, Study) else subject for subject in subjects]
    opened = [run for run in runs if run is not None]
    if len(opened) == len(subjects):
        return run_names(opened)
    methods = [method_of(subject) for subject in subjects]
    return [f"{method} {methods[:place].count(method) + 1}" for place, method in enumerate(methods)]


def method_of(subject: Study | Run) -> str:
    """The name of its method, which sets its colour in figures."""
    return subject.method if isinstance(subject, Study) else subject.config.quantizer.method


def run_names(runs: Sequence[Run]) -> list[str]:
    """As short as tells the runs apart: methods, methods with seeds, folders, or folders with those that hold them.

    Raises InputError where a folder was given twice.
    """
    methods = [run.config.quantizer.method for run in runs]
    seeds = [f"{method}, seed {run.config.seed}" for method, run in zip(methods, runs, strict=True)]
    paths = [Path(os.path.abspath(run.path)) for run in runs]
    depths = range(1, max((len(path.parts) for path in paths), default=0) + 1)
    folders = ([printable("/".join(path.parts[-depth:])) for path in paths] for depth in depths)
    for names in (methods, seeds, *folders):
        if len(set(names)) == len(names):
            return names
    twice = next(path for path in paths if paths.count(path) > 1)
    raise InputError(f"{printable(twice)} is given more than once: give each run once")


def remarks_on(run: Run) -> list[str]:
    """Those of the run, and at which step it is shown where its training has not come to its end."""
    done, steps = run.finished_steps, run.config.steps
    if done >= steps:
        return run.remarks()
    return [*run.remarks(), f"{printable(run.name)} is shown as it was at step {done:,d} of {steps:,d}."]


def snapshots_caption(study: Study) -> str:
    """How many of the saved codebooks are looked at, where these are not all."""
    run = study.run
    if run is None:
        return ""
    looked_at = len(run.codebook_snapshots())
    return "" if looked_at == run.saved_snapshots else f" · {looked_at} of its {run.saved_snapshots:,d} saved codebooks"


def study_caption(study: Study) -> str:
    """The words about a tokenizer and its pictures that captions begin with."""
    images, _, height, width = study.encoding.codes.shape
    photographs = len(set(study.encoding.photograph.tolist()))
    run, size = study.run, study.quantizer.codebook_size
    whose = f"{study.method}, K = {size:,d} · "
    if run is None:
        whose += "without a run"
    else:
        steps = study.encoding.steps
        of_all = f" of {run.config.steps:,d}" if steps < run.config.steps else ""
        whose += f"run {printable(run.name)} · seed {run.config.seed} · step {steps:,d}{of_all}"
    tokens = f"N = {images * height * width:,d} tokens of {images:,d} {kind_of_crops(study)}"
    of_others = f" of {printable(study.encoding.data)}" if _is_of_data(study) else ""
    of_others += ", all of them; those of training may be among them" if _may_hold_training_pictures(study) else ""
    return f"{whose} · {tokens} from {photographs} photographs{of_others}"


def _is_of_data(study: Study) -> bool:
    """Whether its pictures are given by a SPEC: others than the run's, or the run's own at another place."""
    run, encoding = study.run, study.encoding
    is_moved = run is not None and encoding.split == "held out" and encoding.data != run.config.data
    return encoding.data != "" and (encoding.split == "everything" or is_moved)


def _may_hold_training_pictures(study: Study) -> bool:
    """Whether all pictures of a folder are looked at, and the run was trained on a folder, too."""
    specs = [study.encoding.data, "" if study.run is None else study.run.config.data]
    return study.encoding.split == "everything" and all(spec.startswith("folder:") for spec in specs)


def kind_of_crops(study: Study) -> str:
    """What the pictures of a study are called."""
    return {"held out": "held-out crops", "training": "training crops"}.get(study.encoding.split, "crops")

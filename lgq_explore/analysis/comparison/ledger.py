"""Every difference between runs besides what is compared, and whether it makes the comparison unfair.

Two runs whose recipes differ only in the method, on the same pictures, machine and versions, differ in no condition.
Every other difference is found field by field and stated in a sentence with its values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from lgq_explore.errors import InputError, printable
from lgq_explore.frames.comparison import CONDITION, COST, LEDGER_FIELDS, OWN, REPEATED, TUNED, ledger_columns
from lgq_explore.runs.run import Run

from .phases import named
from .run_facts import NONE, TRIALS, UNKNOWN, WORDS, Fact, Recorded, run_facts

ALIKE = 1.5
"""Times and energies within this factor are alike: a busy machine makes as much of a difference."""

MOST_VALUES = 6
"""Values of a field that are told in a sentence; of more there is the number."""

METHOD = "method"

OFTEN_TUNED = ("learning_rate", "final_learning_rate", "warmup_steps", "weight_decay", "gradient_clip", "ema_decay")
"""Fields of recipes that trials often choose; so are weights of losses, whose names begin with LOSSES."""

LOSSES = "loss_weights."

SETTING = "quantizer."

SIZE_OF_CODEBOOK = "quantizer.codebook_size"
"""A setting of some methods, which the ledger has as the number of codes of all."""


def ledger(runs: Mapping[str, Run], recorded: Mapping[str, Recorded] | None = None) -> pd.DataFrame:
    """One row per field and one column per run, in words: `frames.comparison.ledger_columns`.

    runs: by their names, which name the columns. recorded: what a sweep has noted, by the run's name. A field of
    recipes that a run's recipe does not have is `–` there.

    Raises:
        InputError: no runs, a run that is named like another column, or one whose files can't be read.
    """
    if not runs:
        raise InputError("no runs to compare: give at least one")
    for name in LEDGER_FIELDS.keys() & runs.keys():
        raise InputError(f"a run is named {name!r}, as a column of the ledger is: give it another name")
    facts = {name: run_facts(run, (recorded or {}).get(name)) for name, run in runs.items()}
    fields = list(dict.fromkeys(field for of_run in facts.values() for field in of_run))
    rows = [_row(field, {name: of_run.get(field) for name, of_run in facts.items()}) for field in fields]
    return ledger_columns(list(runs)).frame(rows)


def by_groups(ledger: pd.DataFrame, groups: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The ledger with a column per group in place of its runs': the values of these, each once.

    groups: names of runs by the name of their group. What differs between runs still does.
    Raises InputError, as `unfairness` does, and for a group that is named like another column.
    """
    ledger_columns(()).require(ledger)
    for name in LEDGER_FIELDS.keys() & groups.keys():
        raise InputError(f"a group is named {name!r}, as a column of the ledger is: give it another name")
    values = {name: ledger[list(runs)].apply(_each_once, axis=1) for name, runs in groups.items()}
    return ledger_columns(list(groups)).frame(ledger[list(LEDGER_FIELDS)].assign(**values))


def unfairness(ledger: pd.DataFrame) -> list[str]:
    """A sentence on each condition that is not the same for all runs; none for a fair comparison.

    ledger: of `analysis.comparison.ledger`, or of `by_groups`.

    Raises:
        InputError: a column is missing.
    """
    return _told(ledger, CONDITION)


def lacks_trials(ledger: pd.DataFrame) -> bool:
    """Whether a condition that trials often choose differs, and no trials are recorded for a run.

    Then it may have been chosen for each method on purpose: the runs of a sweep that are not in its folder look alike.
    Raises InputError, as `unfairness` does.
    """
    ledger_columns(()).require(ledger)
    often = [WORDS.get(path, path) for path in OFTEN_TUNED]
    chosen = ledger["field"].isin(often) | ledger["field"].str.startswith(LOSSES)
    differs = (ledger["kind"] == CONDITION) & ledger["differs"] & chosen
    trials = ledger.loc[ledger["field"] == TRIALS, _runs(ledger)]
    return bool(differs.any() and trials.apply(lambda run: run.str.contains(UNKNOWN)).any(axis=None))


def costs(ledger: pd.DataFrame) -> list[str]:
    """A sentence on each cost (parameters, seconds, energy) that differs. Raises InputError, as `unfairness` does."""
    return _told(ledger, COST)


def own_settings(ledger: pd.DataFrame) -> list[str]:
    """A sentence on each setting of a method that differs between runs of this method.

    Settings that differ because the methods do are in the ledger alone. Raises InputError, as `unfairness` does.
    """
    ledger_columns(()).require(ledger)
    runs = _runs(ledger)
    of_method = ledger.loc[ledger["field"] == METHOD, runs].iloc[0]
    told = []
    differing = ledger[(ledger["kind"] == OWN) & ledger["differs"] & (ledger["field"] != SIZE_OF_CODEBOOK)]
    for _, row in differing.iterrows():
        for method in of_method.unique():
            values = row[[run for run in runs if of_method[run] == method]]
            if values.nunique() > 1:
                field = row["field"]
                name = f"setting {field.removeprefix(SETTING)}" if field.startswith(SETTING) else field
                told.append(_sentence(f"{name} of {method}", values))
    return told


def tuned(ledger: pd.DataFrame) -> list[str]:
    """A sentence on each field that trials have chosen for each method. Raises InputError, as `unfairness` does."""
    return _told(ledger, TUNED)


def repetitions(ledger: pd.DataFrame) -> list[str]:
    """A sentence on each field that is repeated on purpose (seeds). Raises InputError, as `unfairness` does."""
    return _told(ledger, REPEATED)


def _each_once(values: pd.Series) -> str:
    return ", ".join(dict.fromkeys(values))


def _row(field: str, facts: Mapping[str, Fact | None]) -> dict[str, object]:
    known = [fact for fact in facts.values() if fact is not None]
    # A loss is a method's own where each method that has it brings it; a field is tuned where it was for every run.
    kind = CONDITION if any(fact.kind == CONDITION for fact in known) else known[0].kind
    values = {run: NONE if fact is None else fact.value for run, fact in facts.items()}
    return {"field": field, "kind": kind, "differs": _differ(known, list(values.values())), **values}


def _differ(facts: Sequence[Fact], values: Sequence[str]) -> bool:
    if not any(fact.is_measured for fact in facts):
        return len(set(values)) > 1
    numbers = [fact.number for fact in facts if fact.number is not None]  # those without one are not compared
    return bool(numbers) and max(numbers) > ALIKE * min(numbers)


def _told(ledger: pd.DataFrame, kind: str) -> list[str]:
    ledger_columns(()).require(ledger)
    rows = ledger[(ledger["kind"] == kind) & ledger["differs"]]
    return [_sentence(row["field"], row[_runs(ledger)]) for _, row in rows.iterrows()]


def _runs(ledger: pd.DataFrame) -> list[str]:
    return [name for name in ledger.columns if name not in LEDGER_FIELDS]


def _sentence(field: str, values: pd.Series) -> str:
    groups: dict[str, list[str]] = {}
    for run, value in values.items():
        groups.setdefault(value, []).append(printable(run))
    if len(groups) == 1:
        return f"{field[0].upper()}{field[1:]}: {printable(next(iter(groups)))} for each."
    told = [f"{printable(value)} for {named(runs, 'of them')}" for value, runs in groups.items()]
    rest = len(told) - MOST_VALUES
    if rest > 0:
        told = [*told[:MOST_VALUES], f"{rest} more {'value' if rest == 1 else 'values'}"]
    return f"{field[0].upper()}{field[1:]}: {'; '.join(told)}."

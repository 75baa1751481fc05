"""Evidence for the rules of health: a run's recipe and history, and the places of its codes and tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pandas as pd
import torch
from torch import Tensor

from lgq_explore.errors import InputError, printable
from lgq_explore.quantizers import Quantizer, SoftQuantizer, SquaredEuclidean, TakesCodebooks
from lgq_explore.quantizers.nearest import nearest
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.encoding import encode_evaluation_set
from lgq_explore.runs.frozen_run import FrozenRun, frozen, spread_over
from lgq_explore.runs.run import Run
from lgq_explore.runs.study import Study

from ..geometry.twins import distinct_codes, twins
from ..temperature.marks import temperature_of_gap
from ..temperature.probe import TemperatureProbe
from ..temperature.softness import softness_summary, temperature_grid

CROPS = 128
"""Number of held-out crops encoded for a run: some thousands of tokens, in a second or two."""

CLOUD = 4096
"""Size of the sample that stands for the latents: enough to tell by the nearest token whether a place is among them."""

SOFT_TOKENS = 512
"""Number of tokens whose softness is measured: means are accurate to 2 %."""

SNAPSHOTS = 6
"""Snapshots of the codebook that are compared with the tokens, the first and the last among them."""

MOST_COMPARED = 2**14
"""Most codes that are looked through for twins, which takes some seconds."""

SMALL_GAP = 0.1
"""Soft–hard gap, as a share of the tokens' spread, below which soft and hard count as the same."""

COLDEST = 1e-5
"""Lowest temperature, as a share of the last one, at which a small gap is looked for."""

NO_TEMPERATURE = "the method chooses its codes without a temperature"


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything that the rules read, in plain values, so that tests can make it by hand.

    config: the recipe. history: one row per logged step, as `Run.history` gives it. finished_steps: steps that the
    weights have seen. weights: their digest, empty without weights. held_out_tokens: number of encoded tokens, 0 where
    none could be encoded. data: the SPEC of the pictures where they are not the run's held-out ones. centres: the frame
    of `centre_places`. softness: `softness_summary` of these tokens at the last temperature in force, empty without
    temperature. cold_enough: the temperature at which their gap would be SMALL_GAP. twins: numbers of the frame of
    `geometry.twins`. missing: name (`held-out`, `centres`, `softness`, `twins`) → why it could not be measured.
    """

    config: TrainConfig
    history: pd.DataFrame
    finished_steps: int
    run: str = "RUN"
    weights: str = ""
    held_out_tokens: int = 0
    data: str = ""
    centres: pd.DataFrame = field(default_factory=pd.DataFrame)
    softness: Mapping[str, float] = field(default_factory=dict)
    cold_enough: float | None = None
    twins: Mapping[str, float] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        return self.finished_steps >= self.config.steps

    @property
    def kind_of_tokens(self) -> str:
        """What the encoded tokens are called."""
        return f"tokens of {printable(self.data)}" if self.data else "held-out tokens"

    @property
    def tokens_a_step(self) -> int:
        """N of one optimiser step, B·(S/f)²."""
        config = self.config
        return config.batch_size * (config.image_size // config.backbone.factor) ** 2


def gather_evidence(subject: Run | Study, data: str | None = None, crops: int = CROPS) -> Evidence:
    """The evidence of a run, or of a study of it, which has its pictures already.

    For a run, at most `crops` of its held-out crops are encoded, or crops of `data`: the SPEC of other pictures. Where
    something is not available (no weights yet, or pictures of training that were moved), the field `missing` says so.

    Raises:
        InputError: a damaged history, weights that don't fit the recipe, a study without a run, or data that can't be
            used.
    """
    if isinstance(subject, Study):
        return _of_study(subject)
    if subject.finished_steps == 0:
        evidence = Evidence(subject.config, subject.history(), 0, str(subject.path))
        return _without_pictures(evidence, "there are no weights yet")
    run = frozen(subject)
    try:
        encoding = encode_evaluation_set(run, data, crops=crops, trained=run.trained())
    except InputError as error:  # a run folder travels without its pictures; its history still tells much
        if data is not None:
            raise
        return _without_pictures(_of_run(run), f"held-out pictures can't be had: {str(error).splitlines()[0]}")
    return _of_study(Study(run.trained(), encoding, run))


def _of_run(run: FrozenRun) -> Evidence:
    trained = run.trained()
    return Evidence(run.config, run.history(), trained.finished_steps, str(run.path), trained.digest)


def _of_study(study: Study) -> Evidence:
    data = study.encoding.data if study.encoding.split == "everything" else ""
    evidence = replace(_of_run(study.require_run()), held_out_tokens=len(study.points), data=data)
    return _with_twins(_with_softness(_with_centres(evidence, study), study), study)


def _without_pictures(evidence: Evidence, why: str) -> Evidence:
    return replace(evidence, missing=dict.fromkeys(("held-out", "centres", "softness", "twins"), why))


def _with_twins(evidence: Evidence, study: Study) -> Evidence:
    why, size = _no_learned_codebook(study.quantizer), study.quantizer.codebook_size
    if why or size > MOST_COMPARED:
        return _lacking(evidence, "twins", why or f"K = {size:,d} codes are too many to be compared in pairs here")
    frame = twins(study)
    numbers = {"codes": len(frame), "distinct": distinct_codes(frame), "tolerance": float(frame["tolerance"].iloc[0])}
    return replace(evidence, twins={**numbers, "tokens": len(study.points)})


def _no_learned_codebook(quantizer: Quantizer) -> str:
    """Why the codes are not those of one learned codebook; empty if they are."""
    if not quantizer.has_codes:
        return "the method has no codes"
    if quantizer.codebook_is_fixed:
        return "the codes are a fixed grid, which cannot leave"
    return "the codes are made of several codebooks" if len(quantizer.levels) > 1 else ""


def _with_centres(evidence: Evidence, study: Study) -> Evidence:
    quantizer = study.quantizer
    why = _no_learned_codebook(quantizer)
    if why:
        return _lacking(evidence, "centres", why)
    if not isinstance(quantizer.metric, SquaredEuclidean):
        return _lacking(evidence, "centres", f"codes are chosen by {quantizer.metric.name}, not by Euclidean distance")
    steps = study.snapshots if isinstance(quantizer, TakesCodebooks) else ()
    chosen = spread_over(sorted({*steps, evidence.finished_steps}), SNAPSHOTS)
    places = centre_places(study.points, {step: study.quantizer_at(step).code_points() for step in chosen})
    return replace(evidence, centres=places)


def centre_places(tokens: Tensor, codebooks: Mapping[int, Tensor], seed: int = 0) -> pd.DataFrame:
    """How many centres lie away from the tokens, by Euclidean distance: one row per snapshot, in the order of steps.

        step, codes                 step of the snapshot, and its number of codes K
        outside                     share of the codes that are farther than `reach` from every token of a sample
        distance                    median distance of those codes to the nearest token, in spreads
        moved                       median distance of those codes from the first snapshot, in spreads
        spread, reach, tokens       √(trace cov z), the reach, and the size n of the sample

    reach: the spread, or the 99th percentile of other tokens' distances to the nearest of the sample, whichever is
    larger. In many dimensions even tokens of one distribution may be farther apart than the spread.

    tokens: [N, P] in the codes' space, N ≥ 4. codebooks: step → [K, P]. All are compared with the same tokens.

    Raises:
        InputError: fewer tokens, or no codebook.
    """
    if len(tokens) < 4 or not codebooks:
        raise InputError(f"{len(tokens)} tokens and {len(codebooks)} codebooks: give at least 4 and 1")
    drawn = torch.randperm(len(tokens), generator=torch.Generator().manual_seed(seed))[: 2 * CLOUD]
    cloud, others = tokens.float()[drawn].chunk(2)
    spread = (cloud.double() - cloud.double().mean(0)).square().sum(1).mean().sqrt().item()
    reach = max(spread, _distances(others, cloud).quantile(0.99).item())
    unit = spread or 1.0
    first = codebooks[min(codebooks)]
    rows = []
    for step, codebook in sorted(codebooks.items()):
        distances = _distances(codebook.float(), cloud)
        away = distances > reach
        rows.append(
            {
                "step": step,
                "codes": len(codebook),
                "outside": away.double().mean().item(),
                "distance": distances[away].median().item() / unit if away.any() else 0.0,
                "moved": (codebook - first)[away].norm(dim=1).median().item() / unit if away.any() else 0.0,
                "spread": spread,
                "reach": reach,
                "tokens": len(cloud),
            }
        )
    return pd.DataFrame(rows)


def _with_softness(evidence: Evidence, study: Study) -> Evidence:
    quantizer = study.quantizer
    if not isinstance(quantizer, SoftQuantizer):
        return _lacking(evidence, "softness", NO_TEMPERATURE)
    temperature = last_temperature(evidence.history) or quantizer.temperature
    probe = TemperatureProbe.of(study, SOFT_TOKENS)
    softness = softness_summary(probe.at(temperature), temperature, probe.spread)
    if softness["relative_gap"] < SMALL_GAP:
        return replace(evidence, softness=softness)
    return replace(evidence, softness=softness, cold_enough=_cold_enough(probe, temperature))


def _cold_enough(probe: TemperatureProbe, temperature: float) -> float | None:
    """The highest temperature below this one at which the gap is SMALL_GAP; None if it is below the search range."""
    asked: list[float] = []
    for colder in reversed(temperature_grid(COLDEST * temperature, temperature, per_decade=4)):
        asked.append(colder)
        sweep = probe.sweep(asked)  # answers are kept: only the new one is computed
        if sweep["relative_gap"].iloc[0] < SMALL_GAP:
            return temperature_of_gap(sweep, SMALL_GAP)
    return None


def last_temperature(history: pd.DataFrame) -> float | None:
    """The temperature in force at the last logged step, by schedule or by hand; None where none was logged."""
    if "temperature" not in history or history["temperature"].isna().all():
        return None
    return float(history["temperature"].dropna().iloc[-1])


def _lacking(evidence: Evidence, what: str, why: str) -> Evidence:
    return replace(evidence, missing={**evidence.missing, what: why})


def _distances(points: Tensor, cloud: Tensor) -> Tensor:
    """[n], of each point to the nearest of the cloud."""
    return nearest(points, cloud).squared_distances.sqrt()

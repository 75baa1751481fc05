"""Tests of the exploratory sections of RESULTS.md."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_ind

from benchmarks.headline import protocol
from benchmarks.headline.cells import cells_in
from benchmarks.headline.exploratory import ABLATIONS, MECHANISM, STUDIES, Study, changes, contrast, lowest_fd
from benchmarks.headline.page import Results, page
from lgq_explore.runs.config import config_to_json
from tests.benchmarks.planted_headline import FSQ, LGQ, Planted, summary

SIZE = 4375


def planted(study: Study, seeds: int = 3, **better: Planted) -> list[dict[str, Any]]:
    """All cells of a study's sweep, with FSQ's numbers except for some methods."""
    sweep = protocol.exploratory_sweep(study.name)
    found = []
    for (method, size), number in protocol.finals_by_kind(sweep).items():
        of_method = better.get(method.replace("-", "_"), FSQ.get(size, FSQ[SIZE]))
        for seed in range(min(number, seeds)):
            recipe = sweep.recipe(sweep.methods[method], size, {}, seed=seed)
            found.append(summary(method, size, seed, of_method) | {"recipe": config_to_json(recipe)})
    return found


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_a_study_names_methods_of_its_sweep_that_differ_in_one_thing(study: Study) -> None:
    methods = set(protocol.exploratory_sweep(study.name).methods)
    assert methods == {*study.against, *study.against.values(), *study.curves}
    cells = cells_in(planted(study))
    for method, other in study.against.items():
        told = changes(cells[method, SIZE], cells[other, SIZE])
        assert told.count(" = ") == 1 or told.startswith("`") or method == "lgq-unbiased", told
    assert set(study.against) != methods


def test_what_changes_is_read_from_recipes() -> None:
    cells = cells_in(planted(ABLATIONS))
    pairs = {method: changes(cells[method, SIZE], cells[other, SIZE]) for method, other in ABLATIONS.against.items()}
    assert pairs["lgq-split"] == "estimator = split"
    assert pairs["lgq-unbiased"] == "norm = batch, usage_form = unbiased"
    assert pairs["lgq-effective-codes"] == "temperature = 16 → 1.1 effective codes"
    assert pairs["fsq-finish"] == "decoder_finish = 0.2"


def test_two_methods_alone_have_the_interval_of_the_t_test() -> None:
    cells = cells_in([summary(m, SIZE, s, FSQ[SIZE]) for m in ("lgq", "fsq") for s in range(4)])
    ours, theirs = (cells[method, SIZE] for method in ("lgq", "fsq"))
    found = contrast(cells, ours, theirs, lambda each: each.by_seed("psnr_db"))
    assert found is not None
    expected = ttest_ind(ours.by_seed("psnr_db"), theirs.by_seed("psnr_db")).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_intervals_of_contrasts_hold_the_truth() -> None:
    """In 95 % of repetitions, with three seeds of each of six methods."""
    generator, held, repetitions = np.random.default_rng(0), 0, 2000
    cells = cells_in([summary(f"m{m}", SIZE, s, FSQ[SIZE]) for m in range(6) for s in range(3)])
    for _ in range(repetitions):
        drawn = {each.method: generator.normal(size=3) for each in cells.values()}
        found = contrast(cells, cells["m0", SIZE], cells["m1", SIZE], lambda each, drawn=drawn: drawn[each.method])
        assert found is not None
        held += found.low < 0 < found.high
    assert held / repetitions == pytest.approx(0.95, abs=0.015)


def test_one_seed_has_no_interval() -> None:
    cells = cells_in(planted(ABLATIONS, seeds=1))
    found = contrast(cells, cells["fsq", SIZE], cells["vq", SIZE], lambda each: each.by_seed("psnr_db"))
    assert found is not None
    assert found.low is None


def test_the_page_has_a_study_as_soon_as_it_has_a_cell() -> None:
    assert "What makes LGQ better" not in page(Results.of([], []))
    some = planted(ABLATIONS)[:2]
    text = page(Results.of([], [], {"ablations": some}))
    assert "2 of 51 cells" in text
    assert "`lgq` is not frozen yet" in text
    assert "What one thing changes" not in text
    assert "Where a difference comes from" not in text


def test_a_whole_study_names_what_has_the_lowest_fd() -> None:
    best = replace(LGQ["supported"], fd=80)
    text = page(Results.of([], [], {"ablations": planted(ABLATIONS, lgq_kl=best, vq=replace(best, fd=10))}))
    assert "51 of 51 cells" in text
    assert "The lowest FD of LGQ is that of `lgq-kl`" in text
    row = next(line for line in text.splitlines() if line.startswith("| lgq-kl | lgq-spread |"))
    ratio = float(row.split("|")[5].split()[0])
    assert ratio == pytest.approx(80 / FSQ[SIZE].fd, abs=0.02)
    assert "| usage_form = kl |" in row


def test_curves_are_of_the_rivals_own_sizes() -> None:
    at_nine_bits = Planted(100, 26.2, 1000, 9.0)
    text = page(Results.of([], [], {"ablations": planted(ABLATIONS, lgq_split=at_nine_bits)}))
    row = next(line for line in text.splitlines() if line.startswith("| lgq-split | 4375 |"))
    assert float(row.split("|")[11]) == pytest.approx(26.2 - 25.625, abs=0.1)  # FSQ at 9 bits: 25 + (9 − 8)/1.6 dB
    own = next(line for line in text.splitlines() if line.startswith("| fsq | 4375 |"))
    assert own.split("|")[11].strip() == "–"


def test_the_mechanism_freezes_nothing() -> None:
    text = page(Results.of([], [], {"mechanism": planted(MECHANISM)}))
    assert "Where a difference comes from" in text
    assert "`lgq` is not frozen" not in text
    assert "makes `lgq`" not in text


def test_no_fd_names_nothing() -> None:
    bare = planted(ABLATIONS)
    for each in bare:
        for row in each["photographs"].values():
            row["fd"] = None
    assert lowest_fd(cells_in(bare).values()) is None
    assert math.isfinite(len(page(Results.of([], [], {"ablations": bare[:5]}))))

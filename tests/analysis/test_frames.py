"""Does every analysis return the frame that is declared for it: columns, order and types?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType

import pandas as pd
import pytest

import lgq_explore as lgq
from lgq_explore import analysis, frames
from lgq_explore.frames import Columns
from lgq_explore.frames.temperature import annealed_centres
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import LGQConfig
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.study import Study
from tests.analysis.runs_folder import ADVERSARIAL

RECIPE = TrainConfig(
    data="fake",
    batch_size=4,
    steps=6,
    log_steps=1,
    window_steps=2,
    snapshot_steps=2,
    backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
    quantizer=LGQConfig(codebook_size=16),
)
TEMPERATURES = [0.1, 1.0]
WORDS = (frames.columns, frames.quantities)
TOPICS = [module for module in vars(frames).values() if isinstance(module, ModuleType) and module not in WORDS]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, own_data_and_no_network: None) -> Study:
    run = lgq.train(RECIPE, tmp_path_factory.mktemp("runs") / "lgq", device="cpu", progress=False)
    return lgq.study(run, crops=8)


def probe(study: Study) -> analysis.temperature.TemperatureProbe:
    return analysis.temperature.TemperatureViews(study, tokens=64, pictures=2).sample


def views(study: Study) -> analysis.temperature.TemperatureViews:
    return analysis.temperature.TemperatureViews(study, tokens=64, pictures=2)


def path(study: Study) -> analysis.temperature.AnnealingPath:
    return analysis.temperature.annealing_path(study.points[:64], 3, TEMPERATURES, iterations=20)


def toy(study: Study) -> analysis.toys.ToyFit:
    return analysis.toys.fit_toy(analysis.toys.ToySetting(steps=2), log_steps=1)


TOY = analysis.toys.ToySetting(codes=4, steps=2)


def audited(study: Study) -> pd.DataFrame:
    return analysis.audit.picture_values(study, parts=(2,), divisions=1)


def made(topic: ModuleType) -> Iterator[tuple[Columns, Callable[[Study], pd.DataFrame]]]:
    """The declarations of a topic, each with a call of the function that it names."""
    match topic:
        case frames.audit:
            audit = analysis.audit
            yield topic.VALUES, audited
            yield topic.VALUES, lambda study: audit.toy_values([TOY], sizes=(32,), sets=2, progress=False)
            yield topic.AUDIT, lambda study: audit.audit(audited(study), "pictures", pair=("lgq", "lgq"))
            yield topic.TRUST, lambda study: audit.trusted_from(audit.audit(audited(study), "pictures"))
        case frames.usage:
            yield topic.PER_CODE, analysis.usage.per_code
            yield topic.BY_RANK, analysis.usage.by_rank
            yield topic.LORENZ, analysis.usage.lorenz
            yield topic.ACCUMULATION, analysis.usage.accumulation
            yield topic.DEFINITIONS, lambda study: analysis.usage.definitions({"a": study})
            yield topic.SUMMARY, analysis.usage.summary
            yield topic.CODE_HISTORY, lambda study: analysis.usage.code_history(study, [0, 1])
        case frames.temperature:
            temperature = analysis.temperature
            yield topic.TOKENS, lambda study: views(study).sample.at(0.5)
            yield topic.TOKEN_MAP, lambda study: views(study).at(0.5).placed
            yield topic.SWEEP, lambda study: views(study).sweep
            yield topic.FLIPS, lambda study: views(study).flips
            yield topic.FLIPS_OVER_SNAPSHOTS, temperature.flips_over_snapshots
            yield topic.MARKS, lambda study: temperature.temperature_marks(views(study).sample, views(study).sweep)
            yield topic.TOP_RESPONSIBILITIES, lambda study: views(study).top(0, 0.5)
            yield topic.SPLIT_TEMPERATURES, lambda s: temperature.split_temperatures(s.points, s.code_points, 0.5)
            yield topic.BIFURCATIONS, temperature.bifurcations
            yield topic.ANNEALED_STATES, lambda study: path(study).states
            yield (
                topic.ESTIMATORS,
                lambda study: temperature.estimator_microscope(study, study.encoding.images[:2], TEMPERATURES, pairs=2),
            )
            yield (
                topic.ESTIMATOR_MAP,
                lambda study: temperature.estimator_map(study, study.encoding.images[:2], TEMPERATURES, pairs=2),
            )
            yield (
                topic.BESIDE_STRAIGHT_THROUGH,
                lambda study: temperature.beside_straight_through(study, study.encoding.images[:2], TEMPERATURES),
            )
            yield annealed_centres(4), lambda study: path(study).centres
        case frames.geometry:
            geometry = analysis.geometry
            yield topic.CODE_CELLS, geometry.code_cells
            yield topic.DENSITY_EXPONENTS, lambda study: geometry.density_exponents(geometry.code_cells(study))
            yield (
                topic.EFFICIENCY,
                lambda study: geometry.efficiency(
                    study, geometry.kmeans_codebooks(study, restarts=1, progress=False), pictures=1
                ),
            )
            yield topic.LATENT_MAP, lambda study: geometry.latent_map(study).points
            yield topic.MAP_COLOURS, lambda study: geometry.map_colours(study, costly=geometry.COSTLY_COLOURS)
            yield topic.MAP_COLOURS, geometry.map_colours
            yield (
                topic.MAP_COLOURS,
                lambda study: geometry.grid_colours(study, geometry.fit_grid(study, (4, 4), steps=1)),
            )
            yield topic.LATTICE_EDGES, lambda study: geometry.lattice_edges((2, 3))
            yield topic.LATTICE_EDGES, lambda study: geometry.lattice_edges((16,))
            yield topic.TWINS, geometry.twins
            yield topic.CODE_NEIGHBOURS, lambda study: geometry.code_neighbours(study, [0])
        case frames.pictures:
            pictures = analysis.pictures
            yield topic.TOKEN_TABLE, pictures.token_table
            yield topic.DISTORTION, lambda study: pictures.distortion(pictures.token_table(study), 16)
            yield topic.CANDIDATES, lambda study: pictures.posterior(study, 0, 0, 0).candidates
            yield topic.RECEPTIVE_FIELD, lambda study: pictures.receptive_field(study, 1)
            yield topic.RECONSTRUCTION_QUALITY, pictures.reconstruction_quality
            yield topic.TURNED_OFF, lambda study: pictures.turn_codes_off(study, [0]).pictures
        case frames.health:
            health = analysis.health
            yield topic.VERDICTS, health.assess
            yield topic.RULE_CURVES, lambda study: health.rule_curves(health.gather_evidence(study))
            yield topic.TRAINING_CURVES, lambda study: health.training_curves(study.require_run().history(), 16)
            yield topic.TRAINING_CURVES, lambda study: health.training_curves(study.require_run().history()[:0])
            yield topic.STEP_MARKS, lambda study: health.step_marks(ADVERSARIAL)
            yield topic.STEP_MARKS, lambda study: health.step_marks(study.require_run().config)
        case frames.comparison:
            comparison = analysis.comparison
            yield topic.AGREEMENT, lambda study: comparison.agreement({"a": study, "b": study}, draws=2)
            yield topic.GAN_PHASES, lambda study: comparison.gan_phases({"a": study})
            yield topic.GAN_PHASES, lambda study: comparison.gan_phases({})
            for name, columns in (
                ("group_numbers", topic.GROUP_NUMBERS),
                ("group_differences", topic.GROUP_DIFFERENCES),
                ("group_ratios", topic.GROUP_RATIOS),
                ("curve_differences", topic.CURVE_DIFFERENCES),
                ("frechet_sizes", topic.FRECHET_SIZES),
                ("curve_lines", topic.CURVE_LINES),
                ("run_numbers", topic.RUN_NUMBERS),
            ):
                make = getattr(comparison, name)
                yield columns, lambda study, make=make: make(comparison.compare([study.require_run()], crops=4).grouped)
            yield topic.PRUNING, comparison.pruning
            yield topic.DISAGREEMENT, lambda study: comparison.disagreement(study, study)
            yield topic.ledger_columns(["a"]), lambda study: comparison.ledger({"a": study.require_run()})
            yield topic.PHOTOGRAPHS, comparison.photograph_numbers
            yield (
                topic.AT_EQUAL_BITS,
                lambda study: comparison.at_equal_bits(
                    comparison.compare([study.require_run()], crops=4).grouped, bits=2.0
                ),
            )
            yield topic.RUNS, lambda study: comparison.runs_in(study.require_run().path.parent)
            yield topic.RUNS, lambda study: comparison.runs_in()
            yield (
                topic.OVER_SEEDS,
                lambda study: comparison.over_seeds(comparison.runs_in(study.require_run().path.parent)),
            )
            yield topic.OVER_SEEDS, lambda study: comparison.over_seeds(comparison.runs_in())
        case frames.toys:
            toys = analysis.toys
            yield topic.CURVE, lambda study: toy(study).curve
            yield topic.TABLE, lambda study: toys.toy_table(["ring"], ["vq"], steps=2)
            yield topic.HARD_CODES, lambda study: toys.ToyView(toy(study).setting, toy(study).quantizer).hard.codes
            yield topic.SOFT_CODES, lambda study: toys.ToyView(toy(study).setting, toy(study).quantizer).soft(0.5).codes
            yield topic.VIEW, lambda study: toys.ToyView(toy(study).setting, toy(study).quantizer).frame(0.5)


PARTS = [frames.geometry.PLACED_CODES, frames.geometry.PLACES, frames.geometry.EDGES, frames.toys.PLANE_CODES]
"""Parts of other frames, which figures need."""

MADE = [(columns, make) for topic in TOPICS for columns, make in made(topic)]


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.__name__)
def test_every_declaration_has_its_function(topic: ModuleType) -> None:
    declared = [value for value in vars(topic).values() if isinstance(value, Columns) and value not in PARTS]
    looked_at = [columns for columns, _ in made(topic)]
    assert declared
    assert all(columns in looked_at for columns in declared)


@pytest.mark.parametrize(("columns", "make"), MADE, ids=[columns.made_by for columns, _ in MADE])
def test_the_frame_has_its_columns_in_their_order_and_types(
    study: Study, columns: Columns, make: Callable[[Study], pd.DataFrame]
) -> None:
    frame = make(study)
    assert isinstance(frame, pd.DataFrame)
    assert [name for name in columns.described if name in frame] == list(frame.columns)
    assert set(columns.needed) <= set(frame.columns)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        name: columns.described[name][0] for name in frame.columns
    }


@pytest.mark.parametrize("columns", {columns.made_by: columns for columns, _ in MADE}.values(), ids=lambda c: c.made_by)
def test_the_function_that_makes_it_has_that_name(columns: Columns) -> None:
    found: object = lgq
    for name in columns.made_by.split("."):
        found = getattr(found, name)
    assert callable(found)


def test_a_frame_of_other_columns_is_a_defect() -> None:
    declared = Columns("analysis.x", {"a": ("int64", "a number"), "b": ("str", "a word")})
    made = declared.frame({"b": ["x"], "a": [1]})
    assert made.to_dict("list") == {"a": [1], "b": ["x"]}
    assert list(made.columns) == ["a", "b"]
    assert declared.frame([]).dtypes.astype(str).to_dict() == {"a": "int64", "b": "str"}
    for other in ({"a": [1]}, {"a": [1], "b": ["x"], "c": [2]}):
        with pytest.raises(ValueError, match="declared with"):
            declared.frame(other)

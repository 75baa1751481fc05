"""Tests of sweep files: what they mean, and what is refused before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from lgq_explore.errors import InputError
from lgq_explore.images.division import Division
from lgq_explore.sweeps import Plan
from lgq_explore.sweeps.description import NO_CODES
from lgq_explore.sweeps.reading import read_sweep
from tests.sweeps.toy import TOY, UNTUNED, planned, written

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "benchmarks" / "sweeps").glob("*.toml"))


def test_methods_have_the_common_settings_and_their_own(tmp_path: Path) -> None:
    file = written(tmp_path, TOY, ("[methods.fsq]", '[methods.fsq]\nset = { "quantizer.bound" = "paper", steps = 7 }'))
    sweep = read_sweep(file)
    lgq, fsq = (sweep.recipe(sweep.methods[name], 16, {}, seed=5) for name in ("lgq", "fsq"))
    assert (lgq.steps, fsq.steps, lgq.seed) == (4, 7, 5)
    assert fsq.quantizer.bound == "paper"  # type: ignore[attr-defined]
    assert (lgq.data, lgq.split) == ("fake", fsq.split)
    assert lgq.split == Division(validation=0.2, held_out=0.3)
    assert sweep.methods["none"].sizes == (NO_CODES,)


def test_a_variant_is_a_method_by_a_name_of_its_own(tmp_path: Path) -> None:
    variant = '[methods.grid]\nquantizer = "lgq"\nset.quantizer.initialization = "grid"\n\n[methods.fsq]'
    sweep = read_sweep(written(tmp_path, TOY, ("[methods.fsq]", variant)))
    recipe = sweep.recipe(sweep.methods["grid"], 64, {}, seed=0)
    assert (recipe.quantizer.method, recipe.quantizer.initialization) == ("lgq", "grid")  # type: ignore[attr-defined]


def test_a_grid_of_trials_is_every_combination_and_a_list_is_itself(tmp_path: Path) -> None:
    grid = "[methods.lgq]\ntrials = { learning_rate = [1e-3], loss_weights.usage = [0.1, 0.2] }"
    listed = "[[methods.fsq.trials]]\nlearning_rate = 1e-3\n\n[[methods.fsq.trials]]\nsteps = 8"
    sweep = read_sweep(written(tmp_path, TOY, ("[methods.lgq]", grid), ("[methods.fsq]", listed)))
    assert sweep.methods["lgq"].trials == (
        {"learning_rate": 1e-3, "loss_weights.usage": 0.1},
        {"learning_rate": 1e-3, "loss_weights.usage": 0.2},
    )
    assert sweep.methods["fsq"].trials == ({"learning_rate": 1e-3}, {"steps": 8})


def test_trials_have_a_seed_that_no_final_cell_has(tmp_path: Path) -> None:
    tuning = read_sweep(written(tmp_path)).tuning
    assert tuning is not None
    assert tuning.seed == 2
    with pytest.raises(InputError, match=r"trials\.seed is 1, which is a seed of final cells"):
        read_sweep(written(tmp_path, TOY, ("[trials]", "[trials]\nseed = 1")))


def test_sizes_may_have_fewer_seeds(tmp_path: Path) -> None:
    sweep = read_sweep(written(tmp_path, TOY, ("[methods.lgq]", "[seeds_of_size]\n64 = [7]\n\n[methods.lgq]")))
    assert sweep.methods["lgq"].seeds == {16: (0, 1), 64: (7,)}


def test_the_example_files_are_whole(tmp_path: Path) -> None:
    assert EXAMPLES
    for example in EXAMPLES:
        plan = Plan.read(example, tmp_path)
        assert all(recipe.steps for _, recipe in plan.recipes())


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('preset = "tiny"', 'preset = "tini"', r"unknown preset 'tini' \(did you mean tiny\?\)"),
        ("seeds = 2", "seed = 2", r"unknown key 'seed' \(did you mean seeds\?\)"),
        ("seeds = 2", "seeds = 0", "seeds is 0: give 1 or more"),
        ("seeds = 2", "seeds = [1, 1]", r"seeds of methods.lgq: \[1, 1\] is not a list of different whole numbers"),
        ("seeds = 2\n", "", "seeds are missing"),
        ("[16, 64]", "[16, 1]", r"codebook_sizes of methods.lgq: \[16, 1\] is not a list .* from 2 on"),
        ("[methods.lgq]", "[methods.lgqq]", r"unknown quantizer 'lgqq' \(did you mean lgq"),
        ("[methods.lgq]", "[methods.'a/b']", "a method's name becomes that of folders"),
        ("[methods.lgq]", "[methods.lgq]\nset.seed = 3", "methods.lgq.set.seed: a sweep decides it by seeds"),
        ("[methods.lgq]", "[methods.lgq]\ntrials.steps = [5]", r"different numbers of trials \(lgq 1, fsq 2\)"),
        ("reference = true", "trials = {}", "methods.none has no trials: .* or reference = true"),
        ("[1e-3, 1e-9]", "[1e-3, 1e-3]", "tries .* twice"),
        ("[1e-3, 1e-9]", "1e-3", "trials.grid.learning_rate is 0.001: give a list of the values to try"),
        ('"psnr_db"', '"psnr"', r"trials.metric is 'psnr' \(did you mean psnr_db\?\)"),
        ('best = "highest"', "", "trials.best is None: say whether the 'highest' or the 'lowest' psnr_db is best"),
        ('"smallest"', "32", "trials.codebook_size is 32, which methods.lgq does not have"),
        ('["quality"]', '["qualty"]', r"evaluation: unknown metric 'qualty' \(did you mean quality"),
        ("crops = 64", "crops = 0", "evaluation.crops is 0: give 1 or more"),
        ("crops = 64", 'split = "test"', "evaluation.split is 'test': give 'held out' or 'validation'"),
        ("crops = 64", "features = 1", "evaluation.features is 1: give true or false"),
        ("steps = 4", "steps = = 4", r"it is not TOML \(Invalid value \(at line 9"),
    ],
)
def test_a_wrong_value_is_named_with_its_remedy(tmp_path: Path, before: str, after: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as refusal:
        read_sweep(written(tmp_path, TOY, (before, after)))
    assert str(refusal.value).startswith(str(tmp_path / "toy.toml"))
    assert len(str(refusal.value).splitlines()) <= 2


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            "[16, 64]",
            "[16, 1024]",
            r"methods.fsq: fsq can't have 1024 codes: the nearest that it can have is 1000\.\nGive the method",
        ),
        ("steps = 4", "stepps = 4", r"set: unknown field 'stepps' \(did you mean steps"),
        ("steps = 4", "steps = -4", "set: steps is -4: it must be at least 1"),
        ("[1e-3, 1e-9]", "[1e-3, -1.0]", "trials of methods.lgq: learning_rate is -1.0: it must be above 0"),
        ("[methods.lgq]", "[methods.lgq]\nset.image_size = 32", "image_size is .*: methods are compared on the same"),
        ("validation = 0.2, ", "", "fake has no validation pictures: give them a share"),
        ('data = "fake"', 'data = "folder:/no/such"', "there is no folder /no/such"),
    ],
)
def test_all_is_checked_before_the_first_step(tmp_path: Path, before: str, after: str, told: str) -> None:
    plan = planned(tmp_path, TOY, (before, after))
    with pytest.raises(InputError, match=told):
        plan.check("cpu")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="can't be made"):
        Plan.read(written(tmp_path), tmp_path / "file" / "sweep").check("cpu")


def test_a_sweep_without_trials_needs_no_validation(tmp_path: Path) -> None:
    plan = planned(tmp_path, UNTUNED, ("validation = 0.2, ", ""))
    assert len(plan.check("cpu")) == 64
    assert not [cell for cell in plan.cells if cell.trial is not None]

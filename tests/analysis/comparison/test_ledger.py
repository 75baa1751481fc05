"""Is every difference that makes a comparison unfair told with its values, and nothing told of runs that are alike?"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lgq_explore.analysis.comparison import (
    Recorded,
    by_groups,
    costs,
    ledger,
    own_settings,
    repetitions,
    tuned,
    unfairness,
)
from lgq_explore.analysis.comparison.ledger import lacks_trials
from lgq_explore.errors import InputError
from lgq_explore.frames.comparison import CONDITION, LEDGER_FIELDS, OWN
from lgq_explore.quantizers import FSQConfig, VQConfig
from lgq_explore.runs.config import TrainConfig, config_to_json
from lgq_explore.runs.evaluate import METRICS
from lgq_explore.runs.run import Run, open_run
from lgq_explore.training.loop import train
from tests.analysis.runs_folder import ADVERSARIAL, GRID, SOFT, plant_metrics

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")

EVALUATED: dict[str, Any] = {
    "images": 32,
    "photographs": 8,
    "scenes": 8,
    "weights": "last",
    "device": "cpu",
    "psnr_db": 20.0,
    "lpips": {"value": None, "net": "alex", "why": "no weights"},
    "fd": {
        "value": 3.5,
        "features": "inception",
        "why": None,
        "reference": "32 crops",
        "crop": "32 px",
        "resize": "no",
    },
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, own_data_and_no_network: None) -> Path:
    """Two seeds of one recipe, and a run of another method."""
    folder = tmp_path_factory.mktemp("runs")
    for name, recipe in {"a": SOFT, "b": replace(SOFT, seed=1), "grid": GRID}.items():
        plant_metrics(train(recipe, folder / name, device="cpu", progress=False), **EVALUATED)
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    return shutil.copytree(trained, tmp_path / "runs")


def opened(folder: Path, *names: str) -> dict[str, Run]:
    return {name: open_run(folder / name) for name in names}


def rewrite(run: Path, change: Callable[[dict[str, Any]], object], config: TrainConfig | None = None) -> None:
    """Change the config.json of a run as another training would have written it; its weights name the old one."""
    content = json.loads((run / "config.json").read_text())
    if config is not None:
        content |= {"recipe": config_to_json(config), "recipe_hash": config.recipe_hash}
    change(content["environment"])
    (run / "config.json").write_text(json.dumps(content))
    (run / "weights.safetensors").unlink()


def unchanged(environment: dict[str, Any]) -> None:
    """The environment stays."""


def differing(frame: pd.DataFrame, kind: str) -> set[str]:
    return set(frame.loc[(frame["kind"] == kind) & frame["differs"], "field"])


def test_runs_that_differ_in_the_seed_alone_are_not_flagged(folder: Path) -> None:
    frame = ledger(opened(folder, "a", "b"))
    assert unfairness(frame) == own_settings(frame) == []
    assert repetitions(frame) == ["Seed: 0 for a; 1 for b."]
    assert not frame["differs"][frame["kind"].isin([CONDITION, OWN])].any()


def test_a_run_beside_itself_has_no_difference_at_all(folder: Path) -> None:
    frame = ledger({"a": open_run(folder / "a"), "again": open_run(folder / "a")})
    assert not frame["differs"].any()
    assert unfairness(frame) == costs(frame) == own_settings(frame) == repetitions(frame) == []


def test_groups_have_the_values_of_their_runs_each_once(folder: Path) -> None:
    frame = ledger(opened(folder, "a", "b", "grid"))
    grouped = by_groups(frame, {"soft": ["a", "b"], "grid": ["grid"]})
    assert grouped.columns.tolist() == [*LEDGER_FIELDS, "soft", "grid"]
    assert grouped["differs"].tolist() == frame["differs"].tolist()
    rows = grouped.set_index("field")
    assert (rows.loc["seed", "soft"], rows.loc["method", "soft"], rows.loc["method", "grid"]) == ("0, 1", "lgq", "fsq")
    assert repetitions(by_groups(frame.drop(columns="grid"), {"soft": ["a", "b"]})) == ["Seed: 0, 1 for each."]
    with pytest.raises(InputError, match="a group is named 'kind'"):
        by_groups(frame, {"kind": ["a"]})


def test_settings_of_other_methods_are_their_own_and_not_unfair(folder: Path) -> None:
    frame = ledger(opened(folder, "a", "grid"))
    assert unfairness(frame) == own_settings(frame) == []
    assert {"method", "quantizer.codebook_size", "quantizer.levels"} <= differing(frame, OWN)
    row = frame.set_index("field").loc["quantizer.levels"]
    assert (row["a"], row["grid"]) == ("–", "(4, 4)")
    assert any(told.startswith("Parameters of the quantizer: ") for told in costs(frame))


def test_a_setting_that_differs_within_a_method_is_told(folder: Path) -> None:
    other = replace(SOFT, quantizer=replace(SOFT.quantizer, codebook_size=8))
    rewrite(folder / "b", unchanged, other)
    frame = ledger(opened(folder, "a", "b"))
    assert "Codebook size, K of lgq: 16 for a; 8 for b." in own_settings(frame)
    rewrite(folder / "a", unchanged, replace(GRID, quantizer=FSQConfig((4, 4, 4))))
    frame = ledger(opened(folder, "a", "grid"))
    assert "Setting levels of fsq: (4, 4, 4) for a; (4, 4) for grid." in own_settings(frame)


CHANGED_RECIPES = {
    "images per step (batch)": ({"batch_size": 8}, "4 for a; 8 for b"),
    "micro-batches per step": ({"accumulation": 2}, "1 for a; 2 for b"),
    "steps of the recipe": ({"steps": 9}, "4 for a; 9 for b"),
    "learning rate": ({"learning_rate": 0.5}, "0.001 for a; 0.5 for b"),
    "learning rate at the end": ({"final_learning_rate": 0.5}, "0.0001 for a; 0.5 for b"),
    "warm-up, steps": ({"warmup_steps": 3}, "20 for a; 3 for b"),
    "weight decay": ({"weight_decay": 0.5}, "0.0001 for a; 0.5 for b"),
    "largest gradient norm": ({"gradient_clip": 2.0}, "1 for a; 2 for b"),
    "gradient_clip_by_part": ({"gradient_clip_by_part": True}, "no for a; yes for b"),
    "side of the images, pixels": ({"image_size": 64}, "32 for a; 64 for b"),
    "width of the latents, D": ({"backbone": replace(SOFT.backbone, dim=8)}, "4 for a; 8 for b"),
    "downsampling": ({"backbone": replace(SOFT.backbone, channels=(8, 8, 8, 8))}, "4 for a; 8 for b"),
    "backbone.blocks": ({"backbone": replace(SOFT.backbone, blocks=2)}, "1 for a; 2 for b"),
    "decay of the average of weights (EMA)": ({"ema_decay": 0.5}, "0 for a; 0.5 for b"),
    "weights that are evaluated": ({"ema_decay": 0.5}, "of the last step for a; average over steps for b"),
    "decoder-only finish that the recipe asks for": ({"decoder_finish": 0.25}, "the method's own for a; 0.25 for b"),
    "precision that the recipe asks for": ({"precision": "bf16-mixed"}, "auto for a; bf16-mixed for b"),
    "compile": ({"compile": True}, "no for a; yes for b"),
    "loss_weights.l2": ({"loss_weights": {**SOFT.loss_weights, "l2": 1.0}}, "– for a; 1 for b"),
    "objectives.l1.start_step": ({"objectives": {"l1": {"start_step": 2}}}, "– for a; 2 for b"),
    "GAN phase": (
        {"loss_weights": ADVERSARIAL.loss_weights, "objectives": ADVERSARIAL.objectives},
        "no GAN for a; before it starts for b",
    ),
}


@pytest.mark.parametrize("field", CHANGED_RECIPES)
def test_a_recipe_that_differs_is_told_with_both_values(folder: Path, field: str) -> None:
    changes, values = CHANGED_RECIPES[field]
    rewrite(folder / "b", unchanged, replace(SOFT, seed=1, **changes))
    told = unfairness(ledger(opened(folder, "a", "b")))
    assert f"{field[0].upper()}{field[1:]}: {values}." in told


CHANGED_ENVIRONMENTS = {
    "pictures and split, digest": ({"data_fingerprint": "0123456789abcdef"}, "0123456789ab for b"),
    "training photographs": ({"training_photographs": 7}, "7 for b"),
    "held-out photographs": ({"held_out_photographs": 7}, "7 for b"),
    "files without a picture": ({"skipped_files": 7}, "7 for b"),
    "precision": ({"precision": "bf16-mixed"}, "32-true for a; bf16-mixed for b"),
    "device of training": ({"device": "a GPU"}, "cpu for a; a GPU for b"),
    "processes": ({"world_size": 2}, "1 for a; 2 for b"),
    "processor": ({"processor": ""}, "not recorded for b"),
    "threads": ({"threads": 99}, "99 for b"),
    "version of torch": ({"versions": {"torch": "1.0"}}, "1.0 for b"),
}


@pytest.mark.parametrize("field", CHANGED_ENVIRONMENTS)
def test_circumstances_that_differ_are_told(folder: Path, field: str) -> None:
    changes, values = CHANGED_ENVIRONMENTS[field]
    rewrite(folder / "b", lambda environment: environment.update(changes))
    told = unfairness(ledger(opened(folder, "a", "b")))
    assert any(line.startswith(f"{field[0].upper()}{field[1:]}: ") and values in line for line in told)


CHANGED_RESULTS: dict[str, tuple[dict[str, Any], str]] = {
    "images of the last evaluation": ({"images": 16}, "32 for a; 16 for b"),
    "photographs of the last evaluation": ({"photographs": 4}, "8 for a; 4 for b"),
    "scenes of the last evaluation": ({"scenes": 4}, "8 for a; 4 for b"),
    "tokens of the last evaluation": ({"tokens": 64}, "1,024 for a; 64 for b"),
    "kind of the evaluated weights": ({"weights": "ema"}, "last for a; ema for b"),
    "device of evaluation": ({"device": "a GPU"}, "cpu for a; a GPU for b"),
    "network of LPIPS": ({"lpips": {"value": 1.0, "net": "vgg"}}, "alex for a; vgg for b"),
    "features of FD": ({"fd": {**EVALUATED["fd"], "features": "other"}}, "inception for a; other for b"),
    "reference set of FD": ({"fd": {**EVALUATED["fd"], "reference": "9 crops"}}, "32 crops for a; 9 crops for b"),
    "crops of FD": ({"fd": {**EVALUATED["fd"], "crop": "9 px"}}, "32 px for a; 9 px for b"),
    "resizing of FD": ({"fd": {**EVALUATED["fd"], "resize": "to 299"}}, "no for a; to 299 for b"),
}


@pytest.mark.parametrize("field", CHANGED_RESULTS)
def test_evaluations_that_differ_are_told(folder: Path, field: str) -> None:
    changes, values = CHANGED_RESULTS[field]
    plant_metrics(open_run(folder / "b"), **EVALUATED | changes)
    told = unfairness(ledger(opened(folder, "a", "b")))
    assert told == [f"{field[0].upper()}{field[1:]}: {values}."]


def test_a_run_that_was_not_evaluated_is_told(folder: Path) -> None:
    (folder / "b" / METRICS).unlink()
    assert "Images of the last evaluation: 32 for a; not evaluated for b." in unfairness(
        ledger(opened(folder, "a", "b"))
    )


def test_images_seen_count_finished_steps(folder: Path) -> None:
    rewrite(folder / "b", unchanged)
    told = unfairness(ledger(opened(folder, "a", "b")))
    assert {"Images seen: 16 for a; 0 for b.", "Finished steps: 4 for a; 0 for b."} <= set(told)


def noted_costs(frame: pd.DataFrame) -> list[str]:
    """The costs that a sweep notes: the seconds of a history are those that this machine happened to take."""
    return [told for told in costs(frame) if "by the clock" not in told]


def test_what_a_sweep_noted_is_compared(folder: Path) -> None:
    runs = opened(folder, "a", "b")
    equal = {name: Recorded(trials=4, cpu_seconds=10.0) for name in runs}
    assert unfairness(ledger(runs, equal)) == noted_costs(ledger(runs, equal)) == []
    noted = equal | {"b": Recorded(trials=1, cpu_seconds=20.0)}
    assert unfairness(ledger(runs, noted)) == ["Tuning trials: 4 for a; 1 for b."]
    assert noted_costs(ledger(runs, noted)) == ["Training, seconds of CPU time: 10 for a; 20 for b."]
    assert noted_costs(ledger(runs, {"a": Recorded(trials=4, cpu_seconds=10.0)})) == []
    assert unfairness(ledger(runs, {"a": Recorded(trials=4)})) == ["Tuning trials: 4 for a; not recorded for b."]


def plant_joules(run: Path, **joules: float) -> None:
    history = pd.read_csv(run / "history.csv").assign(**joules)
    history.to_csv(run / "history.csv", index=False)


def test_energy_is_compared_where_both_runs_have_it(folder: Path) -> None:
    field = "training, joules of the processors"
    frame = ledger(opened(folder, "a", "b")).set_index("field")
    assert frame.loc[field, ["a", "b", "differs"]].tolist() == ["not recorded", "not recorded", False]
    plant_joules(folder / "a", processor_joules=100.0, gpu_joules=700.0)
    assert noted_costs(ledger(opened(folder, "a", "b"))) == []
    plant_joules(folder / "b", processor_joules=140.0)
    assert noted_costs(ledger(opened(folder, "a", "b"))) == []
    plant_joules(folder / "b", processor_joules=300.0)
    assert noted_costs(ledger(opened(folder, "a", "b"))) == [
        "Training, joules of the processors: 100 for a; 300 for b."
    ]


def test_what_trials_have_chosen_is_not_unfair(folder: Path) -> None:
    rewrite(folder / "b", unchanged, replace(SOFT, seed=1, learning_rate=0.5))
    runs = opened(folder, "a", "b")
    noted = {name: Recorded(trials=2, tuned=frozenset({"learning_rate"})) for name in runs}
    told = f"Learning rate: {SOFT.learning_rate:g} for a; 0.5 for b."
    assert (told in unfairness(ledger(runs, noted)), tuned(ledger(runs, noted))) == (False, [told])
    assert told in unfairness(ledger(runs, noted | {"b": Recorded(trials=2)}))


def test_a_setting_that_trials_choose_is_known_to_lack_its_trials(folder: Path) -> None:
    runs = opened(folder, "a", "b")
    assert not lacks_trials(ledger(runs))  # nothing differs that trials choose
    rewrite(folder / "b", unchanged, replace(SOFT, seed=1, learning_rate=0.5))
    runs = opened(folder, "a", "b")
    noted = {name: Recorded(trials=2, tuned=frozenset({"learning_rate"})) for name in runs}
    assert lacks_trials(ledger(runs))
    assert lacks_trials(by_groups(ledger(runs, {"a": noted["a"]}), {"both": ["a", "b"]}))
    assert not lacks_trials(ledger(runs, noted))
    assert not lacks_trials(ledger(runs, {name: Recorded(trials=2) for name in runs}))  # it was not their choice


def test_codebooks_in_buffers_count_as_what_they_are(tmp_path: Path) -> None:
    run = train(replace(SOFT, quantizer=VQConfig(codebook_size=16), loss_weights={}), tmp_path / "vq", progress=False)
    frame = ledger({"vq": run}).set_index("field")["vq"]
    assert frame["parameters of the quantizer"] == "0"
    assert frame["numbers in learned codebooks"] == f"{16 * 4}"


def test_many_runs_are_counted_and_names_are_printable(folder: Path) -> None:
    runs = {f"run {number}": open_run(folder / "a") for number in range(5)} | {"<b>\x1b": open_run(folder / "b")}
    assert repetitions(ledger(runs)) == [r"Seed: 0 for 5 of them; 1 for <b>\x1b."]


def test_no_runs_and_a_name_of_a_column_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="no runs to compare"):
        ledger({})
    with pytest.raises(InputError, match="a run is named 'differs', as a column of the ledger is"):
        ledger({"differs": open_run(folder / "a")})
    with pytest.raises(InputError, match="the frame lacks field, kind, differs"):
        unfairness(pd.DataFrame())

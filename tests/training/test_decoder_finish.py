"""Tests of the last steps, which train the decoder alone: what stands still, what it reads, and that it resumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.models import BackboneConfig, Tokenizer, TokenizerOutput
from lgq_explore.quantizers import (
    FSQConfig,
    KMeansConfig,
    LGQConfig,
    NoneConfig,
    QuantizerConfig,
    SimVQConfig,
    VQConfig,
    to_tokens,
)
from lgq_explore.quantizers.nearest import nearest
from lgq_explore.runs.config import TrainConfig, config_from_json
from lgq_explore.runs.run import Run
from lgq_explore.training.objectives.of_recipe import require_objectives
from lgq_explore.training.presets import preset
from tests.training.objectives.test_gan import SETTINGS
from tests.training.test_loop import StopsBefore, assert_same_run, resumed, trained

FINISH = 5
RECIPE = TrainConfig(
    data="fake",
    image_size=16,
    backbone=BackboneConfig((8, 8, 8), dim=4),
    quantizer=LGQConfig(32),
    steps=8,
    batch_size=4,
    decoder_finish=0.375,
    warmup_steps=2,
    log_steps=1,
    window_steps=4,
    checkpoint_steps=4,
    snapshot_steps=4,
)
METHODS: dict[str, QuantizerConfig] = {
    "lgq": LGQConfig(32),
    "lgq, batch norm": LGQConfig(32, norm="batch"),
    "vq with restarts": VQConfig(32, decay=0.5, restart_below=0.5),
    "fsq": FSQConfig((5, 5)),
    "simvq": SimVQConfig(32),
    "kmeans": KMeansConfig(16, fit_tokens=500),
    "none": NoneConfig(),
}
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "average": {"ema_decay": 0.9},
    "micro-batches": {"accumulation": 2, "gradient_clip_by_part": True},
    "gan": {"objectives": {"gan": {**SETTINGS, "start_step": 4, "adaptive": True}}},
}
RESUMED = [("vq with restarts", "plain"), *((name, variant) for name in ("lgq", "kmeans") for variant in VARIANTS)]


def recipe(method: str = "lgq", **settings: Any) -> TrainConfig:
    return replace(RECIPE, **{"quantizer": METHODS[method], "loss_weights": {}, **settings})


def parts(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What stands still in the finish, and the decoder."""
    decoder = {name: tensor for name, tensor in state.items() if name.startswith("decoder.")}
    return {name: tensor for name, tensor in state.items() if name not in decoder}, decoder


# What stands still, and what the decoder reads


@pytest.mark.parametrize("method", METHODS)
def test_only_the_decoder_moves_in_the_finish(method: str, tmp_path: Path) -> None:
    config = recipe(method)
    assert config.finish_step == FINISH
    after = [trained(config, tmp_path / f"{step}", StopsBefore(step)) for step in (FINISH, FINISH + 1, 10**9)]
    (still, first), (_, second), (unmoved, last) = (parts(run.tokenizer().state_dict()) for run in after)
    assert all(torch.equal(tensor, unmoved[name]) for name, tensor in still.items())
    for before, later in ((first, second), (second, last)):
        assert not any(torch.equal(tensor, later[name]) for name, tensor in before.items() if tensor.ndim > 1)


def test_all_parts_move_before_it(tmp_path: Path) -> None:
    states = [trained(recipe(), tmp_path / f"{step}", StopsBefore(step)).tokenizer().state_dict() for step in (4, 5)]
    assert not any(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items() if tensor.ndim > 1)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Tokenizer, TokenizerOutput]]:
    """The tokenizer and the outputs of all its passes, in training as elsewhere."""
    made: list[tuple[Tokenizer, TokenizerOutput]] = []
    forward = Tokenizer.forward

    def recorded(tokenizer: Tokenizer, images: Tensor) -> TokenizerOutput:
        output = forward(tokenizer, images)
        made.append((tokenizer, output))
        return output

    monkeypatch.setattr(Tokenizer, "forward", recorded)
    return made


@pytest.mark.parametrize("method", [name for name in METHODS if name != "none"])
def test_the_decoder_reads_the_vectors_of_codes(
    method: str, tmp_path: Path, passes: list[tuple[Tokenizer, TokenizerOutput]]
) -> None:
    trained(recipe(method), tmp_path / "run")
    assert len(passes) == RECIPE.steps
    for tokenizer, output in passes[FINISH:]:
        assert torch.equal(output.coded.quantized, tokenizer.quantizer.lookup(output.coded.codes))
        assert output.coded.losses == {}
        assert not output.latents.requires_grad
        assert output.reconstruction.requires_grad
    assert passes[FINISH - 1][1].latents.requires_grad


def test_with_an_average_the_finish_goes_on_from_what_is_evaluated(tmp_path: Path) -> None:
    config = recipe(ema_decay=0.9)
    before = trained(config, tmp_path / "before", StopsBefore(FINISH - 1)).tokenizer().state_dict()
    run = trained(config, tmp_path / "run", StopsBefore(FINISH + 1))
    average, newest = run.tokenizer().state_dict(), torch_weights(run)
    still, decoder = parts(average)
    assert all(torch.equal(tensor, newest[name]) for name, tensor in still.items())
    assert not any(torch.equal(tensor, newest[name]) for name, tensor in decoder.items() if tensor.ndim > 1)
    assert not any(torch.equal(tensor, before[name]) for name, tensor in average.items() if tensor.ndim > 1)


def torch_weights(run: Run) -> dict[str, Tensor]:
    """The newest weights of a run that evaluates an average."""
    from safetensors.torch import load_file

    checkpoint = run.newest_checkpoint()
    assert checkpoint is not None
    return load_file(checkpoint / "weights.safetensors")


def test_schedules_end_where_the_finish_begins(tmp_path: Path) -> None:
    history = trained(recipe(), tmp_path / "run").history()
    temperatures = history["temperature"].tolist()
    assert temperatures[:FINISH] == pytest.approx([1 - 0.9 * step / (FINISH - 1) for step in range(FINISH)])
    assert history["temperature"].iloc[FINISH:].isna().all()


def test_the_history_has_no_losses_of_the_quantizer_in_the_finish(tmp_path: Path) -> None:
    history = trained(recipe(), tmp_path / "run").history()
    is_finish = history["step"] > FINISH
    assert (history["loss_quantization"].isna() == is_finish).all()
    assert history["loss"][is_finish].tolist() == pytest.approx(history["loss_l1"][is_finish].tolist())
    assert history["active_codes_last_4_steps"].notna().all()


# Stopped and resumed


@pytest.mark.slow
@pytest.mark.parametrize(("method", "variant"), RESUMED)
def test_a_run_that_is_resumed_is_the_uninterrupted_one(method: str, variant: str, tmp_path: Path) -> None:
    weights = {"l1": 1.0, **METHODS[method].default_loss_weights, **({"gan": 0.1} if variant == "gan" else {})}
    config = recipe(method, **{**VARIANTS[variant], "loss_weights": weights})
    whole = trained(config, tmp_path / "whole")
    for stop_before in (FINISH - 1, FINISH, FINISH + 1):
        stopped = trained(config, tmp_path / f"{stop_before}", StopsBefore(stop_before))
        assert stopped.finished_steps == stop_before
        assert_same_run(whole, resumed(stopped.path))


def test_a_stop_while_codes_are_fitted_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = recipe("kmeans", ema_decay=0.9)
    whole, controls = trained(config, tmp_path / "whole"), StopsBefore(10**9)
    fit = METHODS["kmeans"].build(4).__class__.fit

    def stopped_in(quantizer: Any, tokens: Tensor, generator: Any, on_round: Callable[[int, int], None]) -> None:
        controls.stop()
        fit(quantizer, tokens, generator, on_round)

    with monkeypatch.context() as patched:
        patched.setattr(METHODS["kmeans"].build(4).__class__, "fit", stopped_in)
        stopped = trained(config, tmp_path / "stopped", controls)
    assert stopped.finished_steps == FINISH
    assert not stopped.tokenizer().quantizer.fitted
    assert_same_run(whole, resumed(stopped.path))


def test_a_callback_that_leaves_the_tokenizer_in_eval_mode_changes_nothing(tmp_path: Path) -> None:
    from lgq_explore.training.loop import train

    heard = train(
        recipe("vq with restarts"),
        tmp_path / "heard",
        device="cpu",
        on_log=lambda event: event.tokenizer.train(event.row["step"] % 2 == 0) and None,
        progress=False,
    )
    assert_same_run(heard, trained(recipe("vq with restarts"), tmp_path / "unheard"))


# Codes that are fitted when it begins


def test_until_then_kmeans_is_no_quantizer(tmp_path: Path) -> None:
    runs = [trained(recipe(name), tmp_path / name, StopsBefore(FINISH)) for name in ("kmeans", "none")]
    fitted, plain = (run.tokenizer().state_dict() for run in runs)
    assert all(torch.equal(tensor, fitted[name]) for name, tensor in plain.items())
    history = runs[0].history()
    assert history["active_codes_last_4_steps"].isna().all()
    assert history["loss_l1"].tolist() == runs[1].history()["loss_l1"].tolist()


def test_then_its_codes_are_those_of_the_encoder_that_is_evaluated(
    tmp_path: Path, passes: list[tuple[Tokenizer, TokenizerOutput]]
) -> None:
    run = trained(recipe("kmeans", ema_decay=0.9), tmp_path / "run")
    tokens = torch.cat([to_tokens(output.latents) for _, output in passes[FINISH:]])
    (codebook,) = run.tokenizer().quantizer.codebooks()
    spread = (tokens - tokens.mean(0)).square().sum(1).mean().item()
    assert nearest(tokens, codebook).squared_distances.mean().item() < 0.5 * spread
    history = run.history()
    assert (history["active_codes_last_4_steps"].isna() == (history["step"] <= FINISH)).all()
    assert history["tokens_last_4_steps"].tolist()[FINISH:] == [64, 128, 192]


# Recipes


def test_the_share_is_whole_steps_and_at_least_one() -> None:
    recipes = [replace(RECIPE, decoder_finish=share) for share in (None, 0.0, 0.01, 0.25, 0.9)]
    assert [each.finish_step for each in recipes] == [8, 8, 7, 6, 1]
    assert replace(RECIPE, steps=1).finish_step == 0
    assert preset("tiny", "kmeans").finish_step == 240


def test_recipes_without_it_keep_their_hash() -> None:
    plain, explicit, some = (replace(RECIPE, decoder_finish=share) for share in (None, 0.0, 0.25))
    assert plain.recipe_hash == explicit.recipe_hash != some.recipe_hash
    kmeans = recipe("kmeans", decoder_finish=None)
    assert kmeans.recipe_hash == replace(kmeans, decoder_finish=0.2).recipe_hash
    assert kmeans.recipe_hash != replace(kmeans, decoder_finish=0.25).recipe_hash


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"decoder_finish": 1.0}, "decoder_finish is 1.0: it must be from 0 to below 1"),
        ({"decoder_finish": -0.1}, "decoder_finish is -0.1"),
        ({"decoder_finish": "late"}, "decoder_finish is 'late': it must be a number"),
        ({"decoder_finish": 0.0, "quantizer": KMeansConfig()}, r"decoder_finish is 0.0: kmeans fits .* such as 0\.2"),
    ],
)
def test_a_share_that_cannot_be_is_named(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        TrainConfig(**settings)


def test_a_share_in_json_is_read() -> None:
    assert config_from_json({"decoder_finish": 0.5}).decoder_share == 0.5
    with pytest.raises(InputError, match="decoder_finish is 'x'"):
        config_from_json({"decoder_finish": "x"})


def test_a_decoder_that_nothing_would_train_is_refused() -> None:
    late = replace(RECIPE, objectives={"l1": {"start_step": FINISH + 1}})
    with pytest.raises(InputError, match=r"decoder_finish is 0\.375, and no term of the reconstruction has started"):
        require_objectives(late)
    require_objectives(replace(RECIPE, objectives={"l1": {"start_step": FINISH}}))

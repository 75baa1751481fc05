"""Tests of fitting quantizers to plain points."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.quantizers import FSQConfig, LGQConfig, TemperatureSchedule, methods_with_codes, nearest_codes
from lgq_explore.quantizers.plain_tokens import as_latents, codes_of
from lgq_explore.training.controls import Controls
from lgq_explore.training.fit import FitEvent, fit_quantizer, without_encoder

CORNERS = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
SPREAD = 0.1


def corners(tokens: int = 1024, seed: int = 0) -> Tensor:
    """[N, 2]: four Gaussians of equal mass. One code on each leaves 2 σ² = 0.02."""
    generator = torch.Generator().manual_seed(seed)
    noise = SPREAD * torch.randn(tokens, 2, generator=generator)
    return CORNERS[torch.arange(tokens) % 4] + noise


@pytest.mark.parametrize("method", methods_with_codes())
def test_every_method_learns_and_reports_all_tokens(method: str) -> None:
    config = without_encoder(method, 9, dim=2)
    fitted = fit_quantizer(config, corners(), steps=200)
    first, last = fitted.history.iloc[0], fitted.history.iloc[-1]
    if method == "frozen":
        assert last["distortion"] == first["distortion"]
    else:
        # VQ starts where k-means ends; SimVQ's linear map leaves most of nine random codes away from all tokens.
        assert last["distortion"] < max(0.05, 0.7 * first["distortion"])
    assert (last["step"], last["tokens"], fitted.finished_steps) == (200, 1024, 200)
    assert not fitted.quantizer.training
    quantized = fitted.quantizer(as_latents(corners())).quantized.flatten(1)
    assert last["distortion"] == pytest.approx((quantized - corners()).square().sum(1).mean().item(), rel=1e-5)
    codes = codes_of(fitted.quantizer, corners())
    assert last["active_codes"] == len(codes.unique())
    torch.testing.assert_close(fitted.codebook[codes], quantized)


@pytest.mark.parametrize("method", ["lgq", "vq", "vq-gradient"])
def test_a_code_on_each_gaussian_leaves_its_variance(method: str) -> None:
    tokens = corners()
    within = (tokens.view(-1, 4, 2) - tokens.view(-1, 4, 2).mean(0)).square().sum(2).mean().item()
    fitted = fit_quantizer(without_encoder(method, 4, dim=2), tokens, steps=300)
    assert fitted.history["distortion"].iloc[-1] == pytest.approx(within, rel=0.01)
    assert within == pytest.approx(2 * SPREAD**2, rel=0.05)


def test_fsq_fits_points_that_lie_on_a_lattice() -> None:
    axis = torch.tensor([-1.2, 0.0, 1.2])
    lattice = torch.cartesian_prod(axis, axis).repeat(100, 1)
    fitted = fit_quantizer(FSQConfig((3, 3)), lattice, steps=1000)
    assert fitted.history["active_codes"].iloc[-1] == 9
    assert fitted.history["distortion"].iloc[-1] < 1e-3


def test_the_codes_of_a_grid_are_its_own_and_not_the_nearest() -> None:
    """Bounding by tanh makes cells wider outside, so FSQ's code is not always the nearest of its points."""
    tokens = torch.randn(2000, 2, generator=torch.Generator().manual_seed(0)) * 2
    fitted = fit_quantizer(FSQConfig((5, 5)), tokens, steps=50)
    own = codes_of(fitted.quantizer, tokens)
    assert (own != nearest_codes(tokens, fitted.codebook)).float().mean() > 0.01


def test_the_same_arguments_give_the_same_fit_and_leave_torchs_generator_alone() -> None:
    before = torch.get_rng_state()
    config = without_encoder("lgq-paper", 4, dim=2)
    one, again, other = (fit_quantizer(config, corners(), steps=20, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(one.codebook, again.codebook)
    assert one.history.equals(again.history)
    assert not torch.equal(one.codebook, other.codebook)


def test_the_tokens_are_left_as_they_are() -> None:
    tokens = corners()
    fit_quantizer(without_encoder("vq", 4, dim=2), tokens, steps=5)
    assert torch.equal(tokens, corners())


def test_no_steps_give_the_quantizer_as_it_starts() -> None:
    fitted = fit_quantizer(without_encoder("lgq", 4, dim=2), corners(), steps=0, snapshots=True)
    assert fitted.history["step"].tolist() == [0]
    assert list(fitted.snapshots) == [0]
    assert all((corners() == centre).all(1).any() for centre in fitted.codebook)  # k-means++ draws tokens


def test_snapshots_end_with_the_codebook() -> None:
    fitted = fit_quantizer(without_encoder("fsq", 9, dim=2), corners(), steps=25, log_steps=10, snapshots=True)
    assert list(fitted.snapshots) == fitted.history["step"].tolist() == [0, 10, 20, 25]
    assert fitted.snapshots[25].tolist() == fitted.codebook.tolist()
    assert fitted.snapshots[0].tolist() != fitted.snapshots[25].tolist()


def test_the_temperature_follows_the_schedule_or_the_hand() -> None:
    config = replace(
        without_encoder("lgq", 4, dim=2), temperature=TemperatureSchedule(start=2.0, end=0.2, shape="exponential")
    )
    history = fit_quantizer(config, corners(), steps=11, log_steps=1).history
    assert history["temperature"].iloc[1] == pytest.approx(2.0)
    assert history["temperature"].iloc[6] == pytest.approx(math.sqrt(0.4))
    assert history["temperature"].iloc[11] == pytest.approx(0.2)
    held = fit_quantizer(config, corners(), steps=3, log_steps=1, controls=Controls(temperature=0.7)).history
    assert held["temperature"].iloc[1:].tolist() == [0.7, 0.7, 0.7]


def test_a_stop_keeps_what_was_learned() -> None:
    controls = Controls()
    heard: list[FitEvent] = []

    def stop_at_20(event: FitEvent) -> None:
        heard.append(event)
        assert not event.quantizer.training
        if event.row["step"] == 20:
            controls.stop()

    fitted = fit_quantizer(
        without_encoder("vq", 4, dim=2), corners(), steps=100, log_steps=10, on_log=stop_at_20, controls=controls
    )
    assert fitted.finished_steps == 20
    assert [event.row["step"] for event in heard] == [0, 10, 20]


def test_a_stop_between_two_rows_is_the_last_row() -> None:
    class StopsAtSeven(Controls):
        def read(self, step: int):  # type: ignore[no-untyped-def]
            if step == 7:
                self.stop()
            return super().read(step)

    fitted = fit_quantizer(without_encoder("vq", 4, dim=2), corners(), steps=100, log_steps=5, controls=StopsAtSeven())
    assert fitted.history["step"].tolist() == [0, 5, 7]


def test_weights_of_losses_are_obeyed() -> None:
    """A usage loss that weighs more than everything else makes the codes alike: it is least for equal shares."""
    lopsided = torch.cat([corners(512), corners(1536) * 0.05])
    usage = {
        weight: fit_quantizer(
            without_encoder("lgq", 4, dim=2), lopsided, steps=200, loss_weights={"usage": weight}
        ).history["loss_usage"]
        for weight in (0.0, 10.0)
    }
    assert usage[10.0].iloc[-5:].mean() < usage[0.0].iloc[-5:].mean() - 0.1


def test_published_weights_are_the_default() -> None:
    fitted = fit_quantizer(without_encoder("lgq", 4, dim=2), corners(), steps=1, loss_weights={"usage": 0.5})
    expected = {"reconstruction": 1.0, "quantization": 1.0, "peakedness": 0.005, "usage": 0.5}
    assert fitted.recipe.loss_weights == expected
    row = fitted.history.iloc[-1]
    assert row["loss"] == pytest.approx(sum(expected[name] * row[f"loss_{name}"] for name in expected), rel=1e-5)


def test_a_grid_in_the_plane_has_two_levels() -> None:
    assert without_encoder("fsq", 8, dim=2) == FSQConfig((3, 3))
    assert without_encoder("fsq", 12, dim=2) == FSQConfig((4, 3))
    assert without_encoder("fsq", 16, dim=2) == FSQConfig((4, 4))
    assert without_encoder("fsq", 3, dim=2) == FSQConfig((3, 3))
    assert without_encoder("fsq", 1024, dim=8) == FSQConfig()
    assert without_encoder("fsq", 8, dim=1) == FSQConfig((8,))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"steps": -1}, "steps is -1"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"log_steps": 0}, "log_steps is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0"),
        ({"loss_weights": {"usge": 1.0}}, "did you mean usage"),
        ({"loss_weights": {"usage": -1.0}}, "usage is -1"),
        ({"learning_rate": 1e30}, "lower learning_rate"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        fit_quantizer(without_encoder("lgq", 4, dim=2), corners(64), **{"steps": 50, **arguments})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tokens", "told"),
    [
        (torch.zeros(3), r"\[3\]"),
        (torch.zeros(0, 2), r"\[0, 2\]"),
        (torch.tensor([[0.0, math.nan]]), "contain NaN or infinity"),
        (torch.zeros(7, 2), "7 tokens are too few to start 4 codes from: give at least 8"),
    ],
)
def test_tokens_that_do_not_do_are_named(tokens: Tensor, told: str) -> None:
    with pytest.raises(InputError, match=told):
        fit_quantizer(without_encoder("lgq", 4, dim=2), tokens)


def test_a_norm_is_refused() -> None:
    with pytest.raises(InputError, match="lgq normalises tokens"):
        fit_quantizer(LGQConfig(codebook_size=4), corners())

"""Does a history of any method become its curves, no more and no fewer?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lgq_explore.analysis.health import training_curves
from lgq_explore.analysis.health.training_curves import LARGEST_HISTORY
from lgq_explore.errors import InputError

COMMON = {
    "step": [1, 10, 20],
    "seconds": [0.1, 1.0, 2.0],
    "learning_rate": [1e-4, 1e-3, 1e-3],
    "loss": [0.9, 0.5, 0.4],
    "loss_l1": [0.8, 0.4, 0.3],
    "active_codes_last_32_steps": [5, 50, 70],
    "perplexity_last_32_steps": [4.5, 40.0, 60.5],
    "tokens_last_32_steps": [64, 640, 1280],
    "images_per_second_last_32_steps": [10.0, 10.0, 10.0],
}
FSQ = pd.DataFrame(COMMON)
LGQ = pd.DataFrame(
    {
        **COMMON,
        "loss_usage": [1.0, 1.5, 2.0],
        "temperature": [1.0, 0.3, 0.1],
        "effective_codes": [30.0, 10.0, 2.0],
        "encoder_gain_mean": [0.5, 0.4, 0.3],
        "encoder_gain_median": [0.5, 0.3, 0.2],
        "encoder_gain_share_below_1_percent": [0.0, 0.1, 0.2],
        "free_energy": [-1.0, 0.0, 1.0],
        "temperature_override": [None, 0.3, None],
    }
)


GAN = pd.DataFrame(
    {
        **COMMON,
        "loss_gan": [None, 0.2, -0.1],
        "loss_gan_own": [None, 1.0, 0.9],
        "gan_logits_real": [None, -0.1, 0.4],
        "gan_logits_reconstructed": [None, 0.1, -0.3],
        "gan_adaptive_weight": [None, 0.5, 0.7],
        "gan_lecam": [None, 0.01, 0.02],
        "gan_r1": [None, 3.0, 3.0],
        "gradient_share_l1": [1.0, 0.9, 0.9],
        "gradient_share_gan": [None, 0.1, 0.1],
    }
)


def quantities(curves: pd.DataFrame) -> dict[str, list[str]]:
    return {panel: part["quantity"].unique().tolist() for panel, part in curves.groupby("panel", sort=False)}


def test_a_grid_without_temperature_has_losses_and_usage_alone() -> None:
    assert quantities(training_curves(FSQ)) == {
        "losses": ["weighted sum", "l1"],
        "active codes": ["active codes, last 32 steps", "perplexity, last 32 steps", "tokens, last 32 steps"],
    }


def test_a_soft_method_has_its_softness_and_temperature_too() -> None:
    found = quantities(training_curves(LGQ, codebook_size=1024))
    assert list(found) == ["losses", "active codes", "effective codes and gain", "temperature"]
    assert found["losses"] == ["weighted sum", "l1", "usage"]
    assert found["active codes"][-1] == "codebook size"
    assert found["effective codes and gain"] == ["effective codes", "encoder gain, mean", "encoder gain, median"]
    assert found["temperature"] == ["temperature", "temperature, set by hand"]


def test_a_run_with_a_gan_has_its_discriminator_s_life_after_the_rest() -> None:
    found = quantities(training_curves(GAN))
    assert list(found) == [
        "losses",
        "active codes",
        "logits",
        "adaptive weight",
        "penalties",
        "shares of the gradient",
    ]
    assert found["losses"] == ["weighted sum", "l1", "gan", "gan_own"]
    assert found["logits"] == ["real crops", "reconstructed crops"]
    assert found["adaptive weight"] == ["adaptive weight"]
    assert found["penalties"] == ["LeCam", "R1"]
    assert found["shares of the gradient"] == ["l1", "gan"]
    values = training_curves(GAN).set_index(["panel", "quantity", "step"])["value"]
    assert values["logits", "reconstructed crops"].tolist()[1:] == [0.1, -0.3]
    assert np.isnan(values["shares of the gradient", "gan", 1])


def test_options_that_are_not_used_have_no_panel() -> None:
    plain = GAN.drop(columns=["gan_adaptive_weight", "gan_lecam", "gan_r1"])
    assert list(quantities(training_curves(plain)))[2:] == ["logits", "shares of the gradient"]


def test_values_are_those_of_the_history() -> None:
    curves = training_curves(LGQ, codebook_size=1024).set_index(["quantity", "step"])["value"]
    assert curves["weighted sum"].to_dict() == {1: 0.9, 10: 0.5, 20: 0.4}
    assert curves["perplexity, last 32 steps"].to_dict() == {1: 4.5, 10: 40.0, 20: 60.5}
    assert curves["encoder gain, median"].to_dict() == {1: 0.5, 10: 0.3, 20: 0.2}
    assert (curves["codebook size"] == 1024).all()


def test_a_temperature_never_taken_by_hand_keeps_its_empty_curve() -> None:
    """A figure that is updated in place must not gain a line when the slider first moves."""
    scheduled = LGQ.assign(temperature_override=[None, None, None])
    curves = training_curves(scheduled)
    assert quantities(curves) == quantities(training_curves(LGQ))
    assert curves.loc[curves["quantity"] == "temperature, set by hand", "value"].isna().all()


@pytest.mark.parametrize("history", [FSQ.iloc[:0], LGQ.iloc[:0], pd.DataFrame({"step": pd.Series(dtype=int)})])
def test_an_empty_history_is_an_empty_frame_of_the_same_kind(history: pd.DataFrame) -> None:
    empty = training_curves(history, codebook_size=1024)
    assert empty.empty
    assert empty.dtypes.to_dict() == training_curves(LGQ).dtypes.to_dict()
    assert list(empty.columns) == ["step", "panel", "quantity", "value"]


def test_a_long_history_is_thinned_evenly_with_both_ends_kept() -> None:
    rows = 4 * LARGEST_HISTORY
    curves = training_curves(pd.DataFrame({"step": np.arange(1, rows + 1), "loss": np.ones(rows)}))
    assert len(curves) == LARGEST_HISTORY
    assert curves["step"].iloc[[0, -1]].tolist() == [1, rows]
    assert curves["step"].diff().dropna().between(3, 5).all()


def test_a_table_of_something_else_is_refused() -> None:
    with pytest.raises(InputError, match="no step"):
        training_curves(pd.DataFrame({"epoch": [1]}))


def test_a_column_without_numbers_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="loss_l1"):
        training_curves(FSQ.assign(loss_l1="much"))

"""Frames on whether a run is healthy."""

from __future__ import annotations

from typing import Final, Literal

from .columns import INTEGER, NUMBER, TEXT, Columns

State = Literal["trouble", "warning", "fine", "not applicable"]
TROUBLE: Final = "trouble"
WARNING: Final = "warning"
FINE: Final = "fine"
NOT_APPLICABLE: Final = "not applicable"
STATES: Final[tuple[State, ...]] = (TROUBLE, WARNING, FINE, NOT_APPLICABLE)
"""States of a verdict, from the most severe on."""

LOSSES, USAGE, SOFTNESS, TEMPERATURE = "losses", "active codes", "effective codes and gain", "temperature"
LOGITS, ADAPTIVE_WEIGHT, PENALTIES, SHARES = "logits", "adaptive weight", "penalties", "shares of the gradient"
CODE_PANELS = (LOSSES, USAGE, SOFTNESS, TEMPERATURE)
OBJECTIVE_PANELS = (LOGITS, ADAPTIVE_WEIGHT, PENALTIES, SHARES)
"""Panels on how the terms of the loss share the decoder, and on the discriminator of one."""
PANELS = (*CODE_PANELS, *OBJECTIVE_PANELS)
"""Panels of the training curves, in the order they are drawn."""

WEIGHTED_SUM = "weighted sum"
ACTIVE_CODES, PERPLEXITY, TOKENS, CODEBOOK_SIZE = "active codes", "perplexity", "tokens", "codebook size"
EFFECTIVE_CODES, GAIN_MEAN, GAIN_MEDIAN = "effective codes", "encoder gain, mean", "encoder gain, median"
IN_FORCE, BY_HAND = "temperature", "temperature, set by hand"
REAL, RECONSTRUCTED, BALANCE, LECAM, R1 = "real crops", "reconstructed crops", "adaptive weight", "LeCam", "R1"
"""Quantities of the training curves that have a look of their own. Losses and shares are named after their terms."""

GAN_STARTS, GAN_IN_FULL, DECODER_ALONE = "GAN starts", "GAN in full", "decoder alone"
"""Marks on curves over the steps of training: where the weight of the GAN begins to rise, where its ramp ends, and from
where on encoder and codes stand still."""

VERDICTS = Columns(
    "analysis.health.assess",
    {
        "rule": (TEXT, "the trouble that is looked for"),
        "state": (TEXT, "one of STATES"),
        "finding": (TEXT, "what is happening, in words and numbers with their N and step"),
        "advice": (TEXT, "what to change, a sentence; empty where nothing is to be done"),
        "settings": (TEXT, "options of `lgq-explore train` that do so; empty where there are none"),
        "value": (NUMBER, "what the rule looked at; NaN where there is no number"),
        "threshold": (NUMBER, "where the rule would say something else; NaN where there is none"),
    },
)
RULE_CURVES = Columns(
    "analysis.health.rule_curves",
    {
        "rule": (TEXT, "the trouble that is looked for"),
        "quantity": (TEXT, "what the value is, with its unit"),
        "step": (INTEGER, "finished optimiser steps"),
        "value": (NUMBER, "the quantity at that step"),
        "lower": (NUMBER, "limit below which the rule objects; NaN for none"),
        "upper": (NUMBER, "limit above which the rule objects; NaN for none"),
    },
)
TRAINING_CURVES = Columns(
    "analysis.health.training_curves",
    {
        "step": (INTEGER, "finished optimiser steps"),
        "panel": (TEXT, "one of PANELS"),
        "quantity": (TEXT, "name of the curve; `over_window` adds the window that it counts over"),
        "value": (NUMBER, "the quantity at that step; NaN where the history is empty"),
    },
)
STEP_MARKS = Columns(
    "analysis.health.step_marks",
    {
        "step": (INTEGER, "finished optimiser steps"),
        "mark": (TEXT, "what is so from the next step on"),
    },
)


def over_window(quantity: str, steps: str | int) -> str:
    """The name of a quantity that is counted over the last `steps` steps."""
    return f"{quantity}, last {steps} steps"


def quantity_and_window(name: str) -> tuple[str, str]:
    """A quantity, and the words for its window as `over_window` gave them; empty for one without."""
    quantity, found, steps = name.partition(", last ")
    return quantity, f"last {steps}" if found else ""

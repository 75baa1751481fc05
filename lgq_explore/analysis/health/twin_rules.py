"""The rule on codes that the decoder can't tell apart."""

from __future__ import annotations

from lgq_explore.frames.health import FINE, NOT_APPLICABLE, TROUBLE, WARNING, State

from .advice import part_twins
from .evidence import Evidence
from .rule_parts import Verdict, percent, sentence

SOME_TWINS, MOST_TWINS = 0.1, 0.5
"""Shares of the codes that another stands for, from which on it is a warning, and trouble."""


def codes_are_twins(evidence: Evidence) -> Verdict:
    """The share of the codes that could be left out, since each has a twin that stays."""
    twins = evidence.twins
    if not twins:
        return Verdict(NOT_APPLICABLE, sentence(evidence.missing.get("twins", "it was not looked at")))
    codes, distinct = twins["codes"], twins["distinct"]
    share = (codes - distinct) / codes
    seen = (
        f"of K = {codes:,.0f} codes, {distinct:,.0f} are distinct: farther apart than {twins['tolerance']:.2g}, a "
        f"tenth of the distance of N = {twins['tokens']:,.0f} {evidence.kind_of_tokens} from their codes"
    )
    if share < SOME_TWINS:
        return Verdict(FINE, f"No: {seen}; {percent(SOME_TWINS)} of twins is a warning.", None, share, SOME_TWINS)
    state: State = TROUBLE if share >= MOST_TWINS else WARNING
    finding = f"{sentence(seen)} Twins share the tokens of one code."
    return Verdict(state, finding, part_twins(evidence.config), share, SOME_TWINS)

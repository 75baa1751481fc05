"""Usage of each group's own codes, as results of an evaluation, separate from that of joint codes."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .definition import Definition
from .usage_numbers import USAGE_KEYS, CountedCodes


class GroupUsage(CountedCodes):
    """Usage of each group by its number."""

    definition: ClassVar[Definition] = Definition(
        summary="usage of each group's own codes, by the group's number",
        keys=("groups",),
        formula="`groups.g` has `codebook_size`, `active_codes`, `utilization`, `perplexity`, `entropy_bits` and "
        "`gini` of the codes of group g alone, as defined under `usage`.",
        unit="as `usage`",
        bias="As `usage`. The entropies of groups add up to the joint one only if groups are independent, else to "
        "more.",
        cost="Microseconds an image.",
        source="As `usage`.",
        without_codes={},
    )

    def numbers(self) -> dict[str, Any]:
        """The keys of the definition."""
        return {
            "groups": {
                str(group): {
                    "codebook_size": usage.codebook_size,
                    **{key: getattr(usage, key) for key in USAGE_KEYS},
                    "gini": usage.gini,
                }
                for group, usage in enumerate(self.counts.group_usages())
            }
        }


class GroupSpread(CountedCodes):
    """Mean and variance of usage over groups; the numbers of joint codes have other names."""

    definition: ClassVar[Definition] = Definition(
        summary="mean and variance of usage over the groups of a method with several codebooks",
        keys=("group_utilization", "group_entropy_bits", "group_perplexity", "group_dependence_bits"),
        formula="`group_utilization`, `group_entropy_bits` and `group_perplexity`: `.mean` and `.variance` over the G "
        "groups (divided by G) of what `groups` has of each; `group_dependence_bits` = Σ_g H_g − H, with H of joint "
        "codes.",
        unit="share; bits per token; codes; bits per token, variances in their squares",
        bias="Plug-in entropies are low, the joint one more than those of groups, so that the dependence is high.",
        cost="Microseconds an image.",
        source="Watanabe 1960 for the dependence (total correlation).",
        on_request=True,
    )

    def numbers(self) -> dict[str, Any]:
        """The keys of the definition."""
        groups = self.counts.group_usages()
        spread = {}
        for key in ("utilization", "entropy_bits", "perplexity"):
            values = [getattr(usage, key) for usage in groups]
            spread[f"group_{key}"] = {"mean": float(np.mean(values)), "variance": float(np.var(values))}
        joint = self.counts.usage().entropy_bits
        return {**spread, "group_dependence_bits": sum(usage.entropy_bits for usage in groups) - joint}

"""The page of metrics, generated from their definitions: `python -m lgq_explore.runs.measures.page` updates it."""

from __future__ import annotations

from pathlib import Path

import lgq_explore.metrics.definition as beside_the_page
from lgq_explore.metrics.definition import Definition

from .listed import DEFINITIONS

PAGE = Path(beside_the_page.__file__).with_name("README.md")

_HEAD = """# Metrics

This page defines each number of an evaluation. `lgq-explore evaluate RUN --metrics NAME …` measures the named metrics,
`all` of them, or by default those that are not on request; `lgq.evaluate(run, metrics=["spectrum", "default"])` is the
same, and `lgq-explore list metrics` lists them. Results always include the numbers of images, photographs and tokens.

Sums are streamed and ratios are computed last, so a value is that of the whole set: it depends neither on the size of
batches nor on their order, and `merge` adds the sums of several processes. N is the number of tokens, K that of joint
codes, x_k the count of code k, p_k = x_k / N, x a picture in [0, 1], x̂ its reconstruction, z latents, z_q their codes'
points, f also the pixels along the side of a token. For a method without codes, numbers of codes are null.

This page is generated from the code: `python -m lgq_explore.runs.measures.page` updates it.
"""

_ANALYSES = """
## In analyses

A number that needs several snapshots, a fit or a sample is an analysis, which takes a study and defines its numbers in
its docstring:

| question | where |
|---|---|
| distortion of k-means with as many codes over that of the codes | `analysis.geometry.efficiency` |
| density of latents and of codes | `analysis.geometry.density` |
| share of tokens whose code flips between snapshots, and drift of codes | `analysis.temperature.flips` |
| usage over training | `analysis.usage.history` |
| margin, largest responsibility, effective codes, gap from soft to hard, gain | `analysis.temperature.softness` |
| utilization by each definition found in papers | `analysis.usage.definitions` |
| active codes by the number of images | `analysis.usage.accumulation` |
| inequality of usage | `analysis.usage.inequality` |
| bias and noise of a metric by N, whether it tells methods apart, and whether it follows the truth | `analysis.audit` |
"""


def metrics_page() -> str:
    """The page in Markdown."""
    return _HEAD + "".join(_section(name, definition) for name, definition in DEFINITIONS.items()) + _ANALYSES


def _section(name: str, definition: Definition) -> str:
    """One metric: a heading, its keys, and a line for each of what its definition says."""
    when = "on request" if definition.on_request else "in every evaluation"
    keys = ", ".join(f"`{key}`" for key in definition.keys)
    return (
        f"\n## `{name}`: {definition.summary}\n\n"
        f"- **Keys** ({when}): {keys}\n"
        f"- **Formula**: {definition.formula}\n"
        f"- **Unit**: {definition.unit}\n"
        f"- **Bias**: {definition.bias}\n"
        f"- **Cost**: {definition.cost}\n"
        f"- **Source**: {definition.source}\n"
    )


if __name__ == "__main__":
    PAGE.write_text(metrics_page(), encoding="utf-8")

"""The Markdown table of soft assignments compared on a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lgq_explore.bench.markdown import number, table

HEADER = ["D", "K", "forward, ms", "both, ms", "ps a pair", "× the floor", "MB"]
STEP_HEADER = ["LGQ's step, ms", "× faster than published", "× less memory", "× faster than `VectorQuantize`"]


def markdown_table(comparison: Mapping[str, Any]) -> str:
    """One row per shape: costs of `soft_assign`, of the other backends and of whole steps; below it, the conditions."""
    results = comparison["results"]
    shapes = sorted({(each["dim"], each["codes"]) for each in results})
    header = [*HEADER, "× faster than `tiled`", "× faster than `dense`", *STEP_HEADER]
    return table(header, [_row(results, *shape) for shape in shapes]) + "\n\n" + _caption(comparison)


def _row(results: Sequence[Mapping[str, Any]], dim: int, codes: int) -> list[str]:
    of_shape = {
        (each["method"], each["passes"]): each for each in results if (each["dim"], each["codes"]) == (dim, codes)
    }
    forward, both = of_shape["triton", "forward"], of_shape["triton", "both"]
    step, published = of_shape["lgq", "both"], of_shape["published", "both"]
    return [
        str(dim),
        f"{codes:,}",
        number(forward["median_milliseconds"]),
        number(both["median_milliseconds"]),
        number(both["ps_per_pair"]),
        number(both["times_floor"]),
        number(both["megabytes"]),
        *(_ratio(of_shape[backend, "both"], both, "median_milliseconds") for backend in ("tiled", "dense")),
        number(step["median_milliseconds"]),
        _ratio(published, step, "median_milliseconds"),
        _ratio(published, step, "megabytes"),
        _ratio(of_shape.get(("VectorQuantize", "both")), step, "median_milliseconds"),
    ]


def _ratio(rival: Mapping[str, Any] | None, ours: Mapping[str, Any], name: str) -> str:
    """The rival's cost over ours, bold where the rival is better; a dash where one was not run."""
    if rival is None or rival["not_run"] or ours["not_run"]:
        return "–"
    value = rival[name] / ours[name]
    return f"**{number(value)}**" if value < 1 else number(value)


def _caption(comparison: Mapping[str, Any]) -> str:
    rates, versions = comparison["rates"], comparison["environment"]["versions"]
    floors = [
        f"{number(each['floor'])} ps at D = {each['dim']}" for each in comparison["floors"] if each["passes"] == "both"
    ]
    tokens = {each["tokens"] for each in comparison["results"]}
    protocol = comparison["protocol"]
    sentences = [
        f"N = {', '.join(map(str, sorted(tokens)))} tokens, τ = {protocol['temperature']:g},",
        f"seed {protocol['seed']}.",
        f"{protocol['clock']}, medians of up to 20 calls; memory is the device's beyond inputs.",
        "`both` is forward and backward, which ratios are of: bold where the rival is better, a dash where its N×K",
        "arrays do not fit. Measured in the same run, a second:",
        f"{rates['bfloat16'] / 1e12:.3g}·10¹² multiplications with addition in bfloat16,",
        f"{rates['tf32'] / 1e12:.3g}·10¹² in TF32, {rates['exponentials'] / 1e12:.3g}·10¹² exponentials,",
        f"{rates['bytes'] / 1e12:.3g} TB copied. The floor of the products and exponentials that the kernels make:",
        f"{', '.join(floors)} a pair.",
        f"{comparison['date']}, {comparison['device']}, PyTorch {versions['torch']}, Triton {versions['triton']}.",
    ]
    return " ".join(sentences)

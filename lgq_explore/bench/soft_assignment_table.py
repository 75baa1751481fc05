"""The Markdown table of compared soft assignments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .assignment_steps import LIBRARY, LIBRARY_ARGUMENTS
from .markdown import count, number, table

SHAPE = ("tokens", "codes", "dim")
DATA = (*SHAPE, "temperature", "subnormals")
HARD = tuple(LIBRARY_ARGUMENTS)
RATIO_HEADER = ["N", "K", "D", "τ", "dense", "LGQ", "ns a pair", "× faster than dense", "× less memory"]


def markdown_table(comparison: Mapping[str, Any]) -> str:
    """Costs of LGQ and the dense reference, ratios to all rivals, how they were measured, and every round."""
    header = [*RATIO_HEADER, *(f"× faster than `{rival}`" for rival in HARD)]
    return "\n\n".join(
        [
            _summary(comparison["ratios"]),
            table(header, _ratio_rows(comparison)),
            _caption(comparison),
            _every_round(comparison["results"]),
        ]
    )


def _summary(ratios: Sequence[Mapping[str, Any]]) -> str:
    """The range of exact LGQ's ratios to each rival, and in how many cases it is faster."""
    exact = [ratio for ratio in ratios if not ratio["drop"]]
    sentences = []
    for rival in dict.fromkeys(ratio["rival"] for ratio in exact):
        of_rival = [ratio for ratio in exact if ratio["rival"] == rival]
        speeds = [ratio["times_faster"] for ratio in of_rival]
        faster = sum(speed > 1 for speed in speeds)
        sentences.append(
            f"`{rival}`: {_range(speeds)} times as fast, faster in {faster} of {len(speeds)} cases, "
            f"{_range([ratio['times_less_memory'] for ratio in of_rival])} times less memory."
        )
    return "\n".join(["Exact LGQ against", "", *(f"- {sentence}" for sentence in sentences)]) if sentences else ""


def _ratio_rows(comparison: Mapping[str, Any]) -> Iterator[list[str]]:
    """One row per result of LGQ; ratios below 1, where the rival is better, are bold."""
    results = comparison["results"]
    for ours in results:
        if ours["method"] != "lgq":
            continue
        dense = next((each for each in results if each["method"] == "dense" and _same(each, ours, DATA)), None)
        ratios = {each["rival"]: each for each in comparison["ratios"] if _same(each, ours, (*DATA, "drop"))}
        yield [
            *(str(ours[name]) for name in SHAPE),
            _temperature(ours),
            _cost(dense),
            _cost(ours),
            number(ours["ns_per_pair"]),
            _ratio(ratios.get("dense"), "times_faster"),
            _ratio(ratios.get("dense"), "times_less_memory"),
            *(_ratio(ratios.get(rival), "times_faster") for rival in HARD),
        ]


def _same(one: Mapping[str, Any], other: Mapping[str, Any], names: Sequence[str]) -> bool:
    return all(one[name] == other[name] for name in names)


def _caption(comparison: Mapping[str, Any]) -> str:
    protocol, versions = comparison["protocol"], comparison["environment"]["versions"]
    floors = [f"{number(floor['median_ns_per_pair'])} ns at D = {floor['dim']}" for floor in comparison["floors"]]
    calls = [
        f"`{rival}({', '.join(f'{name}={value}' for name, value in arguments.items())})`"
        for rival, arguments in protocol["library_arguments"].items()
    ]
    products = dict.fromkeys(
        f"{each['codebook_size']} for {each['codes']}" for each in comparison["results"] if each["method"] == "FSQ"
    )
    sentences = [
        f"Forward, losses and backward of a step: {protocol['clock']} on {count(protocol['threads'], 'thread')}, "
        f"median of {count(protocol['rounds'], 'round')}.",
        "Ratios are medians of those within the rounds, bold where the rival is better.",
        f"Products and exponentials of PyTorch alone, in cache on this machine: {', '.join(floors)} a pair.",
        f"Hard methods have no τ and ran once a shape, with {LIBRARY} {versions.get(LIBRARY, '(not installed)')}: "
        f"{', '.join(calls)}.",
        *([f"FSQ's codes are products of levels: {', '.join(products)}."] if products else []),
        f"{comparison['date']}, {comparison['device']}, PyTorch {versions['torch']}.",
    ]
    return " ".join(sentences)


def _every_round(results: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            f"`{result['method']}`",
            _temperature(result),
            *(str(result[name]) for name in SHAPE),
            result["not_run"] or _rounds(result["seconds"]),
            _rounds(result["megabytes"]),
        ]
        for result in results
    ]
    rounds = table(["method", "τ", "N", "K", "D", "seconds per step", "MB"], rows, left=2)
    return f"<details><summary>Every case, every round</summary>\n\n{rounds}\n\n</details>"


def _temperature(result: Mapping[str, Any]) -> str:
    if result["temperature"] is None:
        return "–"
    data = "" if result["subnormals"] else ", no subnormals"
    drop = f", drop {result['drop']:g}" if result["drop"] else ""
    return f"{result['temperature']:g}{data}{drop}"


def _cost(result: Mapping[str, Any] | None) -> str:
    if result is None:
        return "–"
    if result["not_run"]:
        return f"not run ({number(result['needed_megabytes'])} MB)"
    return f"{number(result['median_seconds'])} s, {number(result['median_megabytes'])} MB"


def _ratio(ratio: Mapping[str, Any] | None, name: str) -> str:
    value = None if ratio is None else ratio[name]
    return f"**{number(value)}**" if value is not None and value < 1 else number(value)


def _range(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{number(min(known))} to {number(max(known))}" if known else "–"


def _rounds(values: Sequence[float | None]) -> str:
    return " · ".join(map(number, values))

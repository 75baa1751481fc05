"""Markdown tables of training on a GPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from lgq_explore.bench import quantizers
from lgq_explore.bench.markdown import count, number, table
from lgq_explore.metrics.perceptual import FD_FEATURES

TRAINING_HEADER = ["method", "codes K", "px", "images per step", "images per second", "step, ms"]
TRAINING_HEADER += ["quantizer, ms", "share", "making a batch, ms", "GB"]

COLUMNS = {
    "PSNR, dB": quantizers.COLUMNS["PSNR, dB"],
    "SSIM": quantizers.COLUMNS["SSIM"],
    "FD": ("fd.value", ".0f"),
    **{name: quantizers.COLUMNS[name] for name in ("active codes", "perplexity", "bits per pixel")},
}


def training_table(measured: Mapping[str, Any]) -> str:
    """One row per method and shape: speed, and the parts of a step; below it, how they were measured."""
    results = measured["results"]
    tables = [table(TRAINING_HEADER, [_training_row(result) for result in results], left=1)]
    if with_parts := [result for result in results if result.get("parts")]:
        parts = list(with_parts[0]["parts"])
        header = ["method", "preset", *(f"{part}, ms" for part in parts)]
        tables.append(table(header, [_parts_row(result) for result in with_parts], left=2))
    return "\n\n".join([*tables, _training_caption(measured)])


def _parts_row(result: Mapping[str, Any]) -> list[str]:
    """Milliseconds of each part, and its share of their sum."""
    whole = sum(result["parts"].values())
    shares = [f"{_milliseconds(seconds)} ({100 * seconds / whole:.0f} %)" for seconds in result["parts"].values()]
    return [f"`{result['quantizer']}`", f"`{result['preset']}`", *shares]


def _training_row(result: Mapping[str, Any]) -> list[str]:
    head = [f"`{result['quantizer']}`", *(str(result[key]) for key in ("codebook_size", "image_size", "batch_size"))]
    if result["not_run"]:
        return [*head, result["not_run"], "–", "–", "–", "–", "–"]
    return [
        *head,
        number(result["images_per_second"]),
        _milliseconds(result["step_seconds"]),
        _milliseconds(result["quantizer_seconds"]),
        f"{100 * result['share']:.3g} %",
        _milliseconds(result["batch_seconds"]),
        number(result["megabytes"] and result["megabytes"] / 1e3),
    ]


def _training_caption(measured: Mapping[str, Any]) -> str:
    protocol, versions = measured["protocol"], measured["environment"]["versions"]
    (photographs,) = {recipe["data"] for recipe in measured["recipes"].values()}
    presets = list(dict.fromkeys(result.get("preset") for result in measured["results"]))
    recipes = "the `small` preset's recipe but for size and batch"
    if presets != [None]:
        recipes = f"the recipes of {', '.join(f'`{name}`' for name in presets)} but for the batch"
    sentences = [
        f"The loop of `lgq-explore train` with {recipes} ({photographs}),",
        f"{protocol['precision']}, channels last: medians of {protocol['intervals']} intervals of",
        f"{protocol['log_steps']} steps, with a row of the history in each. `quantizer` is its forward and backward",
        "alone, `making a batch` the crops and their way to the GPU, GB the most that its memory held.",
        *_variants(measured["variants"]),
        *_initializations(measured["initializations"]),
        f"{measured['date']}, {measured['device']}, PyTorch {versions['torch']}.",
    ]
    return " ".join(sentences)


def _variants(variants: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence per preset, which older results do not name."""
    sentences = []
    for name in dict.fromkeys(each.get("preset") for each in variants):
        of_preset = [each for each in variants if each.get("preset") == name]
        told = ", ".join(
            f"{each['variant']} {each['not_run'] or number(each['median_milliseconds']) + ' ms'}" for each in of_preset
        )
        images = f"{of_preset[0]['batch_size']} images of {of_preset[0]['image_size']} px"
        sentences.append(f"A step by itself with FSQ{f' in `{name}`' if name else ''}, of {images}: {told}.")
    return sentences


def _initializations(drawn: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence per kind of initial codebook."""
    sentences = []
    for kind in dict.fromkeys(each["initialization"] for each in drawn):
        of_kind = [each for each in drawn if each["initialization"] == kind]
        times = ", ".join(f"{number(each['median_milliseconds'])} ms for {each['codebook_size']}" for each in of_kind)
        sentences.append(f"First codes from two tokens each by {kind}: {times}.")
    return sentences


def quantizers_table(comparison: Mapping[str, Any]) -> str:
    """The table of `bench quantizers` with the Fréchet distance, missing runs, and effects of sharing the GPU."""
    results = comparison["results"]
    sentences = [quantizers.markdown_table(comparison, COLUMNS), _distance(results)]
    if missing := comparison["not_run"]:
        made = len(results)
        sentences.append(f"{made} of {made + len(missing)} runs came to their end in the time that there was.")
    sentences.append(_sharing(comparison))
    sentences += _earlier(results)
    return " ".join(sentences)


def _distance(results: Sequence[Mapping[str, Any]]) -> str:
    """A sentence on what the Fréchet distance depends on, besides the crops, which the table names."""
    (features,) = {result["fd"]["features"] for result in results}
    extractor = FD_FEATURES[features]
    return (
        f"FD is between these crops and their reconstructions, resized {extractor.resize}, in the features of "
        f"{features} ({extractor.network})."
    )


def _earlier(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence per earlier result that runs were taken from."""
    taken = Counter(result["measured_in"] for result in results if "measured_in" in result)
    return [
        f"Among these are {count(runs, 'run')} taken from {name}, each of a method whose first run gave the same again."
        for name, runs in taken.items()
    ]


def _sharing(comparison: Mapping[str, Any]) -> str:
    """A sentence on whether sharing the GPU changed the weights, by comparing digests."""
    of_kind: dict[str, list[str]] = {"same": [], "shared": [], "alone": []}
    for each in comparison["sharing"]:
        alone, shared = set(each["alone"]), set(each["shared"])
        kind = "alone" if len(alone) > 1 else "same" if alone == shared else "shared"
        of_kind[kind].append(f"`{each['quantizer']}`")
    told = {
        "same": "end with the same weights, bit for bit, alone and beside others",
        "shared": "end with the same weights alone, and others beside others",
        "alone": "end with other weights each time, alone too",
    }
    halves = [f"{', '.join(names)} {told[kind]}" for kind, names in of_kind.items() if names]
    processes = count(comparison["protocol"]["processes"], "run")
    return f"Up to {processes} at a time shared the GPU. In a short training {'; '.join(halves)}."


def _milliseconds(seconds: float) -> str:
    return number(1000 * seconds)

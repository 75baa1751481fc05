"""Tests of the order of cells, of the hashes that name them, and of what equal seeds share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lgq_explore.images.opening import open_source
from lgq_explore.models import build_tokenizer
from lgq_explore.sweeps.cells import FINAL, TRIAL, key_of, portable
from lgq_explore.training.presets import preset
from tests.sweeps.toy import TOY, planned

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")


def test_trials_come_first_and_then_all_methods_at_a_seed(tmp_path: Path) -> None:
    cells = planned(tmp_path).cells
    assert [cell.number for cell in cells] == list(range(len(cells)))
    told = [(cell.kind, cell.method.name, cell.codebook_size, cell.seed, cell.trial) for cell in cells]
    assert told[:4] == [
        (TRIAL, "lgq", 16, 2, 0),
        (TRIAL, "fsq", 16, 2, 0),
        (TRIAL, "lgq", 16, 2, 1),
        (TRIAL, "fsq", 16, 2, 1),
    ]
    at_a_seed = [("lgq", 16), ("fsq", 16), ("lgq", 64), ("fsq", 64), ("none", 0)]
    assert told[4:] == [(FINAL, *cell, seed, None) for seed in (0, 1) for cell in at_a_seed]


def test_trials_at_each_size_and_rounding_replicates_are_cells_of_their_own(tmp_path: Path) -> None:
    more = ("reference = true", "reference = true\nrounding_replicates = 3\nseeds = 1")
    cells = planned(tmp_path, TOY, ('"smallest"', '"each"'), more).cells
    assert sum(cell.kind == TRIAL for cell in cells) == 8
    assert [cell.rounding_replicate for cell in cells if cell.method.name == "none"] == [0, 1, 2]


def test_the_hash_is_of_the_name_of_the_folder_and_not_of_its_place() -> None:
    recipe = preset("tiny", "lgq", 64)
    here, there = (replace(recipe, data=f"folder:{place}") for place in ("/a/pictures", "/elsewhere/b/pictures/"))
    assert portable(here) == portable(there) == replace(recipe, data="folder:pictures")
    assert portable(here).recipe_hash != portable(replace(recipe, data="folder:/a/others")).recipe_hash
    assert portable(recipe) == recipe


def test_no_two_cells_have_one_name(tmp_path: Path) -> None:
    plan = planned(tmp_path, TOY, ("[methods.lgq]", '[methods.again]\nquantizer = "lgq"\n\n[methods.lgq]'))
    names = [key_of(cell, recipe) for cell, recipe in plan.recipes()]
    assert len(set(names)) == len(names)


def test_all_methods_begin_a_seed_with_the_same_encoder_decoder_and_crops() -> None:
    methods = ("lgq", "fsq", "simvq", "vq", "none")
    recipes = [replace(preset("tiny", method), data="fake", image_size=16, seed=3) for method in methods]
    tokenizers = [build_tokenizer(recipe.backbone, recipe.quantizer, recipe.seed) for recipe in recipes]
    sources = [open_source(recipe.data, recipe.image_size, seed=recipe.seed) for recipe in recipes]
    for part in ("encoder", "decoder"):
        first, *others = (getattr(tokenizer, part).state_dict() for tokenizer in tokenizers)
        assert all(torch.equal(first[name], other[name]) for other in others for name in first)
    batches = [source.batch(5, range(4)) for source in sources]
    assert all(torch.equal(batches[0], batch) for batch in batches)
    other = build_tokenizer(recipes[0].backbone, recipes[0].quantizer, 4)
    assert not all(map(torch.equal, other.encoder.state_dict().values(), tokenizers[0].encoder.state_dict().values()))

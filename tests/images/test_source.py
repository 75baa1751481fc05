"""Tests of the protocol of sources."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.images.opening import open_source, spec_forms
from lgq_explore.images.source import Crops
from lgq_explore.images.sources import SOURCES
from tests.images.planted import Noise


@pytest.fixture
def _noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "noise", Noise())


def digest(images: Tensor) -> str:
    return hashlib.sha256(images.numpy().tobytes()).hexdigest()[:16]


# The shipped kinds


def test_drawn_pictures_give_what_they_always_gave() -> None:
    """Weights and fingerprints of runs hang on every bit of it."""
    source = open_source("fake", 16, seed=3)
    assert source.identity == "da69dfb49908450eee6323e33a1c0a78f3be988d62e1363e258b197bfb4ea2b3"
    assert digest(source.batch(5, range(7))) == "bb7d9b2bb8b07ff6"
    held_out, trained = source.held_out(9), source.training_crops(9)
    assert (digest(held_out.images), held_out.photograph.tolist()) == ("a71943f745cbb04f", [0, 0, 1, 1, 2, 2, 2, 3, 3])
    assert (digest(trained.images), trained.photograph.tolist()) == ("ec9ada48a1ad1e3d", [0, 2, 3, 4, 6, 7, 8, 10, 11])
    assert open_source("fake", 16, seed=4).identity == source.identity


@pytest.mark.parametrize("spec", ["fake", "photos"])
def test_a_row_is_a_function_of_seed_step_and_index(spec: str) -> None:
    source = open_source(spec, 32, seed=1)
    whole = source.batch(2, range(6))
    assert whole.shape == (6, 3, 32, 32)
    assert torch.equal(source.batch(2, [1, 4]), whole[[1, 4]])
    assert not torch.equal(source.batch(3, range(6)), whole)
    assert not torch.equal(open_source(spec, 32, seed=2).batch(2, range(6)), whole)
    names = set(source.held_out(64).names)
    assert names.isdisjoint(source.training_crops(64).names)
    assert set(open_source(spec, 32, split=False).held_out(64).names) == names | set(source.training_crops(64).names)
    assert source.state_dict() == {}
    with pytest.raises(ValueError, match="has no state"):
        source.load_state_dict({"position": 3})


# An endless source without names


def test_pictures_without_names_go_by_their_numbers() -> None:
    crops = Crops.unnamed(torch.zeros(2, 3, 4, 4, dtype=torch.uint8))
    assert crops.names == crops.scenes == ("picture 1", "picture 2")
    assert crops.photograph.tolist() == [0, 1]
    with pytest.raises(InputError, match="0 crops"):
        Crops.unnamed(torch.zeros(0, 3, 4, 4, dtype=torch.uint8))


@pytest.mark.usefixtures("_noise")
def test_a_new_kind_is_known_by_its_name() -> None:
    assert spec_forms()["noise"] == "coloured noise without end"
    with pytest.raises(InputError, match=r"unknown data 'nois'.*\nDid you mean noise"):
        open_source("nois", 16)
    with pytest.raises(InputError, match="unknown data 'noise:more'"):
        open_source("noise:more", 16)


def test_a_copy_of_a_photograph_is_left_out_and_another_version_is_not() -> None:
    """Crops of a b a′ c, interleaved, where a′ is a and c differs from b in one crop."""
    a, b, c = torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4), torch.ones(2, 3, 4, 4)
    c[1, 0, 0, 0] = 2
    images = torch.stack([a, b, a, c], dim=1).flatten(0, 1).to(torch.uint8)
    crops = Crops(images, np.tile(np.arange(4), 2), ("a", "b", "copy", "c"), ("a", "b", "a", "b"))
    found = crops.without_copies()
    assert (found.names, found.scenes) == (("a", "b", "c"), ("a", "b", "b"))
    assert found.photograph.tolist() == [0, 1, 2, 0, 1, 2]
    assert torch.equal(found.images, torch.stack([a, b, c], dim=1).flatten(0, 1).to(torch.uint8))
    assert found.without_copies() is found


def test_scenes_are_numbered_by_their_first_photographs() -> None:
    crops = Crops(torch.zeros(5, 3, 4, 4, dtype=torch.uint8), np.array([0, 1, 1, 2, 3]), tuple("abcd"), tuple("xyxz"))
    assert crops.scene.tolist() == [0, 1, 1, 0, 2]

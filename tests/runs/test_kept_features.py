"""Tests of the features of pictures that are kept for other runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lgq_explore.folders import data_directory
from lgq_explore.runs.kept_features import KeptFeatures

pytestmark = pytest.mark.usefixtures("own_data")

PICTURES = torch.randint(0, 256, (5, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(tmp_path))


class Colours(nn.Module):
    """Weighted means of colours; `seen` counts the pictures."""

    num_features = 3

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight), requires_grad=False)
        self.seen = 0

    def forward(self, pictures: Tensor) -> Tensor:
        self.seen += len(pictures)
        return self.weight * pictures.float().mean(dim=(2, 3))


def files() -> list[Path]:
    return sorted((data_directory() / "features").iterdir())


def keep(network: nn.Module, pictures: Tensor = PICTURES) -> Tensor:
    """The features of pictures in two batches, as an evaluation asks for them."""
    kept = KeptFeatures(network, pictures)
    return torch.cat([kept(pictures[:3]), kept(pictures[3:])])


def test_another_evaluation_computes_none_again() -> None:
    first, second = Colours(), Colours()
    assert torch.equal(keep(first), Colours()(PICTURES))
    assert torch.equal(keep(second), Colours()(PICTURES))
    assert (first.seen, second.seen) == (5, 0)
    assert KeptFeatures(second, PICTURES).num_features == 3


def test_any_batch_of_them_is_known_and_others_are_computed() -> None:
    network = Colours()
    kept = KeptFeatures(network, PICTURES)
    kept(PICTURES)
    assert torch.equal(kept(PICTURES[[4, 0]]), Colours()(PICTURES[[4, 0]]))
    assert network.seen == 5
    mixed = torch.cat([PICTURES[:1], 255 - PICTURES[:1]])
    assert torch.equal(kept(mixed), Colours()(mixed))
    assert network.seen == 7


def test_equal_pictures_are_one() -> None:
    twice = PICTURES[[0, 1, 0]]
    network = Colours()
    assert torch.equal(KeptFeatures(network, twice)(twice), Colours()(twice))
    assert torch.equal(KeptFeatures(network, twice)(twice), Colours()(twice))
    assert network.seen == 3


def test_a_file_belongs_to_its_pictures_and_weights() -> None:
    keep(Colours())
    assert torch.equal(keep(Colours(2.0)), Colours(2.0)(PICTURES))
    keep(Colours(), 255 - PICTURES)
    assert len(files()) == 3


def test_what_was_not_seen_whole_is_not_kept() -> None:
    KeptFeatures(Colours(), PICTURES)(PICTURES[:3])
    assert not (data_directory() / "features").exists()


@pytest.mark.parametrize("damage", ["cut", "changed", "emptied", "of fewer pictures"])
def test_a_damaged_file_is_written_again(damage: str) -> None:
    keep(Colours())
    (file,) = files()
    whole = file.read_bytes()
    if damage == "of fewer pictures":
        keep(Colours(), PICTURES[:3])
        (other,) = set(files()) - {file}
        file.write_bytes(other.read_bytes())
        other.unlink()
    else:
        changed = whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:]
        file.write_bytes({"cut": whole[:-5], "changed": changed, "emptied": b""}[damage])
    network = Colours()
    assert torch.equal(keep(network), Colours()(PICTURES))
    assert network.seen == 5
    assert file.read_bytes() == whole


def test_where_nothing_can_be_written_features_are_kept_in_memory() -> None:
    (data_directory() / "features").write_text("a file")
    network = Colours()
    kept = KeptFeatures(network, PICTURES)
    assert torch.equal(kept(PICTURES), kept(PICTURES))
    assert network.seen == 5

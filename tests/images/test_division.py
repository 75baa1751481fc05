"""Tests of the division of photographs into training, validation and held out, by their content."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lgq_explore.errors import InputError
from lgq_explore.images.division import HELD_OUT, TRAINING, VALIDATION, Division, parts_of
from lgq_explore.images.opening import open_source
from lgq_explore.images.photographs import PhotographSource
from lgq_explore.images.picture_files import PictureFileSource

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")

DIVISION = Division(validation=0.2, held_out=0.3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pictures of 80 × 64 pixels."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(10):
        pixels = np.random.default_rng(number).integers(0, 256, (64, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"picture_{number}.png")
    return folder


def parts(source: PhotographSource) -> dict[str, tuple[str, ...]]:
    """The names of each part."""
    return {
        TRAINING: source.training.names,
        VALIDATION: source.validation.names,
        HELD_OUT: source.evaluation.names,
    }


def opened(spec: str, division: Division, image_size: int = 8) -> PhotographSource:
    source = open_source(spec, image_size, division=division)
    assert isinstance(source, PhotographSource)
    return source


def test_shares_of_800_are_their_exact_numbers() -> None:
    names = [str(number) for number in range(800)]
    counted = Counter(parts_of("folder:x", names, names, Division(validation=0.1, held_out=0.3)))
    assert counted == {TRAINING: 480, VALIDATION: 80, HELD_OUT: 240}


def test_every_photograph_is_in_one_part(folder: Path) -> None:
    names = [name for part in parts(opened(f"folder:{folder}", DIVISION)).values() for name in part]
    assert sorted(names) == sorted(path.name for path in folder.iterdir())


def test_the_parts_depend_on_files_alone(folder: Path, tmp_path: Path) -> None:
    """Neither names, the folder's place, the image size nor the seed of training matter; a file's bytes do."""
    renamed = {path.name: f"{9 - number} other.png" for number, path in enumerate(sorted(folder.iterdir()))}
    for old, new in renamed.items():
        shutil.copy(folder / old, tmp_path / new)
    here, there = opened(f"folder:{folder}", DIVISION), opened(f"folder:{tmp_path}", DIVISION, image_size=4)
    for part, names in parts(here).items():
        assert {renamed[name] for name in names} == set(parts(there)[part])


def test_another_seed_divides_otherwise_and_a_larger_share_keeps_what_was_held_out(folder: Path) -> None:
    first, other = (opened(f"folder:{folder}", Division(0.2, 0.3, seed)) for seed in (0, 1))
    assert parts(first) != parts(other)
    assert first.identity != other.identity
    larger = opened(f"folder:{folder}", Division(0.2, 0.5))
    assert set(first.evaluation.names) < set(larger.evaluation.names)


def test_versions_of_one_picture_are_in_one_part(tmp_path: Path, folder: Path) -> None:
    for path in folder.iterdir():
        shutil.copy(path, tmp_path / path.name)
        Image.open(path).resize((60, 48)).save(tmp_path / f"{path.stem}_small.png")
    for names in parts(opened(f"folder:{tmp_path}", DIVISION)).values():
        stems = Counter(name.removesuffix(".png").removesuffix("_small") for name in names)
        assert set(stems.values()) == {2}


def test_without_a_share_the_held_out_pictures_stay_and_validation_is_of_the_others(folder: Path) -> None:
    own, divided = open_source(f"folder:{folder}", 8), opened(f"folder:{folder}", Division(validation=0.25))
    assert isinstance(own, PhotographSource)
    assert divided.evaluation.names == own.evaluation.names
    assert set(divided.validation.names) | set(divided.training.names) == set(own.training.names)
    assert len(divided.validation) == 2


def test_validation_crops_are_of_the_validation_pictures(folder: Path) -> None:
    source = opened(f"folder:{folder}", DIVISION)
    assert source.validation_crops(16).names == source.validation.names
    with pytest.raises(InputError, match=r"no validation pictures: give them a share"):
        open_source(f"folder:{folder}", 8).validation_crops(16)


def test_files_that_are_decoded_later_are_divided_by_name(folder: Path) -> None:
    source, again = (open_source(f"imagefolder:{folder}", 8, division=DIVISION) for _ in range(2))
    assert isinstance(source, PictureFileSource)
    assert source.validation is not None
    assert [len(part) for part in (source.training, source.validation, source.evaluation)] == [5, 2, 3]
    assert source.identity == again.identity != open_source(f"imagefolder:{folder}", 8).identity
    assert set(source.validation_crops(4).names) == set(source.validation.names)


@pytest.mark.parametrize(
    ("division", "told"),
    [
        ({"validation": 1.0}, "validation is 1.0: give a share"),
        ({"held_out": -0.1}, "held_out is -0.1: give a share"),
        ({"held_out": float("nan")}, "held_out is nan: give a share"),
        ({"held_out": 0.6, "validation": 0.4}, "their sum must be below 1"),
        ({"seed": -1}, "seed is -1: it must not be negative"),
    ],
)
def test_shares_that_are_none_are_refused(division: dict[str, float], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Division(**division)  # type: ignore[arg-type]


def test_a_share_of_no_picture_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"validation is 0\.01 of the 10 pictures .* which is none of them"):
        opened(f"folder:{folder}", Division(validation=0.01, held_out=0.3))
    with pytest.raises(InputError, match=r"6 are for validation: nothing is left to train on"):
        opened(f"folder:{folder}", Division(validation=0.55, held_out=0.44))

"""Tests of the search for copies of pictures."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lgq_explore.errors import InputError
from lgq_explore.images.cache import digest_of
from lgq_explore.images.copies import Sketch, connected, copies, sketch_of
from lgq_explore.images.opening import open_source
from lgq_explore.images.splits import groups_of

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Image.Image]:
    """Ten different scenes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGQ_EXPLORE_DATA", str(tmp_path_factory.mktemp("data")))
        everything = open_source("photos", 32, split=False).evaluation
    return [Image.fromarray(np.array(pixels)) for pixels in everything.pixels[:-1]]  # the last is a stereo pair's


def noise(seed: int, height: int, width: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def labels(pictures: list[Pixels]) -> list[int]:
    digests, sketches = [digest_of(picture) for picture in pictures], [sketch_of(picture) for picture in pictures]
    found: list[int] = connected(len(pictures), copies(pictures, digests, sketches)).tolist()
    return found


def scaled(picture: Image.Image, by: float) -> Image.Image:
    return picture.resize((round(picture.width * by), round(picture.height * by)), Image.Resampling.LANCZOS)


def saved(picture: Image.Image, form: str, quality: int) -> Image.Image:
    target = io.BytesIO()
    picture.save(target, form, quality=quality)
    return Image.open(target).convert("RGB")


@pytest.mark.parametrize(
    "copy",
    [
        lambda picture: scaled(picture, 0.5),
        lambda picture: scaled(picture, 0.75),
        lambda picture: scaled(picture, 2),
        lambda picture: saved(picture, "JPEG", 90),
        lambda picture: saved(picture, "JPEG", 50),
        lambda picture: saved(picture, "WEBP", 50),
        lambda picture: saved(scaled(picture, 0.75), "JPEG", 75),
    ],
)
def test_scaled_and_newly_saved_photographs_are_copies_and_no_others(
    photographs: list[Image.Image], copy: Callable[[Image.Image], Image.Image]
) -> None:
    pictures = [np.array(picture) for picture in [*photographs, *map(copy, photographs)]]
    assert labels(pictures) == [*range(10), *range(10)]


def test_cut_and_mirrored_photographs_do_not_join_others(photographs: list[Image.Image]) -> None:
    changed = [picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for picture in photographs]
    changed += [picture.crop((40, 40, picture.width, picture.height)) for picture in photographs]
    found = labels([np.array(picture) for picture in [*photographs, *changed]])
    assert all(label % 10 == index % 10 for index, label in enumerate(found))


def drawn(draw: Callable[[ImageDraw.ImageDraw], object], background: str = "white") -> Pixels:
    picture = Image.new("RGB", (128, 128), background)
    draw(ImageDraw.Draw(picture))
    return np.array(picture)


ALIKE = {
    "noise of 4 pixels a side": [noise(seed, 4, 4) for seed in range(40)],
    "noise of 40 pixels a side": [noise(seed, 40, 40) for seed in range(40)],
    "one colour each": [np.full((64, 64, 3), level, np.uint8) for level in range(256)],
    "nearly flat": [noise(seed, 64, 64) // 128 + 100 for seed in range(40)],
    "gradients of one grey": [
        np.broadcast_to((np.linspace(0, 1, 64)[:, None] * colour).astype(np.uint8), (64, 64, 3))
        for colour in [(90, 180, 10), (200, 120, 55), (20, 190, 160)]
    ],
    "a square in other places": [
        drawn(lambda on, x=x: on.rectangle((x, 40, x + 20, 60), "black"), "grey") for x in range(0, 104, 4)
    ],
    "discs of other sizes": [drawn(lambda on, r=r: on.circle((64, 64), r, "black")) for r in range(10, 60, 4)],
    "words on a page": [
        drawn(lambda on, n=n: on.multiline_text((4, 4), "\n".join(str(7**n)[k::5] for k in range(5)), "black"))
        for n in range(60, 100)
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", ALIKE)
def test_different_pictures_that_look_alike_are_no_copies(kind: str) -> None:
    assert labels(ALIKE[kind]) == [*range(len(ALIKE[kind]))]


def test_small_and_flat_pictures_are_copies_where_they_are_equal() -> None:
    black, tiny = np.zeros((64, 64, 3), np.uint8), noise(0, 4, 4)
    assert labels([black, tiny, black.copy(), tiny.copy(), noise(1, 4, 4)]) == [0, 1, 0, 1, 4]


def test_ten_thousand_pictures_are_searched_and_pairs_of_any_block_found() -> None:
    # Sketches alone: bits that no two share, in all brightnesses; 17 and 9983 differ by 48 bits, 18 and 9982 by 49.
    generator = np.random.default_rng(0)
    bits = generator.integers(0, 256, (10_000, 32), dtype=np.uint8)
    brightness = generator.uniform(20, 230, 10_000)
    for one, other, more in ((17, 9983, 0), (18, 9982, 1)):
        bits[other] = bits[one]
        bits[other, :6] ^= 255
        bits[other, 6] ^= more
        brightness[other] = brightness[one] + 3.9
    sketches = [Sketch(row.tobytes().hex(), mean) for row, mean in zip(bits, brightness.tolist(), strict=True)]
    picture = noise(0, 32, 32)
    found = copies([picture] * len(sketches), [str(index) for index in range(len(sketches))], sketches)
    assert [sorted(pair) for pair in found.tolist() if len(set(pair)) == 2] == [[17, 9983]]


def test_many_copies_of_one_picture_hang_together_by_few_pairs(photographs: list[Image.Image]) -> None:
    pictures = [np.array(photographs[0])] * 600
    sketches = [sketch_of(pictures[0])] * 600
    found = copies(pictures, [str(index) for index in range(600)], sketches)
    assert len(found) < 10 * 600
    assert set(connected(600, found).tolist()) == {0}


def test_groups_join_names_and_copies() -> None:
    names = ["b.png", "b-dark.png", "a.png", "c.png", "d (1).png"]
    assert groups_of(names, np.array([[1, 2]])) == ("a", "a", "a", "c", "d (1)")
    assert groups_of(names, np.array([[3, 4], [0, 4]])) == ("b", "b", "a", "b", "b")
    assert groups_of(names, np.zeros((0, 2), np.int64)) == ("b", "b", "a", "c", "d (1)")


def test_copies_by_a_file_manager_are_on_one_side_of_the_split(folder: Path) -> None:
    for number in range(12):
        original = folder / f"img{number}.png"
        Image.fromarray(noise(number, 64, 64)).save(original)
        for name in (
            f"img{number} copy.png",
            f"img{number} (1).png",
            f"Kopie von img{number}.png",
            f"{number * 7}.png",
        ):
            shutil.copy(original, folder / name)
    images = open_source(f"folder:{folder}", 32)
    held_out = {pixels.tobytes() for pixels in images.evaluation.pixels}
    assert (len(images.training), len(images.evaluation)) == (45, 15)
    assert held_out.isdisjoint({pixels.tobytes() for pixels in images.training.pixels})


def test_scaled_copies_are_on_one_side_of_the_split(folder: Path, photographs: list[Image.Image]) -> None:
    for number, picture in enumerate(photographs):
        picture.save(folder / f"{number}.png")
        scaled(picture, 0.5).save(folder / f"export {number}.jpg", quality=75)
    images = open_source(f"folder:{folder}", 32)
    sides = [{name.split(".")[0][-1] for name in side.names} for side in (images.training, images.evaluation)]
    assert sides[0].isdisjoint(sides[1])
    assert len(sides[0]) + len(sides[1]) == 10


def test_copies_alone_cannot_be_split(folder: Path) -> None:
    for name in ("one.png", "other.png"):
        Image.fromarray(noise(0, 64, 64)).save(folder / name)
    with pytest.raises(InputError, match="copies of one") as refused:
        open_source(f"folder:{folder}", 32)
    assert len(str(refused.value).splitlines()) == 2

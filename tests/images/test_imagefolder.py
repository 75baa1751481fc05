"""Tests of folders like ImageNet's, whose pictures are decoded when they are needed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch

from lgq_explore.errors import InputError
from lgq_explore.images import picture_files
from lgq_explore.images.opening import open_source, resolve_spec
from lgq_explore.images.picture_files import PictureFileSource
from lgq_explore.images.source import Source
from tests.images.planted import decoding_children, noise

SIZE = 16


def opened(folder: Path, *, seed: int = 0, split: bool = True, size: int = SIZE) -> PictureFileSource:
    source = open_source(f"imagefolder:{folder}", size, seed=seed, split=split)
    assert isinstance(source, PictureFileSource)
    return source


def batch_of(source: Source, step: int = 0, rows: range = range(12)) -> torch.Tensor:
    try:
        return source.batch(step, rows)
    finally:
        source.close()


def refusal(folder: Path, *, size: int = SIZE, split: bool = True) -> str:
    with pytest.raises(InputError) as refused:
        opened(folder, size=size, split=split)
    message = str(refused.value)
    assert len(message.splitlines()) <= 2
    return message


@pytest.fixture
def pictures(folder: Path) -> Path:
    """Eight pictures in one folder, larger and smaller than what they are resized to."""
    for number in range(8):
        noise(number, 140 + 10 * number, 300 - 20 * number).save(folder / f"{number}.png")
    noise(8).save(folder / "small.png")
    return folder


@pytest.fixture
def imagenet(folder: Path) -> Path:
    """Two classes, each with three pictures to train on and two held out, and a test set that belongs to neither."""
    for number, path in enumerate(
        f"{side}/{name}/{index}.JPEG"
        for side, count in (("train", 3), ("val", 2), ("test", 1))
        for name in ("n01440764", "n01443537")
        for index in range(count)
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        noise(number).save(folder / path, quality=95)
    return folder


# The same pictures as those of a folder that is decoded beforehand


def test_batches_and_held_out_crops_are_those_of_a_folder_decoded_beforehand(pictures: Path) -> None:
    on_the_fly, beforehand = opened(pictures, seed=3), open_source(f"folder:{pictures}", SIZE, seed=3)
    assert torch.equal(batch_of(on_the_fly, step=5), beforehand.batch(5, range(12)))
    for limit in (1, 2, 30, 2000):
        for mine, theirs in (
            (on_the_fly.held_out(limit), beforehand.held_out(limit)),
            (on_the_fly.training_crops(limit), beforehand.training_crops(limit)),
        ):
            assert torch.equal(mine.images, theirs.images)
            used = [theirs.names[index] for index in theirs.photograph]
            assert [mine.names[index] for index in mine.photograph] == used
    everything = opened(pictures, split=False)
    assert everything.counts.training == 0
    assert everything.counts.held_out == 9
    assert set(everything.held_out(9).names) == {path.name for path in pictures.iterdir()}
    with pytest.raises(InputError, match="no picture to train on"):
        everything.batch(0, range(1))


def test_a_row_does_not_depend_on_the_number_of_processes_nor_on_the_other_rows(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches, crops = [], []
    for processes in ("1", "2", "3"):
        monkeypatch.setenv("LGQ_EXPLORE_DECODERS", processes)
        source = opened(pictures)
        batches.append(batch_of(source, step=7))
        crops.append(source.held_out(20).images)
    assert torch.equal(batches[0], batches[1])
    assert torch.equal(batches[0], batches[2])
    assert torch.equal(crops[0], crops[2])
    source = opened(pictures)
    assert torch.equal(batch_of(source, 7, range(2, 12, 3)), batches[0][2::3])
    assert not torch.equal(batch_of(source, 8), batches[0])
    assert not torch.equal(batch_of(opened(pictures, seed=1), 7), batches[0])


# Splits


def test_train_and_val_are_kept_apart(imagenet: Path) -> None:
    source = opened(imagenet)
    assert (source.counts.training, source.counts.held_out) == (6, 4)
    assert set(source.training_crops(6).names) == {path for path in names_below(imagenet) if path.startswith("train/")}
    assert set(source.held_out(4).names) == {path for path in names_below(imagenet) if path.startswith("val/")}
    assert opened(imagenet, split=False).counts.held_out == 12


@pytest.mark.parametrize("name", ["validation", "valid"])
def test_the_held_out_folder_may_have_other_names(imagenet: Path, name: str) -> None:
    (imagenet / "val").rename(imagenet / name)
    assert {held.partition("/")[0] for held in opened(imagenet).held_out(4).names} == {name}


def test_one_folder_of_the_two_is_split_by_name(imagenet: Path) -> None:
    shutil.rmtree(imagenet / "val")
    shutil.rmtree(imagenet / "test")
    source = opened(imagenet)
    assert (source.counts.training, source.counts.held_out) == (4, 2)
    assert set(source.held_out(9).names).isdisjoint(source.training_crops(9).names)


def test_a_picture_is_not_on_both_sides_by_a_link(imagenet: Path, pictures: Path) -> None:
    os.link(imagenet / "train/n01440764/0.JPEG", imagenet / "val/n01440764/again.JPEG")
    (imagenet / "val/n01440764/linked.JPEG").symlink_to(imagenet / "train/n01440764/1.JPEG")
    assert opened(imagenet).counts.held_out == 4
    for path in names_below(imagenet):
        if path.startswith("val/") and path[-6] in "01":
            (imagenet / path).unlink()
    assert "no image file in" in refusal(imagenet)


def test_hard_links_to_one_picture_are_on_one_side(pictures: Path) -> None:
    for number in range(8):
        for copy in range(3):
            os.link(pictures / f"{number}.png", pictures / f"other {number} {copy}.png")
    source = opened(pictures)
    inodes = [{(source.training.folder / name).stat().st_ino for name in files.names} for files in sides(source)]
    assert inodes[0].isdisjoint(inodes[1])
    assert sum(map(len, sides(source))) == 33


def test_versions_of_one_picture_are_on_one_side(folder: Path) -> None:
    noise(0).save(folder / "lake_1920x1080.png")
    noise(1).save(folder / "lake-dark.png")
    assert "one picture in 2 files, lake-dark.png" in refusal(folder)
    assert opened(folder, split=False).counts.held_out == 2


# Identity


def test_the_identity_is_of_names_sizes_and_sides(imagenet: Path, tmp_path: Path) -> None:
    identities = [opened(imagenet).identity, opened(imagenet, split=False).identity]
    moved = shutil.copytree(imagenet, tmp_path / "elsewhere")
    assert opened(moved, seed=9, size=8).identity == identities[0]
    (imagenet / "val/n01440764/1.JPEG").rename(imagenet / "val/n01440764/9.JPEG")
    identities.append(opened(imagenet).identity)
    with (imagenet / "val/n01440764/9.JPEG").open("ab") as file:
        file.write(b"0")
    identities.append(opened(imagenet).identity)
    (imagenet / "train/n01440764/1.JPEG").rename(imagenet / "val/n01440764/8.JPEG")
    identities.append(opened(imagenet).identity)
    assert len(set(identities)) == 5


def test_opening_reads_one_picture_of_each_side_and_starts_no_process(
    imagenet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    read_picture = picture_files.read_picture

    def counted(path: Path, *settings: int) -> object:
        read.append(path)
        return read_picture(path, *settings)

    monkeypatch.setattr(picture_files, "read_picture", counted)
    opened(imagenet)
    assert len(read) == 2
    assert decoding_children() == []


# Files that give no picture


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_a_corrupt_file_is_replaced_counted_and_named_once(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = batch_of(opened(pictures), rows=range(64))
    names = opened(pictures).training.names
    damage(pictures / names[2])
    (pictures / names[4]).write_bytes(b"")
    source = opened(pictures)
    assert source.notes == ()
    damaged = source.batch(0, range(64))
    source.batch(1, range(64))
    source.close()
    changed = (damaged != whole).flatten(1).any(1)
    assert 0 < changed.sum() < 64
    assert {(file.name, file.why) for file in source.skipped} == {
        (names[2], "it cannot be decoded: the file is cut off"),
        (names[4], "it is empty"),
    }
    (note,) = source.notes
    assert "2 files skipped" in note
    assert names[2] in note
    assert source.counts.skipped_files == 2
    # The same whatever the processes, and of a row alone.
    monkeypatch.setenv("LGQ_EXPLORE_DECODERS", "3")
    again = opened(pictures)
    assert torch.equal(batch_of(again, rows=range(64)), damaged)
    rows = changed.nonzero().flatten().tolist()
    assert torch.equal(batch_of(again, rows=rows), damaged[rows])


def test_replacements_are_drawn_evenly(pictures: Path) -> None:
    """The replaced rows show all other pictures, and not the neighbour of the damaged one alone."""
    source = opened(pictures)
    chosen: list[int] = []
    for replacement in (0, 1):
        drawn = picture_files.draws(0, 0, range(3000), replacement=replacement)
        chosen = [int(draw.photograph * len(source.training)) for draw in drawn]
        counts = torch.bincount(torch.tensor(chosen), minlength=7)
        assert (counts.double() / 3000 * 7 - 1).abs().max() < 0.2
    assert picture_files.draws(0, 0, range(9)) != picture_files.draws(0, 0, range(9), replacement=1)


def test_unusable_pictures_are_not_among_the_crops(pictures: Path) -> None:
    for name in opened(pictures, split=False).evaluation.names[:4]:
        damage(pictures / name)
    for limit in (3, 5, 40):
        source = opened(pictures, split=False)
        crops = source.held_out(limit)
        assert len(crops.images) == limit
        assert len(crops.names) == min(limit, 5)
        assert {skipped.name for skipped in source.skipped}.isdisjoint(crops.names)


def test_a_file_that_cannot_be_read_is_named_with_the_reason(pictures: Path) -> None:
    source = opened(pictures)
    gone = source.training.names[3]
    (pictures / gone).unlink()
    batch_of(source, rows=range(64))
    assert [(file.name, file.why, file.passing) for file in source.skipped] == [
        (gone, "it cannot be read (No such file or directory)", True)
    ]


def test_pictures_that_are_too_small_and_foreign_formats_are_skipped(pictures: Path) -> None:
    noise(30, 10, 200).save(pictures / "narrow.png")
    (pictures / "phone.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    source = opened(pictures, split=False)
    assert len(source.held_out(2000).names) == 9
    assert {file.name: file.why for file in source.skipped} == {
        "narrow.png": "its shorter side is 10 pixels, below 16",
        "phone.HEIC": "HEIC is not read here, convert it to JPEG or PNG",
    }


def test_folders_without_a_usable_picture_are_refused_before_anything_is_made(folder: Path, tmp_path: Path) -> None:
    assert f"no image file in {folder}" in refusal(folder)
    (folder / "notes.txt").write_text("about")
    assert f"no image file in {folder}" in refusal(folder)
    for number in range(4):
        noise(number).save(folder / f"{number}.png")
        damage(folder / f"{number}.png")
    assert "no usable picture, 1 skipped, the first" in refusal(folder)
    assert "no folder" in refusal(tmp_path / "missing")
    assert "is a file" in refusal(folder / "notes.txt")


@pytest.mark.parametrize("side", ["train", "val"])
def test_an_empty_side_is_named(imagenet: Path, side: str) -> None:
    shutil.rmtree(imagenet / side)
    (imagenet / side).mkdir()
    assert f"no image file in {imagenet / side}" in refusal(imagenet)


def test_crops_larger_than_all_pictures_are_refused(imagenet: Path) -> None:
    assert "its shorter side is 40 pixels, below 64" in refusal(imagenet, size=64)


def test_where_nothing_can_be_read_any_more_a_batch_is_an_error(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_files, "MOST_REPLACED", 3)
    source = opened(pictures)
    pictures.rename(pictures.with_name("unmounted"))
    with pytest.raises(InputError, match=r"gave no picture 3 times in a row.*No such file.*\n.*resume"):
        batch_of(source)


def test_a_folder_that_cannot_be_written_will_do(imagenet: Path, data: Path) -> None:
    before = names_below(imagenet)
    for path in [imagenet, *imagenet.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    source = opened(imagenet)
    batch_of(source)
    source.held_out(4)
    assert names_below(imagenet) == before
    assert not data.exists()
    for path in [imagenet, *imagenet.rglob("*")]:
        path.chmod(0o755)


def test_odd_names_are_read(folder: Path) -> None:
    for number, name in enumerate(("a b.png", "new\nline.png", "湖.jpg", os.fsdecode(b"latin \xe9.png"), "100%.PNG")):
        noise(number).save(folder / name)
    source = opened(folder, split=False)
    assert len(source.held_out(5).names) == 5
    assert source.skipped == []


# State and SPEC


def test_the_state_names_the_files_that_were_skipped_before(pictures: Path) -> None:
    first = opened(pictures)
    gone = first.training.names[3]
    damage(pictures / gone)
    batch_of(first, rows=range(64))
    second = opened(pictures)
    second.load_state_dict(first.state_dict())
    second.load_state_dict(first.state_dict())
    assert [file.name for file in second.skipped] == [gone]
    assert torch.equal(batch_of(second), batch_of(opened(pictures)))


def test_no_process_is_left_after_crops_and_after_close(pictures: Path) -> None:
    source = opened(pictures)
    source.held_out(20)
    assert decoding_children() == []
    source.batch(0, range(4))
    assert decoding_children()
    source.close()
    assert decoding_children() == []
    source.batch(0, range(4))  # opens it again
    source.close()
    source.close()


def test_the_spec_is_resolved_and_meant_where_it_is_misspelt(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pictures.parent)
    assert resolve_spec("imagefolder:pictures") == f"imagefolder:{pictures}"
    (pictures / "train").mkdir()
    for misspelt, meant in (
        ("imagenet:/some/where", "imagefolder:/some/where"),
        ("imagenete", "imagenette"),
        (str(pictures), f"imagefolder:{pictures}"),
    ):
        with pytest.raises(InputError) as refused:
            open_source(misspelt, SIZE)
        assert str(refused.value).endswith(f"Did you mean {meant}?")


@pytest.mark.slow
def test_many_links_are_found_without_reading_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        noise(number).save(folder / f"{number}.png")
        for link in range(1000):
            os.link(folder / f"{number}.png", folder / f"{number} {link}.png")
    source = opened(folder)
    assert source.counts.training is not None
    assert source.counts.held_out is not None
    assert source.counts.training + source.counts.held_out == 10_010
    batch_of(source)


def names_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def sides(source: PictureFileSource) -> tuple[picture_files.PictureFiles, picture_files.PictureFiles]:
    return source.training, source.evaluation

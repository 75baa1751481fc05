"""Tests of encodings: their content, their files, and decoding."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lgq_explore import InputError, Run, TrainConfig, train
from lgq_explore.images.opening import open_source
from lgq_explore.images.ranges import to_model_range, to_uint8
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import FSQConfig, LGQConfig
from lgq_explore.runs.encoding import OWNER, Encoding, coded_batches, decode, encode, encode_training, write_pictures
from lgq_explore.runs.run_writer import RunWriter

TINY = TrainConfig(
    data="fake", steps=4, batch_size=4, backbone=BackboneConfig(channels=(8, 8, 8), dim=4), quantizer=LGQConfig(16)
)


@pytest.fixture(scope="module", autouse=True)
def own_data_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGQ_EXPLORE_DATA", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="module", params=["one codebook", "a grid"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    quantizer = LGQConfig(16) if request.param == "one codebook" else FSQConfig((5, 4, 3))
    config = replace(TINY, quantizer=quantizer, loss_weights={})
    return train(config, tmp_path_factory.mktemp("run") / "run", device="cpu", progress=False)


@pytest.fixture(scope="module")
def encoding(run: Run) -> Encoding:
    return encode(run)


def test_every_array_is_of_the_same_crops(run: Run, encoding: Encoding) -> None:
    tokenizer = run.tokenizer()
    groups, count = len(tokenizer.quantizer.levels), len(encoding)
    shapes = {name: part.shape for name, part in vars(encoding).items() if isinstance(part, np.ndarray)}
    assert shapes == {
        "images": (count, 3, 32, 32),
        "latents": (count, 4, 8, 8),
        "codes": (count, groups, 8, 8),
        "reconstructions": (count, 3, 32, 32),
        "levels": (groups,),
        "photograph": (count,),
        "photograph_names": (len(open_source("fake", 32).evaluation),),
        "scenes": (len(open_source("fake", 32).evaluation),),
    }
    assert encoding.images.dtype == encoding.reconstructions.dtype == np.uint8
    assert encoding.latents.dtype == np.float32
    assert encoding.codes.dtype == encoding.photograph.dtype == np.int64
    assert tuple(encoding.levels) == tokenizer.quantizer.levels


def test_each_crop_alone_gives_what_the_encoding_holds(run: Run, encoding: Encoding) -> None:
    tokenizer = run.tokenizer()
    for index in (0, len(encoding) - 1):
        image = to_model_range(torch.from_numpy(encoding.images[index])[None])
        with torch.no_grad():
            output = tokenizer(image)
        torch.testing.assert_close(output.latents[0].numpy(), encoding.latents[index], atol=1e-5, rtol=1e-5)
        np.testing.assert_array_equal(output.coded.codes[0].numpy(), encoding.codes[index])
        difference = to_uint8(output.reconstruction)[0].numpy().astype(int) - encoding.reconstructions[index]
        assert np.abs(difference).max() <= 1  # of 255: batches of other sizes may round otherwise


def test_no_photograph_that_was_trained_on_is_in_it_unless_asked_for(run: Run, encoding: Encoding) -> None:
    data = open_source("fake", 32)
    assert set(encoding.photograph_names) == set(data.evaluation.names)
    assert set(encoding.photograph_names).isdisjoint(data.training.names)
    everything = encode(run, "fake", crops=32)
    assert set(everything.photograph_names) == {*data.evaluation.names, *data.training.names}
    assert set(everything.photograph) == set(range(len(everything.photograph_names)))
    assert len(everything) == 32


def test_training_crops_are_of_the_photographs_that_the_run_was_trained_on(run: Run, encoding: Encoding) -> None:
    trained = encode_training(run, crops=16)
    assert set(trained.photograph_names) == set(open_source("fake", 32).training.names)
    assert len(trained) == 16
    np.testing.assert_array_equal(decode(run, trained.codes), trained.reconstructions)
    assert set(trained.photograph_names).isdisjoint(encoding.photograph_names)


def test_batches_do_not_change_what_comes_out(run: Run, encoding: Encoding) -> None:
    images = torch.from_numpy(encoding.images)
    batches = list(coded_batches(run.tokenizer(), images, batch_size=7))
    assert [len(batch.images) for batch in batches[:-1]] == [7] * (len(batches) - 1)
    codes = torch.cat([batch.output.coded.codes for batch in batches]).numpy()
    assert (codes == encoding.codes).mean() > 0.999  # a token between two codes may fall to the other one


def test_the_file_gives_back_every_array(encoding: Encoding, tmp_path: Path) -> None:
    path = tmp_path / "encoding.npz"
    encoding.save(path)
    loaded = Encoding.load(path)
    for entry in fields(Encoding):
        before, after = getattr(encoding, entry.name), getattr(loaded, entry.name)
        assert np.asarray(before).dtype == np.asarray(after).dtype
        assert type(before) is type(after)
        np.testing.assert_array_equal(before, after)
    assert [file.name for file in tmp_path.iterdir()] == ["encoding.npz"]


def test_a_failed_save_leaves_nothing(encoding: Encoding, tmp_path: Path) -> None:
    unsaveable = replace(encoding, levels=_Unreadable())  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        unsaveable.save(tmp_path / "encoding.npz")
    assert list(tmp_path.iterdir()) == []


def test_an_older_file_is_kept(encoding: Encoding, tmp_path: Path) -> None:
    path = tmp_path / "encoding.npz"
    path.write_bytes(b"older")
    with pytest.raises(InputError, match="exists already: name a new file"):
        encoding.save(path)
    assert path.read_bytes() == b"older"
    assert [file.name for file in tmp_path.iterdir()] == ["encoding.npz"]


class _Unreadable:
    """An array whose values can't be had, so that a save fails midway."""

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        raise ZeroDivisionError


def test_codes_decode_to_the_reconstructions(run: Run, encoding: Encoding) -> None:
    np.testing.assert_array_equal(decode(run, encoding.codes), encoding.reconstructions)
    np.testing.assert_array_equal(decode(run.path, encoding.codes.astype(np.uint8)), encoding.reconstructions)
    assert decode(run, encoding.codes[:0]).shape == (0, 3, 32, 32)


def test_other_codes_decode_to_other_pictures(run: Run, encoding: Encoding) -> None:
    moved = (encoding.codes + 1) % encoding.levels[:, None, None]
    assert (decode(run, moved) != encoding.reconstructions).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("shift", [-1, 1])
def test_codes_outside_of_the_levels_are_refused(run: Run, encoding: Encoding, shift: int) -> None:
    """One code of one group is enough, and each group has its own number of levels."""
    codes = encoding.codes.copy()
    codes[-1, -1, -1, -1] = -1 if shift < 0 else encoding.levels[-1]
    with pytest.raises(InputError, match="levels"):
        decode(run, codes)


@pytest.mark.parametrize("dtype", [float, str, bool, complex])
def test_codes_that_are_no_integers_are_refused(run: Run, encoding: Encoding, dtype: type) -> None:
    with pytest.raises(InputError, match="whole numbers"):
        decode(run, encoding.codes.astype(dtype))


def test_codes_of_another_grid_are_refused(run: Run, encoding: Encoding) -> None:
    for codes in (encoding.codes[:, :, :4], encoding.codes[0], np.concatenate([encoding.codes] * 2, axis=1)):
        with pytest.raises(InputError, match="shape"):
            decode(run, codes)


def test_nothing_is_unpickled(encoding: Encoding, tmp_path: Path) -> None:
    path = tmp_path / "encoding.npz"
    path.write_bytes(pickle.dumps(encoding))
    with pytest.raises(InputError, match="not an encoding"):
        Encoding.load(path)
    arrays = {entry.name: getattr(encoding, entry.name) for entry in fields(Encoding)}
    np.savez(path, **{**arrays, "codes": np.array([{}, None], dtype=object)})
    with pytest.raises(InputError, match="not an encoding"):
        Encoding.load(path)


def test_a_damaged_file_is_refused_wherever_the_damage_is(encoding: Encoding, tmp_path: Path) -> None:
    path = tmp_path / "encoding.npz"
    encoding.save(path)
    whole = path.read_bytes()
    for place in range(0, len(whole) - 64, len(whole) // 40):  # the last two bytes count those of a comment
        path.write_bytes(whole[:place] + bytes(byte ^ 255 for byte in whole[place : place + 64]) + whole[place + 64 :])
        with pytest.raises(InputError, match=r"encoding\.npz"):
            Encoding.load(path)
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"encoding\.npz"):
            Encoding.load(path)


def test_it_knows_whose_it_is(run: Run, encoding: Encoding, tmp_path: Path) -> None:
    def owner(found: Encoding) -> tuple[str, int, str, str, int, str]:
        return found.weights, found.steps, found.data, found.split, found.crops, found.device

    digest = run.trained().digest
    assert owner(encoding) == (digest, 4, "fake", "held out", 1024, "cpu")
    assert owner(encode_training(run, crops=8)) == (digest, 4, "fake", "training", 8, "cpu")
    everything = encode(run, "fake", crops=16)
    assert owner(everything) == (digest, 4, "fake", "everything", 16, "cpu")
    everything.save(tmp_path / "encoding.npz")
    assert owner(Encoding.load(tmp_path / "encoding.npz")) == owner(everything)


def test_a_run_trained_anew_in_the_same_folder_gives_encodings_of_other_weights(tmp_path: Path) -> None:
    found = []
    for seed in (0, 1):
        run = train(replace(TINY, seed=seed, steps=1), tmp_path / "run", device="cpu", progress=False)
        found.append(encode(run, crops=1))
        shutil.rmtree(run.path)
    assert found[0].weights != found[1].weights
    assert found[0].steps == found[1].steps == 1


def test_weights_that_were_read_before_encode_and_decode_though_the_folder_moved_on(tmp_path: Path) -> None:
    run = train(replace(TINY, steps=2), tmp_path / "run", device="cpu", progress=False)
    before = run.trained()
    expected = encode(run, crops=8)
    with torch.no_grad():
        moved = run.tokenizer()
        for weight in moved.parameters():
            weight.mul_(1.5)
    RunWriter(run.path).save_checkpoint(3, moved, {})
    assert encode(run, crops=8).weights == run.trained().digest != before.digest
    again = encode(run, crops=8, trained=before)
    assert (again.weights, again.steps) == (before.digest, 2)
    np.testing.assert_array_equal(again.latents, expected.latents)
    np.testing.assert_array_equal(decode(run, expected.codes, trained=before), expected.reconstructions)
    assert (decode(run, expected.codes) != expected.reconstructions).any()


def parts(encoding: Encoding) -> dict[str, Any]:
    return {entry.name: np.asarray(getattr(encoding, entry.name)) for entry in fields(Encoding)}


def test_an_older_file_that_does_not_say_whose_it_is_opens(encoding: Encoding, tmp_path: Path) -> None:
    path = tmp_path / "encoding.npz"
    np.savez(path, **{name: part for name, part in parts(encoding).items() if name not in OWNER})
    older = Encoding.load(path)
    np.testing.assert_array_equal(older.codes, encoding.codes)
    assert (older.weights, older.steps, older.data, older.split, older.crops, older.device) == ("", 0, "", "", 0, "")


def test_names_that_are_no_utf8_come_back(encoding: Encoding, tmp_path: Path) -> None:
    names = np.array([*encoding.photograph_names[:-1], "caf\udce9.png"])
    replace(encoding, photograph_names=names, data="folder:caf\udce9").save(tmp_path / "encoding.npz")
    loaded = Encoding.load(tmp_path / "encoding.npz")
    assert loaded.photograph_names[-1] == "caf\udce9.png"
    assert loaded.data == "folder:caf\udce9"


UNFIT: dict[str, Callable[[Encoding], dict[str, Any]]] = {
    "codes of an outer level": lambda whole: {"codes": whole.codes + whole.levels[:, None, None]},
    "codes below 0": lambda whole: {"codes": -1 - whole.codes},
    "codes of another type": lambda whole: {"codes": whole.codes.astype(np.int32)},
    "codes of another grid": lambda whole: {"codes": whole.codes[:, :, :4]},
    "codes of too few pictures": lambda whole: {"codes": whole.codes[1:]},
    "no levels": lambda whole: {"levels": whole.levels[:0]},
    "one level too many": lambda whole: {"levels": np.append(whole.levels, 5)},
    "latents of another shape": lambda whole: {"latents": np.zeros(3, np.float32)},
    "latents in double": lambda whole: {"latents": whole.latents.astype(np.float64)},
    "latents that are no numbers": lambda whole: {"latents": whole.latents * np.float32(np.nan)},
    "images in float": lambda whole: {"images": whole.images.astype(np.float32)},
    "images that are grey": lambda whole: {"images": whole.images[:, :1]},
    "images of another size": lambda whole: {"images": whole.images[..., :16]},
    "reconstructions of another size": lambda whole: {"reconstructions": whole.reconstructions[..., :16]},
    "a photograph without a name": lambda whole: {"photograph": whole.photograph + len(whole.photograph_names)},
    "too few photographs": lambda whole: {"photograph": whole.photograph[1:]},
    "names that are numbers": lambda whole: {"photograph_names": np.arange(len(whole.photograph_names))},
    "names that are no letters": lambda whole: {
        "photograph_names": np.full(len(whole.photograph_names), 2**31, np.uint32).view("<U1")
    },
    "weights that are a number": lambda whole: {"weights": np.array(3)},
    "two weights": lambda whole: {"weights": np.array(["a", "b"])},
    "steps that are text": lambda whole: {"steps": np.array("many")},
    "objects": lambda whole: {"levels": np.array([{}], dtype=object)},
}


@pytest.mark.parametrize("unfit", UNFIT.values(), ids=UNFIT)
def test_arrays_that_do_not_go_together_are_refused(
    encoding: Encoding, tmp_path: Path, unfit: Callable[[Encoding], dict[str, Any]]
) -> None:
    path = tmp_path / "encoding.npz"
    np.savez(path, **parts(encoding) | unfit(encoding))
    with pytest.raises(InputError, match=r"encoding\.npz is not an encoding, or damaged: .*\nMake one") as told:
        Encoding.load(path)
    assert len(str(told.value).splitlines()) == 2


@pytest.mark.parametrize("name", [entry.name for entry in fields(Encoding) if entry.name not in (*OWNER, "scenes")])
def test_an_array_that_is_missing_is_told(encoding: Encoding, tmp_path: Path, name: str) -> None:
    path = tmp_path / "encoding.npz"
    np.savez(path, **{other: part for other, part in parts(encoding).items() if other != name})
    with pytest.raises(InputError, match="arrays are missing"):
        Encoding.load(path)


def test_a_file_without_scenes_has_one_of_each_photograph(encoding: Encoding, tmp_path: Path) -> None:
    path = tmp_path / "encoding.npz"
    np.savez(path, **{name: part for name, part in parts(encoding).items() if name != "scenes"})
    assert np.array_equal(Encoding.load(path).scene, encoding.photograph)
    np.savez(path, **parts(encoding) | {"scenes": encoding.scenes[1:]})
    with pytest.raises(InputError, match="scenes do not fit photograph_names"):
        Encoding.load(path)


def test_what_comes_while_it_is_written_stays(encoding: Encoding, tmp_path: Path) -> None:
    file, folder = tmp_path / "encoding.npz", tmp_path / "pictures"

    class Slow:
        """An array that is asked for while somebody else writes the file."""

        def __array__(self, *_: object, **__: object) -> np.ndarray:
            file.write_text("theirs")
            return np.array([16])

    with pytest.raises(InputError, match="exists already: name a new file"):
        replace(encoding, levels=Slow()).save(file)  # type: ignore[arg-type]
    assert file.read_text() == "theirs"

    def pictures() -> Iterator[np.ndarray]:
        yield encoding.images[0]
        folder.mkdir()
        (folder / "thesis.txt").write_text("theirs")

    with pytest.raises(InputError, match="exists already: name a new folder"):
        write_pictures(folder, pictures())  # type: ignore[arg-type]
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["encoding.npz", "pictures"]


def test_pictures_are_written_all_or_none(encoding: Encoding, tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", encoding.images[:3])
    files = sorted((tmp_path / "pictures").iterdir())
    assert [file.name for file in files] == ["00000.png", "00001.png", "00002.png"]
    for file, image in zip(files, encoding.images, strict=False):
        np.testing.assert_array_equal(np.asarray(Image.open(file)), image.transpose(1, 2, 0))

    with pytest.raises(InputError, match="exists already"):
        write_pictures(tmp_path / "pictures", encoding.images[:1])
    assert sorted((tmp_path / "pictures").iterdir()) == files

    with pytest.raises(ValueError, match="axes"):  # the second is no picture: the first must not stay behind
        write_pictures(tmp_path / "half", [encoding.images[0], encoding.images[0, 0]])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="can't be made"):
        write_pictures(files[0] / "below-a-file", encoding.images[:1])
    with pytest.raises(InputError, match="can't be made"):
        write_pictures(tmp_path / ("long" * 100), encoding.images[:1])
    assert [folder.name for folder in tmp_path.iterdir()] == ["pictures"]

"""Does an encoding hold what the tokenizer makes of pictures, survive its file, and decode to the same pictures?"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lgq_explore import InputError, Run, TrainConfig, train
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import FSQConfig, LGQConfig
from lgq_explore.training.encode import Encoding, coded_batches, decode, encode, encode_training, write_pictures
from lgq_explore.training.images import load_images, to_model_range, to_uint8

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
        "photograph_names": (len(load_images("fake", 32).held_out),),
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
    data = load_images("fake", 32)
    assert set(encoding.photograph_names) == set(data.held_out.names)
    assert set(encoding.photograph_names).isdisjoint(data.training.names)
    everything = encode(run, "fake", crops=32)
    assert set(everything.photograph_names) == {*data.held_out.names, *data.training.names}
    assert set(everything.photograph) == set(range(len(everything.photograph_names)))
    assert len(everything) == 32


def test_training_crops_are_of_the_photographs_that_the_run_was_trained_on(run: Run, encoding: Encoding) -> None:
    trained = encode_training(run, crops=16)
    assert set(trained.photograph_names) == set(load_images("fake", 32).training.names)
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
    for place in range(0, len(whole), len(whole) // 40):
        path.write_bytes(whole[:place] + bytes(byte ^ 255 for byte in whole[place : place + 64]) + whole[place + 64 :])
        with pytest.raises(InputError, match=r"encoding\.npz"):
            Encoding.load(path)
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"encoding\.npz"):
            Encoding.load(path)


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

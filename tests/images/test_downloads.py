"""Tests of data sets that torchvision downloads, on small stand-ins from a server of the test's own.

All else is torchvision's own code: download, checksums, unpacking and reading.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10, Imagenette

from lgq_explore.errors import InputError
from lgq_explore.images.opening import open_source
from lgq_explore.images.photographs import PhotographSource
from tests.images.planted import noise

CLASSES = ["airplane", "automobile", "bird"]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Not to stderr."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """Serves the test's folder at `address`."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def address(server: ThreadingHTTPServer, path: Path) -> str:
    return f"http://127.0.0.1:{server.server_port}/{path.name}"


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def archive(path: Path, files: dict[str, bytes]) -> str:
    """Write a .tgz; returns its MD5."""
    with tarfile.open(path, "w:gz") as target:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            target.addfile(entry, io.BytesIO(content))
    return md5(path.read_bytes())


def pixels(seed: int, count: int) -> np.ndarray:
    """Pictures as CIFAR-10's files hold them: uint8 [N, 3·32·32], channels first."""
    return np.random.default_rng(seed).integers(0, 256, (count, 3 * 32 * 32), dtype=np.uint8)


@pytest.fixture
def cifar10(server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The archive of five batches of four pictures to train on, and six held out."""
    batches = {f"data_batch_{number}": pixels(number, 4) for number in range(1, 6)} | {"test_batch": pixels(6, 6)}
    files = {
        name: pickle.dumps({"data": batch, "labels": [index % 3 for index in range(len(batch))]})
        for name, batch in batches.items()
    } | {"batches.meta": pickle.dumps({"label_names": CLASSES})}
    path = tmp_path / CIFAR10.filename
    monkeypatch.setattr(CIFAR10, "tgz_md5", archive(path, {f"{CIFAR10.base_folder}/{n}": c for n, c in files.items()}))
    monkeypatch.setattr(CIFAR10, "url", address(server, path))
    names = {"train_list": [f"data_batch_{number}" for number in range(1, 6)], "test_list": ["test_batch"]}
    for attribute, listed in names.items():
        monkeypatch.setattr(CIFAR10, attribute, [[name, md5(files[name])] for name in listed])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": md5(files["batches.meta"])})
    return path


@pytest.fixture
def imagenette(server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The archive of two classes, with three pictures to train on and one held out each."""
    files = {}
    for number, name in enumerate(f"{s}/{c}" for s in ("train", "val") for c in ("n01440764", "n02102040")):
        for index in range(3 if name.startswith("train") else 1):
            content = io.BytesIO()
            noise(10 * number + index).save(content, "JPEG")
            files[f"imagenette2-320/{name}/{index}.JPEG"] = content.getvalue()
    path = tmp_path / "imagenette2-320.tgz"
    monkeypatch.setattr(
        Imagenette, "_ARCHIVES", {**Imagenette._ARCHIVES, "320px": (address(server, path), archive(path, files))}
    )
    return path


def opened(image_size: int = 32, *, split: bool = True) -> PhotographSource:
    source = open_source("cifar10", image_size, split=split)
    assert isinstance(source, PhotographSource)
    return source


def test_cifar10_is_downloaded_once_and_keeps_its_split(cifar10: Path, data: Path) -> None:
    source = opened()
    assert (source.counts.training, source.counts.held_out) == (20, 6)
    assert source.evaluation.names[:2] == ("test/00000 airplane", "test/00001 automobile")
    whole = torch.from_numpy(pixels(6, 6).reshape(-1, 3, 32, 32))
    assert torch.equal(source.held_out(6).images, whole)
    assert (data / "images" / "cifar10" / CIFAR10.base_folder / "test_batch").is_file()
    cifar10.unlink()  # no network from now on
    again = opened()
    assert again.identity == source.identity
    assert torch.equal(again.batch(3, range(8)), source.batch(3, range(8)))
    everything = opened(16, split=False)
    assert (everything.counts.training, everything.counts.held_out) == (0, 26)
    assert everything.held_out(26).images.shape == (26, 3, 16, 16)
    assert everything.identity != source.identity


def test_cifar10_is_not_enlarged(cifar10: Path, data: Path) -> None:
    with pytest.raises(InputError, match="cifar10 has pictures of 32 px, too few for crops of 64"):
        opened(64)
    assert not data.exists()


def test_a_damaged_copy_is_named(cifar10: Path, data: Path) -> None:
    opened()
    (data / "images" / "cifar10" / CIFAR10.base_folder / "test_batch").write_bytes(b"")
    with pytest.raises(InputError, match=r"cifar10 can't be read: .*corrupted.*\nDelete .*cifar10"):
        opened()


def test_imagenette_is_downloaded_once_and_keeps_its_split(imagenette: Path, data: Path) -> None:
    source = open_source("imagenette", 16)
    assert source.spec == "imagenette"
    assert (source.counts.training, source.counts.held_out) == (6, 2)
    assert {name.partition("/")[0] for name in source.held_out(2).names} == {"val"}
    assert source.batch(0, range(3)).shape == (3, 3, 16, 16)
    source.close()
    imagenette.unlink()
    assert open_source("imagenette", 16).identity == source.identity
    assert not list((data / "images").glob(".*"))


@pytest.mark.parametrize("spec", ["cifar10", "imagenette"])
def test_without_a_network_the_message_is_torchvision_s_and_says_what_to_do(
    spec: str, data: Path, server: ThreadingHTTPServer, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(spec)
    server.shutdown()
    server.server_close()  # its port refuses connections from now on
    with pytest.raises(InputError) as refused:
        open_source(spec, 16)
    first, second = str(refused.value).splitlines()
    assert first.startswith(f"{spec} can't be downloaded: ")
    assert "Connection refused" in first
    assert "network" in second
    assert str(data / "images" / spec) in second
    assert list((data / "images").iterdir()) == []


@pytest.mark.parametrize("spec", ["cifar10", "imagenette"])
def test_a_download_that_is_cut_off_leaves_nothing(spec: str, data: Path, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(spec)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=f"{spec} can't be downloaded: File not found or corrupted"):
        open_source(spec, 16)
    assert list((data / "images").iterdir()) == []

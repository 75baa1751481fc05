"""Tests that a run gives the same codes on any device, but for tokens that lie between two codes."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

import lgq_explore as lgq
from lgq_explore.images.ranges import to_model_range, to_uint8
from lgq_explore.models import BackboneConfig, build_tokenizer
from lgq_explore.quantizers import QUANTIZERS, FSQConfig, LGQConfig, QuantizerConfig, SimVQConfig, VQConfig
from lgq_explore.quantizers.soft_assignment import autograd
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.encoding import Encoding, decode
from lgq_explore.runs.evaluate import evaluate
from lgq_explore.runs.run import Run, TrainedTokenizer
from lgq_explore.runs.study import Study

METHODS: dict[str, QuantizerConfig] = {
    "lgq": LGQConfig(64),
    "vq": VQConfig(64),
    "fsq": FSQConfig((5, 5, 3)),
    "simvq": SimVQConfig(64),
}
FLOAT32, TF32 = 2**-24, 2**-11
"""Relative rounding errors; a GPU's convolutions round their input to TF32, unless it is switched off."""
GROWTH = 100.0
"""How many rounding errors of one operation a latent may have after all of an encoder."""


@pytest.fixture(scope="module", params=METHODS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    config = TrainConfig(
        data="fake",
        steps=6,
        batch_size=4,
        log_steps=3,
        snapshot_steps=3,
        backbone=BackboneConfig((8, 8, 8), dim=4),
        quantizer=METHODS[request.param],
    )
    return lgq.train(config, tmp_path_factory.mktemp("run") / "run", device="cpu", progress=False)


def count_ties(here: Study, there: Study, rounding: float) -> int:
    """The number of tokens that have another code there; raises AssertionError for one that is not between the two.

    There, z' is at least as near to its code c' as to c: |z' − c'|² ≤ |z' − c|². So |z − c'|² − |z − c|², which is at
    least 0 here, is at most 2 |z − z'| |c − c'|, and what the distances themselves are rounded by.
    """
    latents, z = here.latents.double(), here.points.double()
    assert ((latents - there.latents).abs() <= GROWTH * rounding * latents.abs().max()).all()
    moved = (z - there.points).norm(dim=1)  # by more where a norm divides by little
    other = torch.from_numpy(here.codes != there.codes)
    codes, others = (here.code_points.double()[study.codes][other] for study in (here, there))
    margin = (z[other] - others).square().sum(1) - (z[other] - codes).square().sum(1)
    distances_rounded = GROWTH * FLOAT32 * (z.square().sum(1).max() + here.code_points.double().square().sum(1).max())
    assert (margin <= 2 * moved[other] * (codes - others).norm(dim=1) + distances_rounded).all()
    return int(other.sum())


def in_float64(study: Study) -> Study:
    """The study of the same pictures on a device that rounds to float64."""
    tokenizer = copy.deepcopy(study.tokenizer).double()
    with torch.no_grad():
        output = tokenizer(to_model_range(torch.from_numpy(study.encoding.images)).double())
    return Study(study.trained, encoded(study.encoding, output.latents.float(), output.coded.codes))


def encoded(encoding: Encoding, latents: Tensor, codes: Tensor) -> Encoding:
    return replace(encoding, latents=latents.numpy(), codes=codes.numpy())


def test_codes_of_another_rounding_are_the_same_but_for_ties(run: Run) -> None:
    here = lgq.study(run, crops=64)
    assert count_ties(here, here, FLOAT32) == 0
    assert count_ties(here, in_float64(here), FLOAT32) <= 0.01 * len(here.codes)


def test_another_code_that_is_no_tie_is_noticed(run: Run) -> None:
    here = lgq.study(run, crops=64)
    codes = here.encoding.codes.copy()
    codes[0, 0, 0, 0] = (codes[0, 0, 0, 0] + 1) % here.quantizer.levels[0]
    there = Study(here.trained, replace(here.encoding, codes=codes))
    with pytest.raises(AssertionError):
        count_ties(here, there, FLOAT32)


def test_the_cpu_takes_the_tokenizer_itself_and_another_device_a_copy(run: Run) -> None:
    trained = run.trained()
    assert trained.on(torch.device("cpu")) is trained.tokenizer
    elsewhere = trained.on(torch.device("meta"))
    assert {tensor.device.type for tensor in elsewhere.state_dict().values()} == {"meta"}
    assert {tensor.device.type for tensor in trained.tokenizer.state_dict().values()} == {"cpu"}
    study = Study(trained, lgq.study(run, crops=2).encoding, device=torch.device("meta"))
    assert next(study.tokenizer_on_device.parameters()).device.type == "meta"
    assert next(study.tokenizer.parameters()).device.type == "cpu"


def test_everything_that_encodes_does_so_where_it_was_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[torch.device] = []

    def on(self: TrainedTokenizer, device: torch.device) -> object:
        asked.append(device)
        return self.tokenizer

    monkeypatch.setattr(TrainedTokenizer, "on", on)
    for module in ("encoding", "evaluate", "run", "study"):
        monkeypatch.setattr(f"lgq_explore.runs.{module}.device_named", torch.device)
    for module in ("encoding", "evaluate"):
        monkeypatch.setattr(f"lgq_explore.runs.{module}.model_of", lambda device: f"a {device}")
    # Only the name is that of another device: the meta device takes tensors and gives no numbers.
    monkeypatch.setattr(Tensor, "to", lambda self, *arguments, **settings: self)
    assert lgq.encode(run, crops=2, device="meta").device == "a meta"
    assert lgq.encode_training(run, crops=2, device="meta").device == "a meta"
    assert lgq.evaluate(run, crops=2, device="meta", without=("lpips", "fd"))["device"] == "a meta"
    study = lgq.study(run, crops=3, device="meta")
    assert study.encoding.device == study.training_encoding.device == "a meta"
    run.tokenizer("meta")
    assert asked
    assert {device.type for device in asked} == {"meta"}
    assert lgq.study(run, crops=3) is not study
    assert asked[-1].type == "cpu"


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("method", QUANTIZERS)
def test_no_method_mixes_devices(method: str, training: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a CUDA device, shapes and kinds alone: torch refuses operations on tensors of two devices all the same."""
    monkeypatch.setattr(autograd, "_chosen", lambda *_: "tiled")
    monkeypatch.setattr(autograd, "_logits_need_float64", lambda *_: False)
    tokenizer = build_tokenizer(BackboneConfig((8, 8, 8), dim=4), QUANTIZERS[method]().resized(32), 0).train(training)
    with FakeTensorMode(allow_non_fake_inputs=True) as fake:
        for module in tokenizer.modules():
            for name, weight in list(module.named_parameters(recurse=False)):
                setattr(module, name, torch.nn.Parameter(fake.from_tensor(weight).to("cuda")))
            for name, buffer in list(module.named_buffers(recurse=False)):
                setattr(module, name, fake.from_tensor(buffer).to("cuda"))
        output = tokenizer(torch.rand(2, 3, 16, 16, device="cuda"))
        points = tokenizer.quantizer.continuous(output.latents)
        assert output.reconstruction.device.type == points.device.type == "cuda"
        if not output.coded.codes.shape[1]:  # none, or none yet
            return
        assert tokenizer.quantizer.assign(points.movedim(1, -1).flatten(0, -2)).device.type == "cuda"
        pictures = to_uint8(tokenizer.decode(tokenizer.quantizer.lookup(output.coded.codes)))
    assert output.coded.codes.device.type == pictures.device.type == "cuda"


@pytest.mark.gpu
@pytest.mark.parametrize(("rounding", "most"), [(FLOAT32, 0.01), (TF32, 0.3)])
def test_a_gpu_gives_the_codes_of_the_cpu_but_for_ties(run: Run, rounding: float, most: float) -> None:
    here = lgq.study(run, crops=64)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=rounding == TF32):
        there = lgq.study(run, device="cuda", encoding=lgq.encode(run, crops=64, device="cuda"))
        ties = count_ties(here, there, rounding)
        print(f"{ties} of {len(here.codes)} tokens have another code")
        assert ties <= most * len(here.codes)
        for step in here.snapshots:
            assert (here.codes_at(step) != there.codes_at(step)).mean() <= most
        pictures = decode(run, here.encoding.codes, device="cuda")
    assert there.encoding.device == torch.cuda.get_device_name()
    # A value between two whole numbers may be rounded to either.
    assert np.abs(pictures.astype(int) - here.encoding.reconstructions).max() <= (1 if rounding == FLOAT32 else 4)


@pytest.mark.gpu
def test_evaluation_on_a_gpu_is_that_of_the_cpu_but_for_ties(run: Run) -> None:
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        here, there = (evaluate(run, crops=64, device=device, without=("lpips", "fd")) for device in ("cpu", "cuda"))
    assert there["device"] == torch.cuda.get_device_name()
    for name in ("psnr_db", "ssim", "l1", "entropy_bits", "quantization_error"):
        assert there[name] == pytest.approx(here[name], rel=1e-3), name
    assert there["active_codes"] == pytest.approx(here["active_codes"], abs=1)

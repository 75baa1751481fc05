"""Tests of the quantizer contract, for every method in QUANTIZERS that has codes, and for the planted ones."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lgq_explore.errors import InputError
from lgq_explore.quantizers import (
    QUANTIZERS,
    FitsAfterTraining,
    LGQConfig,
    Quantizer,
    QuantizerOutput,
    SoftQuantizer,
    StartsFromData,
    TakesCodebooks,
    TemperatureSchedule,
    joint_codes,
    methods_with_codes,
    split_codes,
    to_grid,
    to_tokens,
)
from lgq_explore.runs.config import TrainConfig, config_from_json, config_to_json
from lgq_explore.training.presets import preset
from tests.planted_methods import PLANTED
from tests.planted_methods.residual import ResidualQuantizer

METHODS = {**{name: QUANTIZERS[name] for name in methods_with_codes()}, **PLANTED}
DIM = 8
LARGE_SIZES = (4096, 16384, 65536)
SEARCH_GREEDILY = (ResidualQuantizer,)
"""Methods whose `assign` need not find the nearest joint code: the best pair may begin with another first code."""


def built(method: str, size: int = 256, dim: int = DIM, seed: int = 0, tokens: Tensor | None = None) -> Quantizer:
    """In training mode, started from tokens where it wants them, and with codes where they are fitted later."""
    torch.manual_seed(seed)
    quantizer = METHODS[method].for_codebook_size(size).build(dim)
    if isinstance(quantizer, StartsFromData):
        tokens = torch.randn(quantizer.init_tokens, dim) if tokens is None else tokens
        quantizer.initialize(tokens)
    if isinstance(quantizer, FitsAfterTraining):  # two codes, and then as many as are wanted: to fit these takes long
        quantizer = METHODS[method].for_codebook_size(2).build(dim)
        quantizer.fit(tokens[:64])
        quantizer = quantizer.with_codebooks([tokens[:size]])
    return quantizer


def random_latents(batch: int = 4, dim: int = DIM, height: int = 5, width: int = 3, seed: int = 1) -> Tensor:
    return torch.randn(batch, dim, height, width, generator=torch.Generator().manual_seed(seed))


def rounded_points(quantizer: Quantizer, latents: Tensor) -> Tensor:
    """[N, P], what the quantizer rounds of latents."""
    return to_tokens(quantizer.continuous(latents)).detach()


def clear_positions(quantizer: Quantizer, latents: Tensor) -> Tensor:
    """[B, G, H, W] bool: where no shift of the points by more than rounding's changes the code."""
    points, generator = rounded_points(quantizer, latents), torch.Generator().manual_seed(0)
    shifts = [1e-4 * torch.randn(points.shape, generator=generator).to(points) for _ in range(16)]
    codes = quantizer.assign(points)
    clear = torch.stack([quantizer.assign(points + sign * shift) == codes for shift in shifts for sign in (1, -1)])
    return to_grid(clear.all(0), latents)


def require_near(quantizer: Quantizer, distances: Tensor, joint: Tensor) -> None:
    """Joint codes [N] are the nearest by distances [N, K], or, of a greedy search, among the nearest tenth of these."""
    chosen = distances.gather(1, joint[:, None])
    if not isinstance(quantizer, SEARCH_GREEDILY):
        assert (chosen <= distances.min(1, keepdim=True).values + 1e-5).all()
    else:
        finite = distances.isfinite()
        assert ((distances < chosen) & finite).sum() < 0.1 * finite.sum()


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(QUANTIZERS, request.param, METHODS[request.param])  # the one line that registers a method
    return request.param


# Shapes, codes and values


@pytest.mark.parametrize("size", [256, 1024])
def test_shapes_dtypes_and_range(method: str, size: int) -> None:
    quantizer, latents = built(method, size), random_latents()
    coded = quantizer(latents)
    assert isinstance(coded, QuantizerOutput)
    assert coded.quantized.shape == latents.shape
    assert coded.quantized.dtype == torch.float32
    assert coded.codes.shape == (4, len(quantizer.levels), 5, 3)
    assert coded.codes.dtype == torch.int64
    assert (coded.codes >= 0).all()
    assert (coded.codes < torch.tensor(quantizer.levels)[:, None, None]).all()
    assert all(
        value.shape == () and value.isfinite() for value in (*coded.losses.values(), *coded.diagnostics.values())
    )
    assert not any(value.requires_grad for value in coded.diagnostics.values())
    assert quantizer.codebook_size == math.prod(quantizer.levels) == METHODS[method].for_codebook_size(size).size
    assert 0.9 * size < quantizer.codebook_size <= 1.1 * size


def test_works_on_a_single_token_and_on_other_widths(method: str) -> None:
    quantizer = built(method, dim=6)
    assert quantizer(random_latents(1, 6, 1, 1)).quantized.shape == (1, 6, 1, 1)


@pytest.mark.parametrize("size", [256, 1024])
def test_in_eval_mode_lookup_of_the_codes_is_what_forward_gives(method: str, size: int) -> None:
    quantizer, latents = built(method, size).eval(), random_latents()
    coded = quantizer(latents)
    assert torch.equal(quantizer.lookup(coded.codes), coded.quantized)
    trained = quantizer.train()(latents)
    assert torch.equal(trained.codes, coded.codes)
    torch.testing.assert_close(trained.quantized, coded.quantized)


@pytest.mark.parametrize("size", [256, 1024])
def test_the_code_is_the_nearest_point_of_the_codebook_to_the_continuous_value(method: str, size: int) -> None:
    quantizer, latents = built(method, size).eval(), random_latents()
    codes, continuous = quantizer(latents).codes, quantizer.continuous(latents)
    points = rounded_points(quantizer, latents)
    distances = quantizer.distances(points)
    assert distances.shape == (len(points), quantizer.codebook_size)
    require_near(quantizer, distances, joint_codes(codes, quantizer.levels).flatten())
    discrete = quantizer.discrete(codes)
    assert discrete.shape == continuous.shape
    chosen_points = quantizer.code_points()[joint_codes(codes, quantizer.levels).flatten()]
    torch.testing.assert_close(to_grid(chosen_points, latents), discrete)


def test_there_is_a_codebook_a_group_and_the_config_knows_the_shapes_of_those_that_are_learned(method: str) -> None:
    quantizer = built(method)
    books, learned = quantizer.codebooks(), quantizer.learned_groups
    assert [len(book) for book in books] == list(quantizer.levels)
    assert not any(book.requires_grad for book in books)
    assert quantizer.codebook_is_fixed == (learned == ())
    shapes = METHODS[method].for_codebook_size(256).learned_shapes(DIM)
    assert shapes == [tuple(books[group].shape) for group in learned]


# Nearness


@pytest.mark.parametrize("size", [256, 1024])
def test_assigning_what_is_rounded_gives_the_codes_of_forward(method: str, size: int) -> None:
    quantizer, latents = built(method, size).eval(), random_latents(40)
    points, codes = rounded_points(quantizer, latents), quantizer(latents).codes
    assigned = quantizer.assign(points)
    assert assigned.dtype == torch.int64
    assert torch.equal(to_grid(assigned, latents), codes)
    assert torch.equal(quantizer.assign_joint(points), joint_codes(codes, quantizer.levels).flatten())


def test_points_far_from_all_codes_are_assigned_to_one(method: str) -> None:
    quantizer, latents = built(method).eval(), random_latents()
    codes = quantizer.assign(100 * rounded_points(quantizer, latents))
    assert ((codes >= 0) & (codes < torch.tensor(quantizer.levels))).all()


def test_allowing_all_codes_changes_nothing(method: str) -> None:
    quantizer, latents = built(method).eval(), random_latents(40)
    points, clear = rounded_points(quantizer, latents), to_tokens(clear_positions(quantizer, latents)).all(1)
    everything = torch.ones(quantizer.codebook_size, dtype=torch.bool)
    assert torch.equal(quantizer.assign(points, everything)[clear], quantizer.assign(points)[clear])


def test_of_allowed_codes_the_nearest_is_taken(method: str) -> None:
    quantizer, latents = built(method).eval(), random_latents()
    points = rounded_points(quantizer, latents)
    allowed = torch.rand(quantizer.codebook_size, generator=torch.Generator().manual_seed(4)) < 0.2
    joint = joint_codes(to_grid(quantizer.assign(points, allowed), latents), quantizer.levels).flatten()
    assert allowed[joint].all()
    assert torch.equal(quantizer.assign(points, allowed.nonzero()[:, 0]), quantizer.assign(points, allowed))
    require_near(quantizer, quantizer.distances(points).masked_fill(~allowed, torch.inf), joint)


def test_a_single_allowed_code_is_taken_by_all(method: str) -> None:
    quantizer, latents = built(method).eval(), random_latents()
    last = quantizer.codebook_size - 1
    codes = quantizer.assign(rounded_points(quantizer, latents), torch.tensor([last]))
    assert (codes == torch.tensor(quantizer.levels) - 1).all()


@pytest.mark.parametrize(
    ("allowed", "told"),
    [
        (torch.zeros(0, dtype=torch.int64), "holds no code"),
        (torch.tensor([-1, 3]), "code -1 is outside"),
        (torch.tensor([3, 10**6]), "code 1000000 is outside"),
        (torch.tensor([0.5]), r"allowed is torch\.float32"),
        (torch.ones(7, dtype=torch.bool), r"mask of shape \[7\]"),
    ],
)
def test_allowed_codes_that_there_are_not_are_refused(method: str, allowed: Tensor, told: str) -> None:
    quantizer = built(method)
    with pytest.raises(InputError, match=told):
        quantizer.assign(rounded_points(quantizer, random_latents()), allowed)


def test_distances_are_in_float32_under_autocast_too(method: str) -> None:
    quantizer = built(method).eval()
    points = rounded_points(quantizer, random_latents())
    with torch.autocast("cpu", torch.bfloat16):
        distances = quantizer.distances(points)
    assert distances.dtype == torch.float32
    assert torch.equal(distances, quantizer.distances(points))


# What the decoder sees


def test_what_the_decoder_sees_of_points_is_affine_and_that_of_codes_their_vectors(method: str) -> None:
    quantizer, latents = built(method).eval(), random_latents()
    coded, points = quantizer(latents), quantizer.continuous(latents)
    codes = quantizer.discrete(coded.codes)
    assert torch.equal(quantizer.decoder_input(codes), coded.quantized)
    between = quantizer.decoder_input(0.3 * points + 0.7 * codes)
    expected = 0.3 * quantizer.decoder_input(points) + 0.7 * coded.quantized
    torch.testing.assert_close(between, expected, rtol=1e-4, atol=1e-5)


def test_different_latents_take_different_codes(method: str) -> None:
    assert joint_codes(built(method)(random_latents()).codes, built(method).levels).unique().numel() > 10


# Gradients and losses


def test_gradients_reach_the_encoder(method: str) -> None:
    quantizer, latents = built(method), random_latents().requires_grad_()
    coded = quantizer(latents)
    direction = torch.randn(latents.shape, generator=torch.Generator().manual_seed(2))
    (gradient,) = torch.autograd.grad((coded.quantized * direction).sum(), latents, retain_graph=True)
    assert gradient.isfinite().all()
    assert (gradient.abs().amax(dim=1) > 0).double().mean() > 0.9
    weights = METHODS[method].default_loss_weights
    if weights:
        (gradient,) = torch.autograd.grad(sum(weights[name] * loss for name, loss in coded.losses.items()), latents)
        assert (gradient.abs().amax(dim=1) > 0).all()


def test_losses_are_those_that_the_config_has_weights_for(method: str) -> None:
    assert built(method)(random_latents()).losses.keys() == METHODS[method].default_loss_weights.keys()


def test_eval_mode_learns_nothing(method: str) -> None:
    quantizer = built(method).eval()
    before = {name: tensor.clone() for name, tensor in quantizer.state_dict().items()}
    quantizer(random_latents())
    assert all(torch.equal(tensor, before[name]) for name, tensor in quantizer.state_dict().items())


# Configs and state


@pytest.mark.parametrize("size", [256, 1024, *LARGE_SIZES])
def test_a_config_goes_through_json_and_back(method: str, size: int) -> None:
    config = preset("tiny", method, size)
    text = json.dumps(config_to_json(config))
    assert config_from_json(json.loads(text)) == config
    assert config.quantizer == METHODS[method].for_codebook_size(size)
    assert type(config.quantizer) is METHODS[method]
    assert config.quantizer.method == method


def test_a_nested_setting_goes_through_json_and_back() -> None:
    schedule = TemperatureSchedule(16.0, 1.1, "exponential", "effective_codes")
    config = TrainConfig(quantizer=LGQConfig(64, schedule, norm="batch", usage_form="unbiased"))
    assert config_from_json(json.loads(json.dumps(config_to_json(config)))) == config


@pytest.mark.parametrize("size", [-1, 0, 1])
def test_codebooks_too_small_are_refused_by_name_and_value(method: str, size: int) -> None:
    with pytest.raises(InputError, match=f"codebook_size is {size}"):
        preset("tiny", method, size)


def test_state_goes_through_a_dict_and_back(method: str) -> None:
    quantizer, copy = built(method), built(method, seed=5)
    quantizer(random_latents())
    copy.load_state_dict(quantizer.state_dict())
    for mode in (True, False):
        original, restored = (module.train(mode)(random_latents(seed=3)) for module in (quantizer, copy))
        assert torch.equal(original.codes, restored.codes)
        assert torch.equal(original.quantized, restored.quantized)
        assert all(torch.equal(original.losses[name], restored.losses[name]) for name in original.losses)


def test_the_same_seed_gives_the_same_and_another_gives_another(method: str) -> None:
    latents = random_latents()
    first, again, other = (built(method, seed=seed)(latents) for seed in (3, 3, 4))
    assert torch.equal(first.quantized, again.quantized)
    assert torch.equal(first.codes, again.codes)
    assert not torch.equal(first.quantized, other.quantized)


# Precision


def test_float64_gives_the_codes_of_float32_where_margins_allow(method: str) -> None:
    quantizer, latents = built(method).eval(), random_latents(40)
    codes = quantizer(latents).codes
    clear = clear_positions(quantizer, latents)
    assert clear.double().mean() > 0.95
    quantizer.double()
    coded = quantizer(latents.double())
    assert torch.equal(coded.codes[clear], codes[clear])
    assert coded.quantized.dtype == torch.float64
    assert torch.equal(quantizer.lookup(coded.codes), coded.quantized)


@pytest.mark.parametrize("training", [True, False])
def test_bfloat16_autocast_gives_the_codes_of_float32(method: str, training: bool) -> None:
    quantizer, latents = built(method).train(training), random_latents(40)
    codes = quantizer.eval()(latents).codes
    with torch.autocast("cpu", torch.bfloat16):
        coded = quantizer.train(training)(latents)
    assert torch.equal(coded.codes, codes)
    assert all(value.isfinite() for value in coded.losses.values())


def test_takes_bfloat16_latents_as_an_encoder_gives_them_under_autocast(method: str) -> None:
    quantizer, latents = built(method), random_latents().bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        coded = quantizer(latents.requires_grad_())
        total = coded.quantized.square().sum() + sum(coded.losses.values())
    total.backward()
    assert latents.grad.isfinite().all()
    assert torch.equal(coded.codes, built(method).eval()(latents.detach().float()).codes)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_gpu_gives_the_codes_of_the_cpu_where_margins_allow(method: str, precision: torch.dtype) -> None:
    quantizer, latents = built(method).eval(), random_latents(40)
    codes, clear = quantizer(latents).codes, clear_positions(quantizer, latents)
    quantizer.cuda()
    with torch.autocast("cuda", torch.bfloat16, enabled=precision == torch.bfloat16):
        coded = quantizer(latents.cuda())
        assert torch.equal(quantizer.lookup(coded.codes), coded.quantized)
    assert torch.equal(coded.codes.cpu()[clear], codes[clear])


@pytest.mark.gpu
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_gpu_gives_the_losses_and_gradients_of_the_cpu(method: str, precision: torch.dtype) -> None:
    """Under bfloat16 autocast too, in which a quantizer computes in float32."""
    latents = random_latents(40)
    clear = clear_positions(built(method).eval(), latents).all(1, keepdim=True)
    upstream = torch.where(clear, random_latents(40, seed=2), 0.0)

    def step(device: str) -> tuple[dict[str, Tensor], Tensor]:
        quantizer, leaf = built(method).to(device), latents.to(device).requires_grad_()
        with torch.autocast(device, torch.bfloat16, enabled=precision == torch.bfloat16):
            coded = quantizer(leaf)
        ((coded.quantized * upstream.to(device)).sum() + sum(coded.losses.values())).backward()
        return {name: loss.detach().cpu() for name, loss in coded.losses.items()}, leaf.grad.cpu()

    (losses, gradient), (expected, reference) = step("cuda"), step("cpu")
    torch.testing.assert_close(losses, expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(gradient * clear, reference * clear, rtol=1e-3, atol=1e-4)


# Size


class LargestTensor(TorchDispatchMode):
    """Records the most elements that any tensor made inside has."""

    elements = 0

    def __torch_dispatch__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        sizes = [
            leaf.untyped_storage().nbytes() // leaf.element_size()
            for leaf in tree_leaves(result)
            if isinstance(leaf, Tensor)
        ]
        self.elements = max(self.elements, *sizes, 0)
        return result


def largest_tensor(quantizer: Quantizer, latents: Tensor) -> int:
    """Elements of the largest tensor made in a training step and an encoding."""
    with LargestTensor() as recorded:
        coded = quantizer.train()(latents.requires_grad_())
        (coded.quantized.square().sum() + sum(coded.losses.values())).backward()
        quantizer.eval()(latents)
    return recorded.elements


def test_the_recorder_sees_a_dense_tensor() -> None:
    tokens, codebook = torch.randn(64, 4, requires_grad=True), torch.randn(32, 4)
    with LargestTensor() as recorded:
        torch.cdist(tokens, codebook).sum().backward()
    assert recorded.elements >= 64 * 32


def test_no_tensor_of_all_tokens_and_codes_is_made(method: str) -> None:
    tokens = torch.randn(4096, DIM)
    quantizer = built(method, 4096, tokens=tokens)
    latents = to_grid(tokens, torch.empty(4, DIM, 32, 32))
    assert largest_tensor(quantizer, latents) <= 4096 * 4096 / 8


def test_no_such_tensor_is_made_in_solving_for_the_temperature_either() -> None:
    schedule = TemperatureSchedule(4.0, 4.0, "constant", "effective_codes")
    quantizer = LGQConfig(4096, schedule).build(DIM)
    assert largest_tensor(quantizer, random_latents(4, DIM, 32, 32)) <= 4096 * 4096 / 8


@pytest.mark.gpu
def test_no_such_tensor_is_made_on_a_gpu(method: str) -> None:
    quantizer = built(method, 4096, tokens=torch.randn(4096, DIM)).cuda()
    latents = random_latents(16, DIM, 64, 64).cuda()  # 65,536 tokens: N×K would be 1 GiB
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    coded = quantizer(latents.requires_grad_())
    (coded.quantized.square().sum() + sum(coded.losses.values())).backward()
    assert torch.cuda.max_memory_allocated() - before < 2**28


@pytest.mark.parametrize("size", LARGE_SIZES)
def test_works_at_large_codebook_sizes(method: str, size: int) -> None:
    config = METHODS[method].for_codebook_size(size)
    torch.manual_seed(0)
    quantizer, latents = config.build(DIM), random_latents(1, DIM, 4, 4).requires_grad_()
    coded = quantizer(latents)
    (coded.quantized.square().sum() + sum(coded.losses.values())).backward()
    assert latents.grad.isfinite().all()
    codes = quantizer.eval()(latents).codes
    assert codes.amax().item() < max(quantizer.levels)
    assert torch.equal(quantizer.lookup(codes), quantizer(latents).quantized)


# Soft quantizers


@pytest.fixture(params=[name for name in METHODS if isinstance(built(name), SoftQuantizer)])
def soft_method(request: pytest.FixtureRequest) -> str:
    return request.param


def test_a_soft_quantizer_hardens_as_its_temperature_falls(soft_method: str) -> None:
    quantizer, latents = built(soft_method).eval(), random_latents()
    hard = quantizer(latents).quantized
    gaps = [(quantizer.soft(latents, temperature) - hard).norm().item() for temperature in (10.0, 1.0, 0.1, 0.001)]
    assert gaps == sorted(gaps, reverse=True)
    assert torch.equal(to_grid(quantizer.soft_assign(latents, 1.0).codes[:, None], latents), quantizer(latents).codes)


def test_the_softness_of_a_quantizer_is_that_of_its_soft_and_hard_vectors(soft_method: str) -> None:
    quantizer, latents = built(soft_method).eval(), random_latents()
    softness = quantizer.softness(latents, 0.5)
    coded = quantizer(latents)
    torch.testing.assert_close(to_grid(softness.soft, latents), quantizer.soft(latents, 0.5).detach())
    assert torch.equal(to_grid(softness.codes[:, None], latents), coded.codes)
    assert torch.equal(to_grid(softness.hard, latents), quantizer.discrete(coded.codes))
    size = quantizer.codebook_size
    assert ((softness.entropy >= 0) & (softness.entropy <= math.log(size) + 1e-5)).all()
    assert ((softness.log_largest <= 0) & (softness.log_largest >= -math.log(size) - 1e-5)).all()
    assert (softness.encoder_gain >= 0).all()


def test_a_temperature_by_hand_holds_until_it_is_given_back(soft_method: str) -> None:
    quantizer = built(soft_method)
    quantizer.anneal(0.0)
    start = quantizer.temperature
    quantizer.temperature = 42.0
    quantizer.anneal(1.0)
    assert quantizer.temperature == 42.0
    quantizer.temperature = None
    assert quantizer.temperature == quantizer.scheduled_temperature
    assert quantizer.temperature < start


# Quantizers that take other codebooks


@pytest.fixture(params=[name for name in METHODS if isinstance(built(name), TakesCodebooks)])
def exchanging_method(request: pytest.FixtureRequest) -> str:
    return request.param


def test_a_quantizer_with_its_own_codebooks_is_the_same(exchanging_method: str) -> None:
    quantizer, latents = built(exchanging_method).eval(), random_latents()
    assert isinstance(quantizer, TakesCodebooks)
    same = quantizer.with_codebooks(quantizer.learned_codebooks())
    assert torch.equal(same(latents).codes, quantizer(latents).codes)
    torch.testing.assert_close(same(latents).quantized, quantizer(latents).quantized)
    if isinstance(quantizer, SoftQuantizer):
        torch.testing.assert_close(same.soft(latents, 0.5), quantizer.soft(latents, 0.5))


@pytest.mark.parametrize("size", [256, 25])
def test_a_quantizer_takes_other_codebooks_and_stays_as_it_was(exchanging_method: str, size: int) -> None:
    quantizer, latents = built(exchanging_method).eval(), random_latents()
    assert isinstance(quantizer, TakesCodebooks)
    before = [book.clone() for book in quantizer.codebooks()]
    others = [book + 1 for book in built(exchanging_method, size, seed=6).learned_codebooks()]
    moved = quantizer.with_codebooks(others)
    for given, held in zip(others, moved.learned_codebooks(), strict=True):
        torch.testing.assert_close(held, given)
    assert moved.levels == tuple(len(book) for book in moved.codebooks())
    assert torch.equal(to_grid(moved.assign(rounded_points(moved, latents)), latents), moved(latents).codes)
    assert moved.train()(latents).codes.amax() < max(moved.levels)
    assert all(torch.equal(book, old) for book, old in zip(quantizer.codebooks(), before, strict=True))


def test_codebooks_of_another_width_or_number_are_refused(exchanging_method: str) -> None:
    quantizer = built(exchanging_method)
    assert isinstance(quantizer, TakesCodebooks)
    books = quantizer.learned_codebooks()
    for wrong in ([], [*books, *books], [book[:, :-1] for book in books]):
        with pytest.raises(InputError, match="give"):
            quantizer.with_codebooks(wrong)


# Joint codes that are too many to list


def test_joint_codes_without_a_list_are_assigned_and_refused_a_list_in_one_line() -> None:
    quantizer, latents = PLANTED["planted-signs"]().build(DIM).eval(), random_latents()
    assert quantizer.codebook_size == 2**36
    points = rounded_points(quantizer, latents)
    codes = quantizer.assign(points)
    assert torch.equal(codes, (points > 0).long())
    assert torch.equal(to_grid(codes, latents), quantizer(latents).codes)
    assert not quantizer.can_be_listed
    sentence = "36 groups of codes make 68,719,476,736 joint codes: at most 4,194,304 are listed"
    for asking in (quantizer.code_points, lambda: quantizer.distances(points)):
        with pytest.raises(InputError) as refused:
            asking()
        assert str(refused.value) == sentence


def test_a_few_of_joint_codes_without_a_list_can_be_allowed() -> None:
    """Among four corners of the cube the nearest is the one that agrees in sign where the coordinates are largest."""
    quantizer = PLANTED["planted-signs"]().build(DIM).eval()
    points = torch.full((2, 36), -1.0)
    points[0, -1], points[1, 0] = 3.0, 3.0
    codes = quantizer.assign(points, torch.tensor([0, 1, 2**35, 2**36 - 1]))
    assert torch.equal(joint_codes(codes[:, :, None, None], quantizer.levels).flatten(), torch.tensor([1, 2**35]))


def test_joint_codes_beyond_63_bits_are_assigned_and_have_no_number() -> None:
    quantizer = PLANTED["planted-residual"](codes=1024, stages=8).build(DIM).eval()
    latents = random_latents()
    codes = quantizer(latents).codes
    assert quantizer.codebook_size == 2**80
    assert torch.equal(to_grid(quantizer.assign(rounded_points(quantizer, latents)), latents), codes)
    assert torch.equal(quantizer.lookup(codes), quantizer(latents).quantized)
    points = rounded_points(quantizer, latents)
    for asking in (
        lambda: joint_codes(codes, quantizer.levels),
        lambda: quantizer.assign(latents, torch.tensor([0])),
        lambda: quantizer.assign_joint(points),
    ):
        with pytest.raises(InputError, match="8 groups of codes make 1,208,925,819,614,629,174,706,176 joint codes: "):
            asking()


# Codes as numbers


@pytest.mark.parametrize("levels", [(5,), (8, 5, 5, 5), (2**31, 2**31), (2**62,)])
def test_joint_codes_are_a_numbering_and_split_codes_its_inverse(levels: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    codes = torch.stack([torch.randint(level, (3, 4, 2), generator=generator) for level in levels], dim=1)
    codes[0, :, 0, 0], codes[0, :, 0, 1] = 0, torch.tensor(levels) - 1
    joint = joint_codes(codes, levels)
    assert joint.shape == (3, 4, 2)
    assert joint.dtype == torch.int64
    assert joint[0, 0].tolist() == [0, math.prod(levels) - 1]
    assert torch.equal(split_codes(joint, levels), codes)


def test_the_first_group_is_the_slowest_digit() -> None:
    codes = torch.tensor([[1, 2, 3]])[:, :, None, None]
    assert joint_codes(codes, (4, 5, 6)).item() == (1 * 5 + 2) * 6 + 3


@pytest.mark.parametrize("levels", [(2,) * 63, (2**32, 2**31)])
def test_levels_whose_joint_codes_need_more_than_63_bits_have_no_numbers(levels: tuple[int, ...]) -> None:
    assert Quantizer(4, levels).codebook_size == 2**63
    with pytest.raises(InputError, match="only below 2\\^63"):
        joint_codes(torch.zeros(1, len(levels), 1, 1, dtype=torch.int64), levels)


def test_tokens_and_grids_are_inverse() -> None:
    latents = random_latents()
    tokens = to_tokens(latents)
    assert torch.equal(tokens[1 * 15 + 2 * 3 + 1], latents[1, :, 2, 1])  # in the order of (b h w)
    assert torch.equal(to_grid(tokens, latents), latents)


def test_an_ablation_is_a_replace_and_checks_its_value() -> None:
    assert replace(LGQConfig(), codebook_size=64).build(4).codebook_size == 64
    with pytest.raises(ValueError, match="norm is 'instance'"):
        replace(LGQConfig(), norm="instance")

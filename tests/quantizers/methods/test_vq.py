"""Tests of VQ against vector-quantize-pytorch, and of restarts of dead codes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from vector_quantize_pytorch import VectorQuantize

from lgq_explore.quantizers import VQConfig, VQGradientConfig
from lgq_explore.quantizers.methods.vq import SMOOTHING, VQ, MovingAverageVQ

SIZE, DIM = 24, 5


def random_latents(seed: int = 0) -> Tensor:
    return torch.randn(4, DIM, 4, 3, generator=torch.Generator().manual_seed(seed))


def as_tokens(latents: Tensor) -> Tensor:
    return latents.movedim(1, -1).flatten(0, -2)


def moving_average_vq(codebook: Tensor, **settings: float) -> MovingAverageVQ:
    """In training mode, its averages as after a start from `codebook`."""
    quantizer = VQConfig(len(codebook), **settings).build(codebook.shape[1])
    assert isinstance(quantizer, MovingAverageVQ)
    quantizer.codebook.copy_(codebook)
    quantizer.sums.copy_(codebook)
    return quantizer


def library_vq(**settings: object) -> VectorQuantize:
    torch.manual_seed(0)
    return VectorQuantize(DIM, SIZE, accept_image_fmap=True, rotation_trick=False, eps=SMOOTHING, **settings)


@pytest.mark.parametrize("decay", [0.99, 0.5])
def test_moving_averages_are_the_librarys(decay: float) -> None:
    reference = library_vq(decay=decay, commitment_weight=0.25, threshold_ema_dead_code=0)
    ours = moving_average_vq(reference.codebook, decay=decay, restart_below=0.0)
    for step in range(6):
        latents = [random_latents(step).requires_grad_() for _ in range(2)]
        coded, (quantized, codes, loss) = ours(latents[0]), reference(latents[1])
        our_loss = 0.25 * coded.losses["commitment"]
        assert torch.equal(coded.codes[:, 0], codes)
        torch.testing.assert_close(coded.quantized, quantized)
        torch.testing.assert_close(our_loss, loss)
        direction = torch.randn(quantized.shape)
        ((coded.quantized * direction).sum() + our_loss).backward()
        ((quantized * direction).sum() + loss).backward()
        torch.testing.assert_close(latents[0].grad, latents[1].grad)
        torch.testing.assert_close(ours.codebook, reference.codebook)
        torch.testing.assert_close(ours.counts, reference._codebook.cluster_size[0])


def test_the_codebook_by_gradient_is_the_librarys() -> None:
    """The library has one commitment weight for both sides: ours agree with both at 1."""
    reference = library_vq(ema_update=False, learnable_codebook=True, commitment_weight=1.0, threshold_ema_dead_code=0)
    ours = VQGradientConfig(SIZE).build(DIM)
    with torch.no_grad():
        ours.codebook.copy_(reference.codebook)
    optimizers = [torch.optim.SGD(module.parameters(), lr=1.0) for module in (ours, reference)]
    start = reference.codebook.clone()
    for step in range(4):
        latents = [random_latents(step).requires_grad_() for _ in range(2)]
        coded, (quantized, codes, loss) = ours(latents[0]), reference(latents[1])
        assert torch.equal(coded.codes[:, 0], codes)
        torch.testing.assert_close(coded.quantized, quantized)
        for name in ("codebook", "commitment"):
            torch.testing.assert_close(coded.losses[name], loss)
        direction = torch.randn(quantized.shape)
        ((coded.quantized * direction).sum() + coded.losses["codebook"] + coded.losses["commitment"]).backward()
        ((quantized * direction).sum() + loss).backward()
        torch.testing.assert_close(latents[0].grad, latents[1].grad)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        torch.testing.assert_close(ours.codebook, reference.codebook)
    assert (ours.codebook - start).norm() > 0.1


def test_one_step_of_the_averages_by_hand() -> None:
    quantizer = moving_average_vq(torch.tensor([[0.0, 0], [10, 0]]), decay=0.8, restart_below=0.0)
    # Two tokens choose code 0, one chooses code 1: [N=3, D=2].
    tokens = torch.tensor([[1.0, 1], [3, 1], [8, 0]])
    coded = quantizer(tokens[:, :, None, None])
    assert coded.codes.flatten().tolist() == [0, 0, 1]
    torch.testing.assert_close(as_tokens(coded.quantized), torch.tensor([[0.0, 0], [0, 0], [10, 0]]))
    assert coded.losses["commitment"].item() == pytest.approx((1 + 1 + 9 + 1 + 4) / 6)
    counts = [0.8 * 1 + 0.2 * 2, 0.8 * 1 + 0.2 * 1]
    assert quantizer.counts.tolist() == pytest.approx(counts)
    sums = [[0.2 * 4, 0.2 * 2], [0.8 * 10 + 0.2 * 8, 0.0]]
    total = sum(counts)
    for code in range(2):
        smoothed = (counts[code] + SMOOTHING) / (total + 2 * SMOOTHING) * total
        expected = [component / smoothed for component in sums[code]]
        assert quantizer.codebook[code].tolist() == pytest.approx(expected, rel=1e-6)


def test_the_averages_stand_still_in_eval_mode() -> None:
    quantizer = moving_average_vq(torch.randn(SIZE, DIM)).eval()
    before = {name: tensor.clone() for name, tensor in quantizer.state_dict().items()}
    quantizer(random_latents())
    assert all(torch.equal(tensor, before[name]) for name, tensor in quantizer.state_dict().items())


def test_a_dead_code_restarts_at_a_token_and_a_living_one_does_not() -> None:
    codebook = torch.cat([torch.zeros(1, DIM), torch.full((1, DIM), 1000.0)])
    quantizer = moving_average_vq(codebook, decay=0.5, restart_below=0.1)
    latents = random_latents()
    steps = 0
    while quantizer.codebook[1].max() > 900:
        quantizer(latents)
        steps += 1
    # Of 48 tokens per step none chose code 1: 0.5^s < 0.1 · (0.5^s + 48 (1 − 0.5^s) + 0.5^s) / 2 first holds at s = 1.
    assert steps == 1
    assert (as_tokens(latents) == quantizer.codebook[1]).all(1).any()
    assert quantizer.codebook[0].norm() < 1
    mean_count = (0.5 + 0.5 + 24) / 2
    assert quantizer.counts[1].item() == pytest.approx(mean_count)
    torch.testing.assert_close(quantizer.sums[1], quantizer.codebook[1] * mean_count)


def test_no_code_restarts_where_restarts_are_off() -> None:
    codebook = torch.cat([torch.zeros(1, DIM), torch.full((1, DIM), 1000.0)])
    quantizer = moving_average_vq(codebook, decay=0.5, restart_below=0.0)
    for step in range(10):
        quantizer(random_latents(step))
    assert quantizer.codebook[1].min() > 900


def test_restarts_bring_a_collapsed_codebook_back_into_use() -> None:
    torch.manual_seed(0)
    collapsed = 100 + torch.randn(SIZE, DIM)
    used = {}
    for share in (0.0, 0.2):
        quantizer = moving_average_vq(collapsed, decay=0.9, restart_below=share)
        for step in range(60):
            codes = quantizer(random_latents(step)).codes
        used[share] = codes.unique().numel()
    assert used[0.0] <= 3
    assert used[0.2] >= SIZE // 2


def test_a_reloaded_state_restarts_the_same_codes_at_the_same_tokens() -> None:
    torch.manual_seed(0)
    quantizer = moving_average_vq(100 + torch.randn(SIZE, DIM), decay=0.5, restart_below=0.2)
    quantizer(random_latents(0))
    copy = moving_average_vq(torch.zeros(SIZE, DIM), decay=0.5, restart_below=0.2)
    copy.load_state_dict(quantizer.state_dict())
    restarted = False
    for step in range(1, 5):
        before = quantizer.codebook.clone()
        torch.manual_seed(step)  # the global generator must not matter
        quantizer(random_latents(step))
        torch.manual_seed(-step)
        copy(random_latents(step))
        restarted |= bool(((quantizer.codebook - before).norm(dim=1) > 5).any())
        assert torch.equal(quantizer.codebook, copy.codebook)
    assert restarted


@pytest.mark.parametrize("config", [VQConfig(SIZE), VQGradientConfig(SIZE)])
def test_starts_from_tokens(config: VQGradientConfig) -> None:
    torch.manual_seed(0)
    quantizer = config.build(DIM)
    assert isinstance(quantizer, VQ)
    tokens = as_tokens(random_latents()) + 50
    assert len(tokens) >= quantizer.init_tokens
    quantizer.initialize(tokens)
    assert torch.cdist(quantizer.codebook, tokens).min(1).values.max() < 5
    if isinstance(quantizer, MovingAverageVQ):
        assert torch.equal(quantizer.sums, quantizer.codebook)
        assert quantizer.counts.tolist() == [1.0] * SIZE


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"decay": 1.0}, "decay is 1.0"),
        ({"decay": -0.1}, "decay is -0.1"),
        ({"restart_below": 1.0}, "restart_below is 1.0"),
        ({"initialization": "uniform"}, "initialization is 'uniform'"),
        ({"codebook_size": 1}, "codebook_size is 1"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        VQConfig(**settings)

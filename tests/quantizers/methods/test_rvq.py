"""Tests of residual VQ against vector-quantize-pytorch, the formula of RQ-VAE, and the quantizer dropout."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from vector_quantize_pytorch import ResidualVQ

from lgq_explore.errors import InputError
from lgq_explore.quantizers import RVQConfig, VQConfig, joint_codes, to_grid, to_tokens
from lgq_explore.quantizers.methods.rvq import RVQ
from lgq_explore.quantizers.methods.vq import SMOOTHING
from lgq_explore.quantizers.residual_stack import nearest_power

SIZE, STAGES, DIM = 4096, 3, 5


def latents_of(seed: int = 0) -> Tensor:
    return torch.randn(4, DIM, 4, 3, generator=torch.Generator().manual_seed(seed))


def built(size: int = SIZE, stages: int = STAGES, **settings: object) -> RVQ:
    """In training mode, started from tokens."""
    generator = torch.Generator().manual_seed(0)
    quantizer = RVQConfig(size, stages, **settings).build(DIM, generator)
    quantizer.initialize(torch.randn(200, DIM, generator=generator), generator)
    return quantizer


def library_rvq(codes: int, **settings: object) -> ResidualVQ:
    torch.manual_seed(0)
    return ResidualVQ(
        dim=DIM,
        num_quantizers=STAGES,
        codebook_size=codes,
        rotation_trick=False,
        eps=SMOOTHING,
        threshold_ema_dead_code=0,
        **settings,
    )


@pytest.mark.parametrize("decay", [0.99, 0.5])
def test_codes_vectors_commitments_and_moving_averages_are_the_librarys(decay: float) -> None:
    ours, theirs = built(decay=decay, restart_below=0.0), library_rvq(16, decay=decay, commitment_weight=1.0)
    for stage, layer in zip(ours.stages, theirs.layers, strict=True):
        layer.codebook = stage.codebook.clone()
        layer._codebook.embed_avg.copy_(stage.sums)
        layer._codebook.cluster_size.copy_(stage.counts)
    for step in range(6):
        coded, (quantized, codes, losses) = ours(latents_of(step)), theirs(to_tokens(latents_of(step))[None])
        assert torch.equal(to_tokens(coded.codes), codes[0])
        torch.testing.assert_close(to_tokens(coded.quantized), quantized[0])
        torch.testing.assert_close(coded.losses["commitment"], losses.mean())
        for stage, layer in zip(ours.stages, theirs.layers, strict=True):
            torch.testing.assert_close(stage.codebook, layer.codebook)


def test_the_decoders_gradient_reaches_the_latents_once_and_the_librarys_with_each_stage() -> None:
    def quantized_by_the_library(latents: Tensor) -> Tensor:
        return to_grid(library_rvq(16)(to_tokens(latents)[None])[0][0], latents)

    for times, quantized_by in ((1, lambda latents: built()(latents).quantized), (STAGES, quantized_by_the_library)):
        leaf, upstream = latents_of().requires_grad_(), latents_of(1)
        (gradient,) = torch.autograd.grad((quantized_by(leaf) * upstream).sum(), leaf)
        torch.testing.assert_close(gradient, times * upstream)


def test_the_commitment_is_the_mean_distance_to_the_partial_sums() -> None:
    """The form of RQ-VAE, in which every stage's partial sum is compared with the latents themselves."""
    quantizer, leaf = built(), latents_of().requires_grad_()
    books = [book.clone() for book in quantizer.codebooks()]
    coded = quantizer(leaf)
    tokens, codes = to_tokens(leaf), to_tokens(coded.codes)
    partial_sums = torch.stack([book[codes[:, stage]] for stage, book in enumerate(books)]).cumsum(0)
    expected = (tokens - partial_sums).square().mean()
    torch.testing.assert_close(coded.losses["commitment"], expected)
    gradient, of_formula = (
        torch.autograd.grad(loss, leaf, retain_graph=True)[0] for loss in (coded.losses["commitment"], expected)
    )
    torch.testing.assert_close(gradient, of_formula)


def test_each_stage_leaves_less_and_follows_what_the_one_before_left() -> None:
    quantizer, rest = built(), to_tokens(latents_of())
    left = [rest.square().sum().item()]
    for book, codes in zip(quantizer.codebooks(), quantizer.assign(rest).T, strict=True):
        rest = rest - book[codes]
        left.append(rest.square().sum().item())
    assert all(after < 0.7 * before for before, after in pairwise(left))


def test_a_single_stage_is_vq() -> None:
    quantizer = built(16, stages=1)
    generator = torch.Generator().manual_seed(0)
    alone = VQConfig(16).build(DIM, generator)
    alone.initialize(torch.randn(200, DIM, generator=generator), generator)
    for step in range(3):
        coded, expected = quantizer(latents_of(step)), alone(latents_of(step))
        assert torch.equal(coded.codes, expected.codes)
        torch.testing.assert_close(coded.losses, expected.losses)


def test_what_is_allowed_is_searched_as_in_a_tree() -> None:
    """Of 4.6 the first stage takes 4, after which −1.4 is all that is allowed; (6, −1.4) = 4.6 is not found."""
    quantizer = built(16, stages=2).with_codebooks([_padded([0.0, 4.0, 6.0]), _padded([-1.4, 0.5])])
    point = _padded([4.6])
    assert quantizer.assign(point).tolist() == [[1, 1]]
    assert quantizer.distances(point).argmin().item() == 4
    assert quantizer.assign(point, torch.tensor([4, 5])).tolist() == [[2, 0]]
    assert quantizer.assign(point, torch.tensor([0, 2, 5])).tolist() == [[1, 0]]


def _padded(values: list[float]) -> Tensor:
    """Vectors [N, DIM] that differ in their first coordinate alone."""
    return torch.nn.functional.pad(torch.tensor(values)[:, None], (0, DIM - 1))


def test_few_codes_of_each_stage_make_many_joint_codes() -> None:
    quantizer = built(restart_below=0.0)
    codes = quantizer(latents_of()).codes
    of_stages = [codes[:, stage].unique().numel() for stage in range(STAGES)]
    assert max(of_stages) <= 16
    assert joint_codes(codes, quantizer.levels).unique().numel() > 16


# Quantizer dropout


def test_with_dropout_the_numbers_of_stages_are_as_often_used() -> None:
    quantizer = built(dropout=0.6)
    used = Counter(quantizer._used_stages() for _ in range(1000))
    assert [used[stages] for stages in (1, 2, 3)] == pytest.approx([200, 200, 600], abs=5)
    assert {built(dropout=0.0)._used_stages() for _ in range(50)} == {STAGES}


def test_a_stage_left_out_adds_nothing_and_does_not_learn_but_has_its_codes() -> None:
    quantizer, whole = built(dropout=1.0, restart_below=0.0), built(restart_below=0.0).eval()
    quantizer.steps.finished = next(step for step in range(10) if used_after(step) == 2)
    books = [book.clone() for book in quantizer.codebooks()]
    coded = quantizer(latents_of())
    assert torch.equal(coded.codes, whole(latents_of()).codes)
    codes = to_tokens(coded.codes)
    torch.testing.assert_close(to_tokens(coded.quantized), books[0][codes[:, 0]] + books[1][codes[:, 1]])
    assert [not torch.equal(book, old) for book, old in zip(quantizer.codebooks(), books, strict=True)] == [1, 1, 0]


def used_after(steps: int) -> int:
    """How many stages the step after `steps` uses, if dropout always takes part."""
    quantizer = RVQConfig(SIZE, STAGES, dropout=1.0).build(DIM)
    quantizer.steps.finished = steps
    return quantizer._used_stages()


def test_a_reloaded_state_leaves_out_the_same_stages() -> None:
    quantizer = built(dropout=1.0)
    for step in range(5):
        quantizer(latents_of(step))
    copy = built(dropout=1.0)
    copy.load_state_dict(quantizer.state_dict())
    assert [quantizer._used_stages() for _ in range(20)] == [copy._used_stages() for _ in range(20)]


# Settings


@pytest.mark.parametrize(("stages", "asked", "size"), [(2, 1024, 1024), (2, 1000, 1024), (2, 8, 9), (3, 1024, 1000)])
def test_sizes_are_powers_of_the_stages(stages: int, asked: int, size: int) -> None:
    config = RVQConfig(2**stages, stages).resized(asked)
    assert config.size == size == config.of_a_stage.codebook_size**stages


@pytest.mark.parametrize(("number", "exponent", "base"), [(2**80, 8, 1024), (4, 2, 2), (6, 2, 2), (7, 2, 3), (5, 1, 5)])
def test_the_nearest_power_is_nearest_in_ratio(number: int, exponent: int, base: int) -> None:
    assert nearest_power(number, exponent) == base


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"codebook_size": 1000}, "codebook_size is 1000: 2 stages of equal size make 1024 codes"),
        ({"codebook_size": 3}, "codebook_size is 3: 2 stages have at least 4 joint codes"),
        ({"stages": 0}, "stages is 0: give 1 to 64"),
        ({"dropout": 1.5}, r"dropout is 1\.5: give a share in \[0, 1\]"),
        ({"decay": 1.0}, r"decay is 1\.0"),
        ({"restart_below": 1.0}, r"restart_below is 1\.0"),
        ({"initialization": "uniform"}, "initialization is 'uniform'"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        RVQConfig(**settings)


def test_codebooks_that_do_not_fit_are_refused_with_what_does() -> None:
    with pytest.raises(InputError, match=r"shapes \[\[4, 5\]\]: give 3 \[K, 5\]"):
        built().with_codebooks([torch.zeros(4, DIM)])

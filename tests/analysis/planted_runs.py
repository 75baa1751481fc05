"""Which small trainings go wrong in a known way, and which go well?"""

from __future__ import annotations

from dataclasses import replace

from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import FSQConfig, LGQConfig, SimVQConfig, TemperatureSchedule
from lgq_explore.runs.config import TrainConfig

HEALTHY = TrainConfig(
    data="fake",
    batch_size=8,
    steps=40,
    log_steps=2,
    window_steps=8,
    snapshot_steps=20,
    warmup_steps=4,
    backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
    quantizer=LGQConfig(
        codebook_size=64,
        temperature=TemperatureSchedule(start=16, end=1.1, shape="exponential", unit="effective_codes"),
    ),
)
"""No rule has anything to say about it; it has no GAN."""

LGQ = LGQConfig(codebook_size=64)

GAN = {"start_step": 30, "layers": 2, "width": 8, "learning_rate": 1e-4}
HEALTHY_GAN = replace(HEALTHY, steps=60, loss_weights={**HEALTHY.loss_weights, "gan": 0.1}, objectives={"gan": GAN})
"""No rule has anything to say about it, those of the discriminator included."""

PLANTED: dict[str, TrainConfig] = {
    # Steps this long throw centres and latents so far that all tokens end at one code, however sums are rounded.
    "collapse coming": replace(HEALTHY, learning_rate=2.0, quantizer=LGQ),
    # A commitment of 10 pulls the latents together before the map of the codes can follow.
    "centres leaving the latents": replace(
        HEALTHY,
        quantizer=SimVQConfig(codebook_size=64),
        loss_weights={"l1": 1.0, "codebook": 1.0, "commitment": 10.0},
    ),
    # 64 tokens of the first batch, each over and over.
    "codes that are twins of others": replace(
        HEALTHY,
        batch_size=1,
        quantizer=replace(HEALTHY.quantizer, codebook_size=512, initialization="official"),
        learning_rate=1e-4,
        steps=4,
    ),
    # Squared distances grow with D, and τ = 1 → 0.1 was chosen for other ones.
    "encoder no longer hears the decoder": replace(
        HEALTHY, backbone=BackboneConfig(channels=(8, 8, 8), dim=128), quantizer=LGQConfig(codebook_size=256)
    ),
    "temperature means nothing at this dimension": replace(
        HEALTHY, backbone=BackboneConfig(channels=(8, 8, 8), dim=64), quantizer=LGQ
    ),
    # 512 tokens per step for 8,192 codes.
    "too few tokens for K": replace(HEALTHY, quantizer=LGQConfig(codebook_size=8192), steps=2),
    "soft–hard gap left at the end": replace(
        HEALTHY, quantizer=replace(LGQ, temperature=TemperatureSchedule(start=3.0, end=3.0, shape="constant"))
    ),
    # Steps this long lose more than they learn, in the backbone as well.
    "reconstruction getting worse": replace(
        HEALTHY, quantizer=FSQConfig(levels=(4, 4, 4)), loss_weights={}, learning_rate=5.0
    ),
    # A discriminator that takes steps a hundred times as long, against a tokenizer that hardly minds it.
    "discriminator has won": replace(
        HEALTHY_GAN,
        steps=80,
        loss_weights={**HEALTHY_GAN.loss_weights, "gan": 0.001},
        objectives={"gan": {**GAN, "learning_rate": 1e-2, "adaptive": False}},
    ),
    # On photographs, whose batches differ less than those of `fake`, the loss still falls at step 24.
    "GAN started too early": replace(
        HEALTHY_GAN, data="photos", batch_size=16, log_steps=1, objectives={"gan": {**GAN, "start_step": 24}}
    ),
    # The gradient of the reconstruction is a million times as long.
    "adaptive weight at its clamp": replace(HEALTHY_GAN, loss_weights={**HEALTHY_GAN.loss_weights, "l1": 1e6}),
}
"""For each rule, by its name, a training that it speaks of. `training unfinished` needs one that is stopped."""

BLURRED = replace(
    HEALTHY, quantizer=replace(LGQ, temperature=TemperatureSchedule(start=100.0, end=100.0, shape="constant"))
)
"""Choices within one bit of uniform from the first step to the last."""

GRID = replace(HEALTHY, quantizer=FSQConfig(levels=(4, 4, 4)), loss_weights={})

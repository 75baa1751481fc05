"""Advice on a recipe, in words and as options of `lgq-explore train`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lgq_explore.quantizers import TemperatureSchedule
from lgq_explore.runs.config import TrainConfig
from lgq_explore.training.objectives.gan import GANSettings

HIGH_RATE = 2e-3
"""Learning rate of AdamW above which it is the first suspect: published runs use 1e-4 to 8e-4, presets at most this."""

STRONG_USAGE = 0.1
"""Weight of the usage loss that brings lost centres back: twenty times the published one.

150 steps on photographs with K = 1,024 and D = 8, one seed: 1 % of the centres outside the latents instead of 29 %,
perplexity 805 instead of 169, L1 0.148 instead of 0.138. A quarter of the learning rate left 26 % outside.
"""

RESTART_BELOW = 0.05
"""Default of `restart_below` in methods that restart dead codes."""

GAN_RATE = 1e-4
"""Default learning rate of a discriminator, above which it is the first suspect; published recipes use up to 3e-4."""
FEW_PICTURES = 0.001
"""LeCam's weight where there are few pictures (Tseng et al. 2021)."""

EFFECTIVE_START, EFFECTIVE_END = 16, 1.1
"""Both ends of a schedule in effective codes per token, a unit that means the same at any D and K."""


@dataclass(frozen=True)
class Change:
    """Advice as a sentence, and as assignments `key.path=value` for `lgq-explore train --set`."""

    words: str
    assignments: tuple[str, ...] = ()

    @property
    def options(self) -> str:
        """The assignments as they are typed; empty where there are none."""
        return " ".join(f"--set {assignment}" for assignment in self.assignments)


def slower(config: TrainConfig) -> Change:
    """A quarter of the learning rate, at most HIGH_RATE."""
    return Change("Lower the learning rate.", (f"learning_rate={min(config.learning_rate / 4, HIGH_RATE):.2g}",))


def bring_codes_back(config: TrainConfig) -> Change:
    """The first measure against lost codes that the recipe does not take yet."""
    published, weights, quantizer = config.quantizer.default_loss_weights, config.loss_weights, config.quantizer
    if config.learning_rate > HIGH_RATE:
        return slower(config)
    if weights.get("commitment", 0) > published.get("commitment", 0):
        words = (
            "Weaken the commitment to what is published: it pulls the latents together faster than codes can follow."
        )
        return Change(words, (f"loss_weights.commitment={published['commitment']:g}",))
    if getattr(quantizer, "restart_below", RESTART_BELOW) == 0:
        return Change("Let codes that nobody chooses start anew.", (f"quantizer.restart_below={RESTART_BELOW:g}",))
    if "usage" in published and weights.get("usage", 0) < STRONG_USAGE:
        words = "Reward an even usage more strongly, in the form that does not depend on the number of tokens."
        return Change(words, (f"loss_weights.usage={STRONG_USAGE:g}", "quantizer.usage_form=unbiased"))
    if getattr(quantizer, "initialization", "kmeans++") == "random":
        words = "Spread the first codes over the tokens, and lower the learning rate."
        return Change(words, ("quantizer.initialization=kmeans++", *slower(config).assignments))
    return slower(config)


def part_twins(config: TrainConfig) -> Change:
    """Another start where codes may begin as twins, and otherwise what brings codes back."""
    if getattr(config.quantizer, "initialization", "kmeans++") in ("official", "random"):
        return Change("Spread the first codes over the tokens.", ("quantizer.initialization=kmeans++",))
    return bring_codes_back(config)


def soften(config: TrainConfig) -> Change:
    """A schedule in effective codes per token, or narrower latents where the recipe has one already."""
    schedule = getattr(config.quantizer, "temperature", None)
    if not isinstance(schedule, TemperatureSchedule) or schedule.unit == "effective_codes":
        return Change("Make the latents narrower.", (f"backbone.dim={max(1, min(8, config.backbone.dim // 2))}",))
    start = min(EFFECTIVE_START, config.quantizer.size / 4)
    words = f"Schedule the number of codes that share a token, from {start:g} to {EFFECTIVE_END:g}, instead of τ."
    settings = {"unit": "effective_codes", "start": f"{start:g}", "end": f"{EFFECTIVE_END:g}", "shape": "exponential"}
    return Change(words, _schedule(settings))


def end_colder(config: TrainConfig, cold_enough: float | None, gap: str) -> Change:
    """A schedule that ends at the temperature `cold_enough`, at which today's codebook has a gap of at most `gap`."""
    schedule = getattr(config.quantizer, "temperature", None)
    if not isinstance(schedule, TemperatureSchedule) or cold_enough is None:
        return soften(config)
    shape = {"shape": "exponential"} if schedule.shape == "constant" else {}
    if schedule.unit == "effective_codes":
        end = 1 + (min(schedule.end, EFFECTIVE_START) - 1) / 10
        return Change("End with fewer codes that share a token.", _schedule({"end": f"{end:.3g}", **shape}))
    if schedule.unit == "likelihood":
        return Change("End colder than is likeliest.", _schedule({"end": f"{schedule.end / 10:.3g}", **shape}))
    end = cold_enough / (config.backbone.dim if schedule.unit == "per_dimension" else 1)
    words = f"End the schedule colder: with today's codebook the gap is under {gap} from τ = {cold_enough:.2g} down."
    return Change(words, _schedule({"end": f"{_rounded_down(end):g}", **shape}))


def hold_back(gan: GANSettings) -> Change:
    """The first measure against a discriminator that is too sure which the recipe does not take yet."""
    if gan.learning_rate > GAN_RATE:
        rate = min(gan.learning_rate / 4, GAN_RATE)
        return Change("Let the discriminator learn more slowly.", (f"objectives.gan.learning_rate={rate:.2g}",))
    if gan.r1_weight == 0:
        return Change("Penalise the discriminator for its slope at real crops.", ("objectives.gan.r1_weight=10",))
    words = "Penalise logits that part from those of the other kind, as one does with few pictures."
    return Change(words, (f"objectives.gan.lecam_weight={max(10 * gan.lecam_weight, FEW_PICTURES):.2g}",))


def start_later(config: TrainConfig, gan: GANSettings) -> Change:
    """A start after twice as many steps, and at least after a quarter of them; a longer training if it has no more."""
    later = max(2 * gan.start_step, config.steps // 4, 2 * config.warmup_steps + 1)
    longer = () if later < config.steps else (f"steps={2 * later}",)
    words = "Start the GAN when the reconstruction has settled" + (", and train longer." if longer else ".")
    return Change(words, (f"objectives.gan.start_step={later}", *longer))


def lighter_reconstruction(config: TrainConfig) -> Change:
    """Weights of all terms but the GAN's divided so that the largest is 1; a fixed weight of the GAN if none is larger.

    AdamW's steps do not depend on the scale of a loss. λ does, and so it comes off its clamp, while its product with
    the adversarial gradient stays in proportion.
    """
    weights = {name: weight for name, weight in config.loss_weights.items() if name != "gan"}
    heaviest = max(weights.values(), default=0.0)
    if heaviest <= 1:
        return Change("Weigh the GAN by hand.", ("objectives.gan.adaptive=false",))
    words = f"Divide the weights of the other terms by {heaviest:g}."
    return Change(words, tuple(f"loss_weights.{name}={weight / heaviest:.3g}" for name, weight in weights.items()))


def _schedule(settings: dict[str, str]) -> tuple[str, ...]:
    return tuple(f"quantizer.temperature.{name}={value}" for name, value in settings.items())


def _rounded_down(number: float) -> float:
    """To two significant digits."""
    unit = 10.0 ** (math.floor(math.log10(number)) - 1)
    return math.floor(number / unit) * unit

"""The recipe: all that training does to a network, apart from the network and the images.

Defaults are the first paper's (Fast and Accurate Model Scaling, section 6.1), completed from its
authors' public code where the paper is silent: Nesterov momentum, a learning rate that changes
once per epoch and starts at a tenth, and the moving average of weights. That code also jitters
colours slightly (PCA), which the paper does not mention; it is left out here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from repro.errors import InputError, did_you_mean
from repro.records import Part, checked

IMAGENET_IMAGES = 1_281_167
Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]


class Recipe(Part):
    """How a network is trained. ``Recipe()`` is the first paper's recipe.

    Attributes:
        epochs: the paper has 100, 200 and 400 (its 1x, 2x, 4x) and 200 as the default.
        batch: images behind one update, over all devices and accumulation steps.
        optimizer: ``"rmsprop"`` is TensorFlow's (epsilon inside the root).
        lr: for a batch of ``lr_batch``; in proportion for others (the linear rule).
        rms_decay, rms_epsilon: of ``"rmsprop"`` alone. nesterov: of ``"sgd"`` alone.
        weight_decay: coefficient of half the squared norm, on everything but batch norm; None:
            the first paper's, 1e-5 for networks of MBConv blocks and 2e-5 for the others.
        schedule: ``"exponential"`` and ``"cosine"`` fall to ``final_lr`` times the start,
            ``"staircase"`` by ``decay`` every ``decay_epochs``.
        lr_changes: once per epoch or at each step.
        warmup_epochs: linear, from ``warmup_start`` times the rate; a quarter of the run at most.
        mixup: alpha of the beta distribution, one weight per batch; 0 for none.
        augment: ``"autoaugment"`` is EfficientNet's policy v0, as in the first paper's code, with
            at least one bit kept when posterizing.
        crop: ``"area"``: a random share of the image within ``area``, aspect ratio 3/4 to 4/3.
            ``"shift"``: as for testing, at a random place. ``"none"``: as for testing.
        flip: mirror at random, on data sets whose images may be mirrored.
        test_resize: images are resized to this times the crop before the central crop is taken.
        dropout, drop_path: None: what the network's description says.
        ema: moving average of weights and BN statistics. ``"share"`` is the first paper's: every
            ``ema_period`` steps, by ``ema_alpha * batch / epochs * ema_period``, a copy while
            warming up. Its reach is 1/12.8 of an ImageNet run of any length; on other data it
            is scaled to stay so. ``"ramped"`` is the second paper's: each step, decay
            ``min(ema_decay, (1 + step) / (10 + step))``.
        report: which weights are tested: the last, as in the papers, or the best on the hold-out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    epochs: PositiveInt = 200
    batch: PositiveInt = 1024
    optimizer: Literal["sgd", "rmsprop"] = "sgd"
    lr: PositiveFloat = 2.0
    lr_batch: PositiveInt = 1024
    momentum: Rate = 0.9
    nesterov: bool = True
    rms_decay: Rate = 0.9
    rms_epsilon: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat | None = None
    schedule: Literal["exponential", "staircase", "cosine", "constant"] = "exponential"
    final_lr: Share = 0.02
    decay: Share = 0.97
    decay_epochs: PositiveFloat = 2.4
    lr_changes: Literal["epoch", "step"] = "epoch"
    warmup_epochs: NonNegativeFloat = 5.0
    warmup_start: Share = 0.1
    label_smoothing: Rate = 0.1
    mixup: NonNegativeFloat = 0.2
    augment: Literal["none", "autoaugment"] = "autoaugment"
    crop: Literal["area", "shift", "none"] = "area"
    area: tuple[Share, Share] = (0.08, 1.0)
    flip: bool = True
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    test_resize: Annotated[float, Field(ge=1, le=4)] = 256 / 224
    dropout: Rate | None = None
    drop_path: Rate | None = None
    ema: Literal["none", "share", "ramped"] = "share"
    ema_alpha: NonNegativeFloat = 1e-5
    ema_period: PositiveInt = 32
    ema_decay: Rate = 0.9999
    report: Literal["last", "best"] = "last"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.schedule == "exponential" and self.final_lr == 0:
            raise ValueError("final_lr 0 is not allowed with schedule exponential; above 0 is")
        if not 0 < self.area[0] <= self.area[1]:
            raise ValueError(f"area {self.area} is not allowed; 0 < smallest <= largest <= 1 is")
        return self


PRESETS: dict[str, Recipe] = {
    "fast-scaling": Recipe(),
    # Flags of the second paper's training program; its paper prints no recipe.
    "efficientnet-x": Recipe(
        epochs=350,
        batch=2048,
        optimizer="rmsprop",
        lr=0.016,
        lr_batch=256,
        weight_decay=1e-5,
        schedule="staircase",
        lr_changes="step",
        warmup_start=0.0,
        mixup=0.0,
        augment="none",
        interpolation="bicubic",
        ema="ramped",
    ),
    # Tens of epochs on thousands of small images; chosen on hold-outs, not from a paper.
    "small-data": Recipe(
        epochs=20,
        batch=64,
        lr=0.05,
        lr_batch=64,
        weight_decay=5e-4,
        schedule="cosine",
        final_lr=0.0,
        lr_changes="step",
        warmup_epochs=1.0,
        mixup=0.0,
        augment="none",
        crop="shift",
        ema_period=1,
    ),
}
"""Recipes by name."""


def preset(name: str, changes: Sequence[str] = (), **values: Any) -> Recipe:
    """One of `PRESETS` with changes, as ``"key=value"`` in YAML or, unless None, by keyword.

    `InputError` names what is unknown or not allowed.
    """
    if name not in PRESETS:
        near = did_you_mean(name, PRESETS)
        raise InputError(f"unknown preset {name!r}; {', '.join(PRESETS)} are there.{near}")
    given = {key: value for key, value in values.items() if value is not None}
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals:
            raise InputError(f"--set {change!r} cannot be read; it is KEY=VALUE")
        if key not in Recipe.model_fields:
            near = did_you_mean(key, Recipe.model_fields)
            raise InputError(f"--set: a recipe has no {key!r}.{near}")
        try:
            given[key] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise InputError(f"--set {change!r}: the value cannot be read") from None
    recipe: Recipe = checked(Recipe, {**PRESETS[name].model_dump(), **given}, "recipe")
    return recipe


def lr_at(recipe: Recipe, step: int, steps: int) -> float:
    """The learning rate of an update with ``step`` before it, ``steps`` to an epoch."""
    r = recipe
    t = step // steps if r.lr_changes == "epoch" else step / steps
    if r.schedule == "exponential":
        factor = r.final_lr ** (t / r.epochs)
    elif r.schedule == "staircase":
        factor = r.decay ** math.floor(t / r.decay_epochs)
    elif r.schedule == "cosine":
        factor = r.final_lr + (1 - r.final_lr) * (1 + math.cos(math.pi * t / r.epochs)) / 2
    else:
        factor = 1.0
    warmup = warmup_epochs(r)
    if t < warmup:
        factor *= r.warmup_start + (1 - r.warmup_start) * t / warmup
    return r.lr * r.batch / r.lr_batch * factor


def warmup_epochs(recipe: Recipe) -> float:
    """Length of the warm-up: a short run has a shorter one."""
    return min(recipe.warmup_epochs, recipe.epochs / 4)


def ema_weight(recipe: Recipe, step: int, steps: int, images: int) -> float:
    """What share of the moving average the new weights take; arguments as in `lr_at`."""
    r = recipe
    if r.ema == "ramped":
        return 1 - min(r.ema_decay, (1 + step) / (10 + step))
    if r.ema == "none" or step % steps % r.ema_period:
        return 0.0
    if step // steps < warmup_epochs(r):
        return 1.0
    to_imagenet = IMAGENET_IMAGES / images
    return min(1.0, r.ema_alpha * r.batch / r.epochs * r.ema_period * to_imagenet)


def weight_decay_of(recipe: Recipe, mbconv: bool) -> float:
    """The coefficient for a network, by its family where the recipe leaves it open."""
    if recipe.weight_decay is not None:
        return recipe.weight_decay
    return 1e-5 if mbconv else 2e-5

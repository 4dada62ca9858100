"""Crops, mirroring, AutoAugment and mixup as batched tensor operations, on whatever device.

Small images stay decoded on the device, so that a small network never waits for its data. What is
random is drawn on the CPU, for a whole epoch, from seed and epoch alone: the same on any device and
in any number of processes, and a run that is resumed needs no generator's state.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from repro.training.recipe import Recipe

GREY = 128
ATTEMPTS = 10


@dataclass(frozen=True)
class Draws:
    """Everything random of one epoch, by position in the epoch.

    Attributes:
        order, mirrored: (N,) which image comes when, and how.
        boxes: (N, 4) top, left, height, width of the crop, in pixels of the stored image.
        operations, values: (N, 2) indices into `OPERATIONS` (-1: none) and how much of each.
        mixup: (steps,) weight of the image itself.
    """

    order: NDArray[np.int64]
    boxes: NDArray[np.float32]
    mirrored: NDArray[np.bool_]
    operations: NDArray[np.int64]
    values: NDArray[np.float64]
    mixup: NDArray[np.float32]


def draw(
    recipe: Recipe, seed: int, epoch: int, images: int, side: int, size: int, mirror: bool
) -> Draws:
    """Draw an epoch of so many ``images``, stored with one ``side`` and fed at another ``size``."""
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(images)
    mixup = np.ones(images // recipe.batch)
    if recipe.mixup:
        mixup = rng.beta(recipe.mixup, recipe.mixup, len(mixup))
    mirrored = rng.random(images) < (0.5 if recipe.flip and mirror else 0)
    boxes = _boxes(recipe, rng, images, side, size)
    operations, values = _policy_draws(rng, images, recipe.augment == "autoaugment")
    return Draws(order, boxes, mirrored, operations, values, mixup.astype(np.float32))


def mixup_weights(recipe: Recipe, seed: int, epoch: int, steps: int) -> NDArray[np.float32]:
    """The mixup weights alone, for images that timm augments."""
    rng = np.random.default_rng([seed, epoch])
    alpha = recipe.mixup
    return (rng.beta(alpha, alpha, steps) if alpha else np.ones(steps)).astype(np.float32)


def central_box(recipe: Recipe, side: int, size: int) -> NDArray[np.float32]:
    """The box that is left of a square image resized to ``test_resize * size`` and cropped."""
    resized = round(size * recipe.test_resize)
    unit = side / resized
    corner = round((resized - size) / 2) * unit
    return np.array([corner, corner, size * unit, size * unit], np.float32)


def _boxes(
    recipe: Recipe, rng: np.random.Generator, images: int, side: int, size: int
) -> NDArray[np.float32]:
    boxes = np.tile(central_box(recipe, side, size), (images, 1))
    if recipe.crop == "shift":
        resized = round(size * recipe.test_resize)
        boxes[:, :2] = rng.integers(0, resized - size + 1, (images, 2)) * (side / resized)
    elif recipe.crop == "area":
        # As everywhere: draw area and aspect ratio until the box fits, else take the whole image.
        area = rng.uniform(*recipe.area, (images, ATTEMPTS))
        root = np.exp(rng.uniform(-0.5, 0.5, (images, ATTEMPTS)) * math.log(4 / 3))
        height, width = np.sqrt(area) / root, np.sqrt(area) * root
        fits = (height <= 1) & (width <= 1)
        first = fits.argmax(1)[:, None]
        found = fits.any(1)
        tall = np.where(found, np.take_along_axis(height, first, 1)[:, 0], 1.0)
        wide = np.where(found, np.take_along_axis(width, first, 1)[:, 0], 1.0)
        place = rng.random((2, images))
        boxes = np.stack([place[0] * (1 - tall), place[1] * (1 - wide), tall, wide], 1) * side
    return boxes.astype(np.float32)


def resample(
    x: Tensor, boxes: Tensor, mirrored: Tensor | None, size: int, interpolation: str
) -> Tensor:
    """Cut a box out of each image, mirror it or not, and resize it, with antialiasing.

    Resizing is linear and separable: two small matrices per image do all of it, and agree with
    Pillow's and torch's antialiased resizing. (B, C, H, W) becomes (B, C, size, size).
    """
    top, left, height, width = boxes.unbind(1)
    rows = _resize_matrix(top, height, x.shape[2], size, interpolation)
    columns = _resize_matrix(left, width, x.shape[3], size, interpolation)
    if mirrored is not None:
        columns = torch.where(mirrored[:, None, None], columns.flip(1), columns)
    return rows[:, None] @ x @ columns[:, None].transpose(2, 3)


def _resize_matrix(start: Tensor, length: Tensor, n: int, size: int, kind: str) -> Tensor:
    """(B, size, n) weights of the source pixels in each output pixel."""
    step = (length / size)[:, None, None]
    out = torch.arange(size, device=start.device, dtype=start.dtype)[None, :, None]
    source = torch.arange(n, device=start.device, dtype=start.dtype) + 0.5
    centre = start[:, None, None] + (out + 0.5) * step
    weights = _KERNELS[kind]((source - centre) / step.clamp(min=1))
    return weights / weights.sum(2, keepdim=True)


def _triangle(t: Tensor) -> Tensor:
    return (1 - t.abs()).clamp(min=0)


def _cubic(t: Tensor, a: float = -0.5) -> Tensor:
    """Keys' kernel with Pillow's constant."""
    t = t.abs()
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((t - 5) * t + 8) * t * a - 4 * a
    return torch.where(t < 1, near, torch.where(t < 2, far, torch.zeros_like(t)))


_KERNELS: dict[str, Callable[[Tensor], Tensor]] = {"bilinear": _triangle, "bicubic": _cubic}


# AutoAugment. Each operation takes (B, C, H, W) with whole values 0 to 255 and (B,) amounts, and
# does what Pillow does to 8-bit images.


def _affine(x: Tensor, matrix: Tensor) -> Tensor:
    """Sample at matrix @ (column, row, 1), in pixels from the corner; grey outside."""
    height, width = x.shape[2:]
    row = torch.arange(height, device=x.device, dtype=x.dtype) + 0.5
    column = torch.arange(width, device=x.device, dtype=x.dtype) + 0.5
    rows, columns = torch.meshgrid(row, column, indexing="ij")
    points = torch.stack([columns, rows, torch.ones_like(rows)], -1)
    source = torch.einsum("bij,hwj->bhwi", matrix.to(x.dtype), points)
    extent = torch.tensor([width, height], device=x.device, dtype=x.dtype)
    inside = ((source >= 0) & (source < extent)).all(-1)
    sampled = F.grid_sample(
        x, source / extent * 2 - 1, "bilinear", padding_mode="border", align_corners=False
    )
    return torch.where(inside[:, None], (sampled + 1e-3).floor(), GREY)  # as Pillow: cut off


def _matrix(rows: list[list[Tensor | float]], like: Tensor) -> Tensor:
    """(B, 2, 3) out of entries that are numbers or (B,)."""
    return torch.stack(
        [torch.stack([torch.zeros_like(like) + entry for entry in row], -1) for row in rows], 1
    )


def _shear_x(x: Tensor, v: Tensor) -> Tensor:
    return _affine(x, _matrix([[1.0, v, 0.0], [0.0, 1.0, 0.0]], v))


def _shear_y(x: Tensor, v: Tensor) -> Tensor:
    return _affine(x, _matrix([[1.0, 0.0, 0.0], [v, 1.0, 0.0]], v))


def _translate_y(x: Tensor, v: Tensor) -> Tensor:
    return _affine(x, _matrix([[1.0, 0.0, 0.0], [0.0, 1.0, v * x.shape[2]]], v))


def _rotate(x: Tensor, degrees: Tensor) -> Tensor:
    angle = -degrees * (math.pi / 180)
    cos, sin = angle.cos(), angle.sin()
    cx, cy = x.shape[3] / 2, x.shape[2] / 2
    return _affine(
        x,
        _matrix(
            [[cos, sin, cx - cos * cx - sin * cy], [-sin, cos, cy + sin * cx - cos * cy]], degrees
        ),
    )


def _invert(x: Tensor, _: Tensor) -> Tensor:
    return 255 - x


def _solarize(x: Tensor, v: Tensor) -> Tensor:
    return torch.where(x < v.floor()[:, None, None, None], x, 255 - x)


def _solarize_add(x: Tensor, v: Tensor) -> Tensor:
    return torch.where(x < 128, (x + v.floor()[:, None, None, None]).clamp(max=255), x)


def _posterize(x: Tensor, v: Tensor) -> Tensor:
    step = 2 ** (8 - v.floor().clamp(min=1))[:, None, None, None]
    return (x / step).floor() * step


def _colour(x: Tensor, v: Tensor) -> Tensor:
    if x.shape[1] == 1:
        return x
    red, green, blue = x.unbind(1)
    grey = ((red * 19595 + green * 38470 + blue * 7471 + 32768) / 65536).floor()[:, None]
    return (grey + v[:, None, None, None] * (x - grey)).clamp(0, 255).floor()


def _autocontrast(x: Tensor, _: Tensor) -> Tensor:
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    spread = high - low
    stretched = ((x - low) * (255 / spread.clamp(min=1)) + 1e-3).floor().clamp(0, 255)
    return torch.where(spread > 0, stretched, x)


def _equalize(x: Tensor, _: Tensor) -> Tensor:
    b, c, height, width = x.shape
    flat = x.long().view(b * c, -1)
    counts = torch.zeros(b * c, 256, dtype=torch.long, device=x.device)
    counts.scatter_add_(1, flat, torch.ones_like(flat))
    last = counts.gather(1, flat.amax(1, keepdim=True))
    step = (height * width - last) // 255
    table = ((counts.cumsum(1) - counts + step // 2) // step.clamp(min=1)).clamp(max=255)
    table = torch.where(step > 0, table, torch.arange(256, device=x.device))
    return table.gather(1, flat).view(x.shape).to(x.dtype)


OPERATIONS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], float, float, bool]] = {
    "AutoContrast": (_autocontrast, 0, 0, False),
    "Color": (_colour, 0.1, 1.9, False),
    "Equalize": (_equalize, 0, 0, False),
    "Invert": (_invert, 0, 0, False),
    "Posterize": (_posterize, 0, 4, False),
    "Rotate": (_rotate, 0, 30, True),
    "ShearX": (_shear_x, 0, 0.3, True),
    "ShearY": (_shear_y, 0, 0.3, True),
    "Solarize": (_solarize, 0, 256, False),
    "SolarizeAdd": (_solarize_add, 0, 110, False),
    "TranslateYRel": (_translate_y, 0, 0.45, True),
}
"""Operation, amount at magnitudes 0 and 10, and whether its sign is drawn."""

_FUNCTIONS = [function for function, *_ in OPERATIONS.values()]


@cache
def _policy() -> NDArray[np.float64]:
    """(sub-policies, 2, 4): operation, probability, amount, signed. Read from timm."""
    from timm.data.auto_augment import auto_augment_policy

    names = list(OPERATIONS)
    rows = []
    for pair in auto_augment_policy("v0"):
        for step in pair:
            _, low, high, signed = OPERATIONS[step.name]
            amount = low + (high - low) * step.magnitude / 10
            rows.append((names.index(step.name), step.prob, amount, signed))
    return np.array(rows, np.float64).reshape(-1, 2, 4)


def _policy_draws(
    rng: np.random.Generator, images: int, wanted: bool
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    if not wanted:
        return np.full((images, 2), -1), np.zeros((images, 2))
    policy = _policy()
    chosen = policy[rng.integers(0, len(policy), images)]
    operation, probability, amount, signed = np.moveaxis(chosen, -1, 0)
    happens = rng.random((images, 2)) < probability
    negative = (rng.random((images, 2)) < 0.5) & (signed > 0)
    operations = np.where(happens, operation, -1).astype(np.int64)
    return operations, np.where(negative, -amount, amount)


def autoaugment(x: Tensor, operations: NDArray[np.int64], values: NDArray[np.float64]) -> Tensor:
    """Apply two operations to each image of (B, C, H, W), values 0 to 255.

    What is drawn stays on the CPU: picking an operation's images does not wait for the device.
    """
    x = x.round().clamp(0, 255)
    for turn in range(operations.shape[1]):
        for code in np.unique(operations[:, turn]):
            if code >= 0:
                which = np.flatnonzero(operations[:, turn] == code)
                amount = torch.from_numpy(values[which, turn]).to(x.device, x.dtype)
                at = torch.from_numpy(which).to(x.device)
                x[at] = _FUNCTIONS[code](x[at], amount)
    return x

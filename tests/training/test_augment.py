"""Batched crops and AutoAugment, against Pillow, torch and timm on the same images."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from timm.data import auto_augment

from repro.training import augment
from repro.training.augment import OPERATIONS, autoaugment, central_box, draw, resample
from repro.training.recipe import Recipe


def photograph(side=24, channels=3, seed=0):
    """Something smooth with noise on it, uint8 (C, S, S)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    waves = [np.sin(7 * x + 3 * k * y + k) * 90 + 110 for k in range(channels)]
    return np.clip(np.stack(waves) + rng.normal(0, 15, (channels, side, side)), 0, 250).astype(
        np.uint8
    )


def box(*values):
    return torch.tensor([values], dtype=torch.float32)


@pytest.mark.parametrize("kind", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("side", "size"), [(24, 24), (24, 10), (24, 57), (8, 32)])
def test_resizing_is_torchs(kind, side, size):
    x = torch.from_numpy(photograph(side))[None].float()
    ours = resample(x, box(0, 0, side, side), None, size, kind)
    theirs = F.interpolate(x, (size, size), mode=kind, antialias=True, align_corners=False)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-3)


def test_central_crop_is_resize_then_crop():
    image = photograph(64)
    pil = Image.fromarray(image.transpose(1, 2, 0))
    for size in (32, 48, 64):
        resized = round(size * 256 / 224)
        corner = round((resized - size) / 2)
        theirs = pil.resize((resized, resized), Image.Resampling.BILINEAR)
        theirs = theirs.crop((corner, corner, corner + size, corner + size))
        where = torch.from_numpy(central_box(Recipe(), 64, size))[None]
        ours = resample(torch.from_numpy(image)[None].float(), where, None, size, "bilinear")
        difference = np.abs(ours[0].numpy().transpose(1, 2, 0) - np.asarray(theirs, np.float32))
        assert difference.max() <= 1.0  # Pillow rounds in between


def test_whole_pixels_are_copied_and_mirrored():
    x = torch.from_numpy(np.stack([photograph(16), photograph(16, seed=1)])).float()
    boxes = torch.tensor([[2.0, 3.0, 8.0, 8.0], [0.0, 8.0, 8.0, 8.0]])
    out = resample(x, boxes, torch.tensor([False, True]), 8, "bilinear")
    torch.testing.assert_close(out[0], x[0, :, 2:10, 3:11])
    torch.testing.assert_close(out[1], x[1, :, 0:8, 8:16].flip(2))


# ------------------------------------------------------------------------------ what is drawn


def draws(recipe=None, epoch=0, seed=0, images=400, **k):
    recipe = recipe or Recipe(batch=100)
    return draw(recipe, seed, epoch, images, k.get("side", 32), k.get("size", 28), mirror=True)


def test_an_epoch_follows_from_seed_and_number():
    def same(a, b):
        return all(np.array_equal(x, y) for x, y in zip(vars(a).values(), vars(b).values()))  # noqa: B905

    assert same(draws(), draws())
    assert not np.array_equal(draws().order, draws(epoch=1).order)
    assert not np.array_equal(draws().order, draws(seed=1).order)
    assert sorted(draws().order) == list(range(400))


def test_area_crops_stay_inside_and_within_their_range():
    boxes = draws(Recipe(batch=100, area=(0.08, 1.0)), images=4000).boxes.astype(np.float64)
    assert (boxes[:, :2] >= 0).all() and (boxes[:, :2] + boxes[:, 2:] <= 32 + 1e-4).all()
    area = boxes[:, 2] * boxes[:, 3] / 32**2
    ratio = boxes[:, 3] / boxes[:, 2]
    assert area.min() > 0.079 and area.max() < 1.001
    assert 0.75 - 1e-3 < ratio.min() < 0.8 and 1.25 < ratio.max() < 4 / 3 + 1e-3
    # timm draws in the same way, one image at a time.
    from timm.data.transforms import RandomResizedCropAndInterpolation as Crop

    image = Image.new("RGB", (1000, 1000))
    theirs = [Crop.get_params(image, (0.08, 1.0), (3 / 4, 4 / 3)) for _ in range(4000)]
    theirs_area = np.array([h * w for _, _, h, w in theirs]) / 1e6
    assert np.quantile(area, [0.1, 0.5, 0.9]) == pytest.approx(
        np.quantile(theirs_area, [0.1, 0.5, 0.9]), abs=0.04
    )


def test_shifts_reach_every_place():
    recipe = Recipe(batch=100, crop="shift")
    boxes = draws(recipe, images=3000, size=28).boxes  # 32 pixels after resizing, 28 are kept
    assert set(np.unique(boxes[:, 0])) == {0, 1, 2, 3, 4} and (boxes[:, 2:] == 28).all()


def test_mirroring_needs_a_data_set_that_allows_it():
    recipe = Recipe(batch=10)
    assert 0.3 < draw(recipe, 0, 0, 400, 8, 8, mirror=True).mirrored.mean() < 0.7
    assert not draw(recipe, 0, 0, 400, 8, 8, mirror=False).mirrored.any()


def test_mixup_weights():
    mixed = draws(Recipe(batch=1, mixup=0.2), images=3000).mixup
    assert mixed.std() == pytest.approx(math.sqrt(0.25 / 1.4), rel=0.05)  # of Beta(0.2, 0.2)
    assert (draws(Recipe(batch=100, mixup=0)).mixup == 1).all()


# ------------------------------------------------------------------------------ AutoAugment

AMOUNTS = {
    "AutoContrast": [0],
    "Color": [0.1, 0.46, 1.0, 1.72],
    "Equalize": [0],
    "Invert": [0],
    "Posterize": [1, 2, 4],
    "Rotate": [-27, 6, 24],
    "ShearX": [-0.27, 0.12],
    "ShearY": [-0.12, 0.21],
    "Solarize": [0, 76, 204, 256],
    "SolarizeAdd": [0, 33, 77],
    "TranslateYRel": [-0.405, 0.405],
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_are_pillows(name):
    assert set(AMOUNTS) == set(OPERATIONS)
    function = OPERATIONS[name][0]
    more = {"fillcolor": (128,) * 3, "resample": Image.Resampling.BILINEAR}
    for seed, amount in enumerate(AMOUNTS[name]):
        image = photograph(20, seed=seed)
        pil = Image.fromarray(image.transpose(1, 2, 0))
        theirs = auto_augment.NAME_TO_OP[name](pil, *([amount] if amount or name in (
            "Solarize", "SolarizeAdd") else []), **more)  # fmt: skip
        ours = function(torch.from_numpy(image)[None].float(), torch.tensor([float(amount)]))
        assert torch.equal(ours, ours.round())
        difference = np.abs(ours[0].numpy().transpose(1, 2, 0) - np.asarray(theirs, np.float32))
        assert difference.max() <= 1, (name, amount, difference.max())
        assert (difference > 0).mean() < 0.2


def test_each_image_gets_its_own_operations():
    x = torch.from_numpy(np.stack([photograph(16, seed=s) for s in range(3)])).float()
    names = list(OPERATIONS)
    invert, shear = names.index("Invert"), names.index("ShearX")
    operations = np.array([[invert, -1], [-1, -1], [shear, invert]])
    values = np.array([[0, 0], [0, 0], [0.2, 0.0]])
    out = autoaugment(x.clone(), operations, values)
    assert torch.equal(out[0], 255 - x[0]) and torch.equal(out[1], x[1])
    sheared = OPERATIONS["ShearX"][0](x[2:], torch.tensor([0.2]))
    assert torch.equal(out[2], 255 - sheared[0])


def test_policy_is_timms_v0():
    policy = augment._policy()
    assert policy.shape == (25, 2, 4)
    theirs = auto_augment.auto_augment_policy("v0")
    names = list(OPERATIONS)
    for ours, pair in zip(policy, theirs, strict=True):
        for (code, probability, amount, signed), step in zip(ours, pair, strict=True):
            assert (names[int(code)], probability) == (step.name, step.prob)
            if step.level_fn:  # timm draws the sign here, and cuts off whole numbers
                (level,) = step.level_fn(step.magnitude, {})
                assert abs(level) == pytest.approx(
                    amount, abs=1 if isinstance(level, int) else 1e-9
                )
                assert signed or level >= 0
    drawn = draws(images=20_000)
    used = (drawn.operations >= 0).mean()
    assert used == pytest.approx(policy[..., 1].mean(), abs=0.02)


def test_autoaugment_takes_grey_images():
    x = torch.from_numpy(np.stack([photograph(8, channels=1)] * 50)).float()
    drawn = draws(images=50, side=8, size=8, recipe=Recipe(batch=10))
    out = autoaugment(x, drawn.operations, drawn.values)
    assert out.shape == (50, 1, 8, 8) and out.min() >= 0 and out.max() <= 255

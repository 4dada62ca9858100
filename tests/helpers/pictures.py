"""Small pictures, and folders of them, as they lie on disks."""

import io

import numpy as np
from PIL import Image


def jpeg(label, number, side=64, mode="RGB"):
    """A small picture whose colour tells its label."""
    noise = np.random.default_rng([label, number]).integers(0, 30, (side, side, 3))
    noise[..., label % 3] += 60 + 40 * (label // 3)
    file = io.BytesIO()
    Image.fromarray(noise.astype(np.uint8)).convert(mode).save(file, "JPEG", quality=90)
    return file.getvalue()


def class_folders(root, classes=("cat", "dog"), each=6, test="val"):
    """ImageNet's layout: a folder per class, images of several sizes."""
    for split in ("train", test):
        for label, name in enumerate(classes):
            place = root / split / name
            place.mkdir(parents=True)
            for i in range(each):
                (place / f"{i}.jpg").write_bytes(jpeg(label, i, side=30 + 7 * i))

"""One image file as pixels, and its name as text."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from repro.errors import InputError

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""By content, whatever a file's ending says; none of them runs another program, as EPS would."""


def rgb(file: Any, where: str) -> Image.Image:
    """A compressed image in 8-bit colour, or an `InputError` that names ``where`` it is.

    Grey of 16 bits keeps its upper byte, as colour of 16 bits does; orientation in EXIF data is
    not looked at, as in torchvision and timm.
    """
    try:
        with Image.open(file, formats=FORMATS) as image:
            if image.mode[0] not in "IF":
                return image.convert("RGB")
            if image.mode[:2] != "I;" and image.format not in ("PNG", "PPM"):
                raise ValueError("its values have no known range; those of 8 and 16 bits have")
            return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    except Exception as error:  # whatever a decoder stumbles over; Pillow's limit of pixels
        reason = (str(error) or type(error).__name__).splitlines()[0]
        reason = shown(reason.replace("<_io.BytesIO object at ", "<"))
        raise InputError(f"image {where} cannot be decoded: {reason}") from None


def shown(name: str) -> str:
    """A file's name as text that can be written anywhere; bytes that are not UTF-8 as numbers."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

"""Every zoo network as a timm model, under names that clash with none of timm's own.

import repro.models
timm.create_model("repro_en_x_gpu_b4", num_classes=10)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from timm.models import is_model, register_model

from repro.arch import NAMES
from repro.errors import InputError, did_you_mean
from repro.models.builder import build
from repro.models.model import Model

__all__ = ["TIMM_NAMES", "register", "timm_name"]

PREFIX = "repro_"
# timm's words for what `build` calls otherwise
_ARGUMENTS = {
    "num_classes": "num_classes",
    "in_chans": "in_channels",
    "drop_rate": "dropout",
    "drop_path_rate": "drop_path",
    "zero_init_last": "zero_init_last",
    "device": "device",
}


def timm_name(name: str) -> str:
    """What timm calls a zoo network: ``RegNetY-4.0GF`` is ``repro_regnety_4_0gf``."""
    return PREFIX + re.sub(r"[^0-9a-z]+", "_", name.lower())


TIMM_NAMES = {timm_name(name): name for name in NAMES}
"""timm's name to ours, of every zoo network."""


def _entry_point(timm_key: str, name: str) -> Callable[..., Model]:
    def create(
        pretrained: bool = False,
        pretrained_cfg: Any = None,
        pretrained_cfg_overlay: Any = None,
        cache_dir: Any = None,
        **arguments: Any,
    ) -> Model:
        if pretrained:
            raise InputError(f"{timm_key} has no pretrained weights; pretrained=False is allowed")
        for key in arguments:
            if key not in _ARGUMENTS:
                raise InputError(
                    f"{timm_key} takes no argument {key!r}.{did_you_mean(key, _ARGUMENTS)}"
                    f" Allowed: {', '.join(_ARGUMENTS)}"
                )
        return build(name, **{_ARGUMENTS[key]: value for key, value in arguments.items()})

    create.__name__ = create.__qualname__ = timm_key
    create.__doc__ = f"{name} of the zoo; see `repro.models.build`."
    return create


def register() -> None:
    """Make timm know every zoo network; those it knows already are left as they are."""
    for key, name in TIMM_NAMES.items():
        if not is_model(key):
            register_model(_entry_point(key, name))

"""A network of one's own, from a description file.

The file is what ``repro complexity NAME --json`` prints, or its ``config`` alone, with other
numbers: the stage lists that `repro.arch.network.to_config` makes, of residual bottleneck blocks
(``"type": "anynet"``) or of MBConv blocks (``"effnet"``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from repro.arch.network import MBStage, Network, ResStage, to_config
from repro.errors import InputError, did_you_mean
from repro.handwritten import file_bytes, read_json

_STEMS: dict[str, Any] = {"simple_stem_in": "conv3", "res_stem_in": "conv7_pool"}
_LISTS = {
    "anynet": ("depths", "widths", "group_ws", "bot_muls", "strides"),
    "effnet": ("depths", "widths", "exp_ratios", "kernels", "strides"),
}
_EXAMPLE = {
    "anynet": to_config(Network("x", (ResStage(1, 8, 8),))),
    "effnet": to_config(Network("x", (MBStage(1, 8, 1),))),
}


def read_description(path: Path) -> Network:
    """The network that a file describes, named after the file.

    Raises:
        InputError: it cannot be read, is no description, or describes no possible network.
    """
    found, twice = read_json(file_bytes(str(path), "description"), str(path))
    for problem in twice.values():
        raise InputError(f"{path}: {problem}")
    if isinstance(found, dict):
        found = found.get("config", found)
    if not isinstance(found, dict) or found.get("type") not in _LISTS:
        raise InputError(
            f"{path} is no description: an object is needed whose type is 'anynet' or 'effnet', as "
            "`repro complexity ResNet-50 --json` prints"
        )
    try:
        return _network(found, path.stem)
    except (InputError, TypeError) as error:
        raise InputError(f"{path}: {error}") from None


def _network(config: dict[str, Any], name: str) -> Network:
    kind, example = config["type"], _EXAMPLE[config["type"]]
    for key in config.keys() - example.keys():
        raise InputError(f"unknown key {key!r}.{did_you_mean(key, example)}")
    for key, like in example.items():
        value = config.get(key)
        if not _alike(value, like):
            meant = "a list of numbers" if isinstance(like, list) else f"such as {like!r}"
            raise InputError(f"{key} {value!r} is not allowed; {meant} is needed")
    lists = [config[key] for key in _LISTS[kind]]
    if len({len(values) for values in lists}) > 1:
        raise InputError(f"{', '.join(_LISTS[kind])} must be equally long")
    rows = zip(*lists, strict=True)
    if kind == "anynet":
        block, stem = config["block_type"], config["stem_type"]
        linear = block == "res_bottleneck_linear_block"
        if stem not in _STEMS or not (linear or block == "res_bottleneck_block"):
            raise InputError(f"stem_type {stem!r} with block_type {block!r} is not known")
        stages: tuple[Any, ...] = tuple(ResStage(d, w, g, b, s, linear) for d, w, g, b, s in rows)
        stem = _STEMS[stem]
    else:
        stages, stem = tuple(MBStage(*row) for row in rows), "conv3"
    activation = config["activation"]
    if activation not in ("relu", "silu"):
        raise InputError(f"activation {activation!r} is not allowed; relu and silu are")
    return Network(
        name=name,
        stages=stages,
        stem=stem,
        resolution=config["res"],
        stem_width=config["stem_w"],
        head_width=config["head_w"],
        se_ratio=config["se_r"],
        activation=activation,
        num_classes=config["num_classes"],
    )


def _alike(value: Any, example: Any) -> bool:
    """Whether a value is of an example's kind; a whole number may stand for any number."""
    if isinstance(example, list):
        return isinstance(value, list) and all(_alike(v, example[0]) for v in value)
    kinds = (int, float) if isinstance(example, float) else type(example)
    return isinstance(value, kinds) and not isinstance(value, bool)

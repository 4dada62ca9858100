"""What each chapter can be run with: names, types, ranges, help, and the tiers.

One pydantic model per chapter. The chapter's parameters cell holds the same names and defaults
as plain literals (papermill needs those); a test keeps the two equal.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)

from repro.arch import get
from repro.errors import InputError, did_you_mean
from repro.paths import root, to_a_checkout

Tier = Literal["smoke", "laptop", "gpu", "paper"]
TIERS: tuple[str, ...] = get_args(Tier)


def _known_network(name: str) -> str:
    get(name)
    return name


def no_repeats(names: list[str]) -> list[str]:
    for i, name in enumerate(names):
        if name in names[:i]:
            raise ValueError(f"{name!r} stands there twice; each network once")
    return names


NetworkName = Annotated[str, AfterValidator(_known_network), WithJsonSchema({"type": "network"})]
Scale = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
Scales = Annotated[list[Scale], Field(min_length=2, max_length=50)]
Networks = Annotated[list[NetworkName], Field(min_length=1), AfterValidator(no_repeats)]


class ChapterParameters(BaseModel):
    """Base of every chapter's parameters; unknown names and other types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    tiers: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """What a tier changes, beside what the tiers below it do."""


def differing(scales: list[float]) -> list[float]:
    if len(set(scales)) < 2:
        raise ValueError("a slope needs at least two different scales")
    return scales


def _known_device(name: str) -> str:
    # Late, since two chapters alone read the table of devices.
    from repro.runtime.roofline import device_peaks

    device_peaks(name)
    return name


DeviceName = Annotated[str, AfterValidator(_known_device), WithJsonSchema({"type": "device"})]
Channels = Annotated[int, Field(ge=8, le=1024)]


@cache
def chapters() -> tuple[str, ...]:
    """Every executable chapter by its file's stem, in the book's order.

    Raises:
        InputError: the book is not there, as where the package alone is installed.
    """
    if not (root() / "_toc.yml").is_file():
        raise InputError(f"no chapters in {root()}; {to_a_checkout()}")
    toc = yaml.safe_load((root() / "_toc.yml").read_text(encoding="utf-8"))
    files = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    return tuple(Path(f).name for f in files if (root() / f"{f}.ipynb").is_file())


def titles() -> dict[str, str]:
    """The title of every executable chapter, by its name."""
    found = {}
    for stem in chapters():
        notebook = json.loads((root() / "chapters" / f"{stem}.ipynb").read_text(encoding="utf-8"))
        prose = ("".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "markdown")
        found[stem] = next(prose).partition("\n")[0].removeprefix("# ")
    return found


def parameters_of(chapter: str) -> type[ChapterParameters]:
    """The parameter model of a chapter: ``Parameters`` of its module in `repro.book.chapters`.

    Raises:
        InputError: no such chapter; the message suggests the nearest.
    """
    if chapter not in chapters():
        raise InputError(
            f"unknown chapter {chapter!r}.{did_you_mean(chapter, chapters())}"
            f" Chapters: {', '.join(chapters())}"
        )
    module = import_module(f"repro.book.chapters.{chapter.replace('-', '_')}")
    model: type[ChapterParameters] = module.Parameters
    return model


_KINDS = {
    "integer": "whole number",
    "string": "text",
    "boolean": "True or False",
    "null": "None",
}


def allowed(chapter: str) -> dict[str, str]:
    """What each parameter of a chapter may be, in words: ``"whole number, 1 to 100"``."""
    schema = parameters_of(chapter).model_json_schema()
    return {name: _in_words(part) for name, part in schema.get("properties", {}).items()}


def _in_words(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(map(_in_words, schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if schema["type"] != "array":
        return ", ".join([_KINDS.get(schema["type"], schema["type"]), *_limits(schema)])
    noun, *limits = _in_words(schema["items"]).split(", ")
    noun += "s" * ("enum" not in schema["items"])
    text = f"list of {noun}" + f" ({', '.join(limits)})" * bool(limits)
    return ", ".join([text, *_limits(schema)])


def _limits(schema: Mapping[str, Any]) -> list[str]:
    """``1 to 100``, ``above 0``, ``at least 2 values``, ``a multiple of 8``."""
    low = schema.get("minimum", schema.get("minItems"))
    high = schema.get("maximum", schema.get("maxItems"))
    unit = " value" + "s" * (low != 1 or high is not None) if "items" in schema else ""
    words = []
    if "exclusiveMinimum" in schema:
        upper = f" and up to {high:g}" if high is not None else ""
        words.append(f"above {schema['exclusiveMinimum']:g}{upper}")
    elif low is not None:
        least = f"at least {low:g}" if high is None else f"{low:g} to {high:g}"
        words.append(least + unit)
    if "multipleOf" in schema:
        words.append(f"a multiple of {schema['multipleOf']:g}")
    return words


def check(chapter: str, **values: Any) -> ChapterParameters:
    """Validate a chapter's parameters, some given by name; the rest keep their defaults.

    Raises:
        InputError: unknown name (suggests the nearest), wrong type, value out of range.
    """
    model = parameters_of(chapter)
    for name in values:
        if name not in model.model_fields:
            allowed = ", ".join(model.model_fields) or "none"
            raise InputError(
                f"chapter {chapter} has no parameter {name!r}."
                f"{did_you_mean(name, model.model_fields)} Parameters: {allowed}"
            )
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(
            f"parameter {where} = {first['input']!r} of chapter {chapter}: {message}"
        ) from None


def same_as(chapter: str, tier: str) -> str:
    """The least tier in which a chapter computes the same as in this one."""
    tiers = parameters_of(chapter).tiers
    below = TIERS[: TIERS.index(tier) + 1]
    return next((t for t in reversed(below) if tiers.get(t)), TIERS[0])


def parse_value(text: str) -> Any:
    """A value from the command line: Python or YAML notation, else plain text.

    ``4``, ``0.5``, ``[1, 2, 4]``, ``1,2,4``, ``[EN-B0, ResNet-50]``, ``None``, ``null``, ``true``,
    ``EN-B0``.
    """
    try:
        value = ast.literal_eval(text)
        return list(value) if isinstance(value, tuple) else value  # 1, 2, 4 without brackets
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return text


def resolve(chapter: str, assignments: list[str], tier: str) -> dict[str, Any]:
    """What a tier and those below it change, overridden by ``-p NAME=VALUE`` words; validated.

    Raises:
        InputError: unknown chapter, tier or name; malformed assignment; wrong type or range.
    """
    model = parameters_of(chapter)
    if tier not in TIERS:
        raise InputError(f"unknown tier {tier!r}; allowed: {', '.join(TIERS)}")
    values: dict[str, Any] = {}
    for lower in TIERS[: TIERS.index(tier) + 1]:
        values |= model.tiers.get(lower, {})
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name:
            raise InputError(f"-p {assignment!r} is not of the form NAME=VALUE")
        values[name.strip()] = parse_value(text)
    checked = check(chapter, **values)
    # Whole numbers stay whole; what the model reads as something else (0.5 as "0.5") does not.
    made = {name: getattr(checked, name) for name in values}
    return {name: value if made[name] == value else made[name] for name, value in values.items()}

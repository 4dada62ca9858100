"""Lists that people write by hand: sweeps, grids, the ledger of claims. Read strictly.

A file is UTF-8 whatever the locale says (UTF-16 with its mark is understood). A key that stands
twice, one that nobody knows and a value of another type are refused in one line, with the file,
the line where there is a tree of YAML to ask, and the key.
"""

from __future__ import annotations

import codecs
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WrapValidator,
)

from repro.errors import InputError, did_you_mean

LOADER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
DEEPEST, LARGEST = 50, 200_000
"""Levels and values of a file, aliases written out: a few lines can stand for billions."""
NOT_SAID: Any = None
"""Default of a key that may be left out, and may not be null."""
MEANT = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "float_type": "a number",
    "int_type": "a whole number",
    "model_type": "a mapping",
    "string_type": "text",
    "too_short": "a list with anything in it",
    "tuple_type": "a list",
}
"""In words, what a value should have been, by pydantic's name of the mistake."""


class Strict(BaseModel):
    """Base of an entry: no key that it does not know, no value of another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


Number = Annotated[float, WrapValidator(lambda value, check: (check(value), value)[1])]
"""Any number; a whole one stays whole."""
Entry = TypeVar("Entry", bound=BaseModel)
Item = TypeVar("Item")
Listed = Annotated[
    tuple[Item, ...],
    Field(min_length=1),
    BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value),
]
"""A list with something in it."""


class GridRow(Strict):
    """A network of a grid; without a type, unscaled."""

    base: str
    scale_type: str | None = None
    scale: Number | None = None


class TimmRow(Strict):
    """One of timm's."""

    timm: str
    resolution: int | None = None


def file_bytes(path: str, what: str) -> bytes:
    """What a file holds, or standard input where the path is ``-``; `InputError` says why not."""
    try:
        if path == "-":
            return sys.stdin.buffer.read() if sys.stdin else b""
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{what} {path!r} cannot be read: {reason}") from None


def entries(
    data: bytes, where: str, *kinds: type[Entry], unit: Literal["block", "row"] = "block"
) -> Iterator[tuple[str, Entry]]:
    """The entries of a list, each with its place for messages: YAML blocks, or rows of JSON.

    Args:
        kinds: of entries, told apart by their first key.

    Raises:
        InputError: it is no such list, or an empty one; or, when its turn comes, an entry is none.
    """
    tree: yaml.Node | None = None
    if unit == "row":
        found, twice = read_json(data, where)
    else:
        (found, tree), twice = read_yaml(data, where), {}
    if not isinstance(found, list):
        raise InputError(f"{where} is not a list of {unit}s but {shown(found)}")
    if not found:
        raise InputError(f"{where} is an empty list; at least one {unit} is needed")
    for index, entry in enumerate(found):
        keys = entry if isinstance(entry, dict) else ()
        kind = next((k for k in kinds if next(iter(k.model_fields)) in keys), kinds[0])
        try:
            if id(entry) in twice:
                raise InputError(f"{_place(where, tree, index, unit)}: {twice[id(entry)]}")
            made = kind.model_validate(entry, strict=True)
        except ValidationError as error:
            place, problem = _first(error, kind, entry, unit)
            raise InputError(f"{_place(where, tree, index, unit, place)}: {problem}") from None
        yield _place(where, tree, index, unit), made


def read_json(data: bytes, where: str) -> tuple[Any, dict[int, str]]:
    """A JSON document; by their identity, the objects in which a key stands twice."""
    twice: dict[int, str] = {}

    def noted(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made, keys = dict(pairs), [key for key, _ in pairs]
        if len(made) < len(keys):
            twice[id(made)] = f"key {max(keys, key=keys.count)!r} stands twice"
        return made

    try:
        return json.loads(data, object_pairs_hook=noted), twice
    except RecursionError:
        raise InputError(f"{where} is nested too deeply") from None
    except ValueError as error:  # also covers text that is not UTF-8
        raise InputError(f"{where} is not JSON: {error}") from None


def read_yaml(data: bytes, where: str, loader: Any = LOADER) -> tuple[Any, yaml.Node | None]:
    """A YAML document and the tree that it was made from.

    Raises:
        InputError: it is none, or a key stands twice in it.
    """
    wide = data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    try:
        text, depth = data.decode("utf-16" if wide else "utf-8-sig"), 0
        for event in yaml.parse(
            text, Loader=loader
        ):  # libyaml's composer would crash in the depths
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise InputError(f"{where}, line {_line(event)}: nested too deeply")
        reader = loader(text)
        tree = reader.get_single_node()
        if tree is not None:
            _weigh(tree, where, {})
        return (None if tree is None else reader.construct_document(tree)), tree
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        said = f"byte 0x{data[error.start]:02x} is not UTF-8, in which such files are written"
        raise InputError(f"{where}, line {row}: {said}") from None
    except InputError:
        raise
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError) as error:
        mark = getattr(error, "problem_mark", None)
        said = getattr(error, "problem", None) or " ".join(str(error).split())
        if not isinstance(error, yaml.YAMLError):  # !!bool maybe, 2001-99-99
            said = f"a value that cannot be read ({said})"
        line = f"line {mark.line + 1}: " if mark else ""
        raise InputError(f"{where} is not YAML: {line}{said}") from None


def _weigh(node: yaml.Node, where: str, known: dict[int, int]) -> int:
    """How many values a tree stands for; `InputError` where a key is written twice."""
    if not (size := known.get(id(node), -1)):
        raise InputError(f"{where}, line {_line(node)}: an anchor that holds itself")
    if size > 0:
        return size
    known[id(node)], below = 0, []
    if isinstance(node, yaml.MappingNode):
        names = set()
        for key, value in node.value:
            if (name := (key.tag, str(key.value))) in names:
                said = f"key {key.value!r} is written twice"
                raise InputError(f"{where}, line {_line(key)}: {said}")
            names.add(name)
            below += [key, value]
    elif isinstance(node, yaml.SequenceNode):
        below = node.value
    known[id(node)] = size = 1 + sum(_weigh(item, where, known) for item in below)
    if size > LARGEST:
        raise InputError(f"{where}, line {_line(node)}: more than {LARGEST:,} values")
    return size


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def _place(where: str, tree: Any, index: int, unit: str, steps: tuple[Any, ...] = ()) -> str:
    """File, line and entry; the line of what the steps lead to, as far as they lead."""
    if tree is None:
        return f"{where}, {unit} {index + 1}"
    node = tree.value[index]
    for step in steps:
        if isinstance(node, yaml.SequenceNode):
            node = node.value[step]
        elif found := [value for key, value in node.value if key.value == step]:
            node = found[-1]  # what is merged into a mapping comes first
    return f"{where}, line {_line(node)}, {unit} {index + 1}"


def _first(
    error: ValidationError, kind: type[BaseModel], entry: Any, unit: str
) -> tuple[tuple[Any, ...], str]:
    """The first thing wrong with an entry: where in it, and in words."""
    details = error.errors(include_url=False)
    details.sort(key=lambda detail: detail["type"] != "extra_forbidden")  # why another is missing
    found = [(_steps(detail["loc"], entry), detail) for detail in details]
    steps, first = found[0]
    value = first["input"]
    if first["type"] == "invalid_key":
        return steps, f"unknown key {shown(value)}"
    if first["type"] in ("missing", "extra_forbidden"):
        key = first["loc"][-1]
        if first["type"] == "missing":
            return steps, f"{key!r} is missing"
        for step in steps[:-1]:
            kind = kind.model_fields[step].annotation  # type: ignore[assignment]
        keys = kind.model_fields
        near = did_you_mean(str(key), keys) or f" Allowed: {', '.join(keys)}"
        return steps, f"unknown key {key!r}.{near}"
    if not steps:
        if first["type"] == "value_error":
            return steps, str(first["ctx"]["error"])
        needed = [key for key, field in kind.model_fields.items() if field.is_required()]
        return steps, f"{shown(value)} is not a {unit} with {', '.join(needed)}"
    same = [detail for others, detail in found if others == steps]
    meant = (MEANT.get(d["type"], d["msg"].removeprefix("Input should be ")) for d in same)
    key = ".".join(map(str, steps))
    return steps, f"{key} {shown(value)} is not {' or '.join(dict.fromkeys(meant))}"


def _steps(loc: tuple[Any, ...], entry: Any) -> tuple[Any, ...]:
    """Of pydantic's steps to a value those that the entry has, not the kinds that it tried."""
    taken: list[Any] = []
    for step in loc:
        try:
            entry = entry[step]
        except (LookupError, TypeError):
            continue
        taken.append(step)
    return tuple(taken)


def shown(value: Any) -> str:
    """A value as JSON has it, cut short."""
    text = json.dumps(value, skipkeys=True, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."

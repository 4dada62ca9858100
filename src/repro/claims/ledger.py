"""Reading ``data/claims.yaml``: groups of claims with shared defaults, strictly validated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from repro.claims.claim import BASES, OWN, Basis, Claim
from repro.claims.judging import Judgement, Verdict, check_judge, in_words, judge
from repro.errors import InputError, did_you_mean
from repro.handwritten import LOADER, file_bytes, read_yaml
from repro.paths import root
from repro.records import Device


@dataclass(frozen=True, slots=True)
class Ledger:
    """All claims, in the file's order, and the papers they are from: key to title."""

    papers: dict[str, str]
    claims: tuple[Claim, ...]


class _Loader(LOADER):  # type: ignore[misc]
    """Keeps the digits of decimal numbers."""


_Loader.add_constructor(
    "tag:yaml.org,2002:float", lambda loader, node: Decimal(loader.construct_scalar(node))
)


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"unknown key {key!r}.{did_you_mean(key, Claim.model_fields)}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{key}: {message}" if key else message


def _shown(argument: object) -> object:
    """What stands for an argument in a text: words for a name, its key for a mapping of one."""
    if isinstance(argument, dict) and len(argument) == 1:
        (argument,) = argument
    if isinstance(argument, list):
        return " and ".join(str(_shown(value)) for value in argument)
    return in_words(argument) if isinstance(argument, str) else argument


def _claim(where: str, title: str, defaults: dict[str, Any], entry: object) -> Claim:
    if not isinstance(entry, dict):
        raise InputError(f"{where}: a claim is a mapping, not {entry!r}")
    name = f"{where}: claim {entry.get('id', entry)!r}"
    if "group" in entry:
        raise InputError(f"{name}: unknown key 'group'")
    args = {**(defaults.get("args") or {}), **(entry.get("args") or {})}
    args = {key: value for key, value in args.items() if value is not None}
    merged = {**defaults, **entry, "group": title, "args": args}
    merged = {key: value for key, value in merged.items() if value is not None}
    shown = {key: _shown(value) for key, value in args.items()}
    for key in ("where", "statement"):
        if isinstance(merged.get(key), str):
            try:
                merged[key] = merged[key].format_map(shown)
            except (KeyError, ValueError) as error:
                raise InputError(f"{name}: {key} needs the argument {error}") from None
    try:
        claim = Claim(**merged)
        check_judge(claim)
    except ValidationError as error:
        raise InputError(f"{name}: {_explain(error)}") from None
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None
    return claim


def load(path: Path | None = None) -> Ledger:
    """Read and validate a ledger, the project's ``data/claims.yaml`` when none is named.

    Raises:
        InputError: no such file, not YAML, an unknown key, a missing or wrong value, an id that
            occurs twice; the message names the entry.
    """
    path = path or root() / "data" / "claims.yaml"
    where = path.name
    document, _ = read_yaml(file_bytes(str(path), "ledger"), where, _Loader)
    if not isinstance(document, dict) or set(document) != {"papers", "groups"}:
        raise InputError(f"{where}: the top level needs the keys papers and groups, and no others")
    papers, claims = document["papers"], []
    for group in document["groups"]:
        if not isinstance(group, dict) or not {"title", "claims"} <= set(group):
            raise InputError(f"{where}: a group needs title and claims, not {group!r:.80}")
        title = group["title"]
        if unknown := set(group) - {"title", "defaults", "claims"}:
            raise InputError(f"{where}: group {title!r}: unknown key {min(unknown)!r}")
        for entry in group["claims"]:
            claim = _claim(where, title, group.get("defaults", {}), entry)
            if claim.paper not in papers:
                near = did_you_mean(claim.paper, papers)
                raise InputError(f"{where}: claim {claim.id!r}: no paper {claim.paper!r}.{near}")
            claims.append(claim)
    ids = [claim.id for claim in claims]
    if twice := sorted({i for i in ids if ids.count(i) > 1}):
        raise InputError(f"{where}: claim {twice[0]!r} occurs twice")
    first = {claim.id for claim in claims if not claim.repeats}
    for claim in claims:
        if claim.repeats and claim.repeats not in first:
            near = did_you_mean(claim.repeats, first)
            raise InputError(
                f"{where}: claim {claim.id!r}: no claim {claim.repeats!r} to repeat.{near}"
            )
    return Ledger(papers, tuple(claims))


def asked_of(device: Device) -> list[Claim]:
    """Claims of the project's own ledger that timings on such a device decide."""
    way = {"cuda": "gpu", "cpu": "cpu"}[device]
    return [
        claim
        for claim in load().claims
        if str(claim.args.get("way", "")).startswith(way)
        or (claim.args.get("protocol") or {}).get("device") == device
    ]


def judge_all(path: Path | None = None) -> list[Judgement]:
    """Judge every claim of a ledger, of the project's own when left out, in its order."""
    return [judge(claim) for claim in load(path).claims]


def totals(judged: Iterable[Judgement]) -> dict[Basis, Counter[Verdict]]:
    """How many of the papers' claims have each verdict, by what it rests on.

    Exact repeats and this book's own findings are not counted.
    """
    counted = [j for j in judged if j.paper != OWN and not j.repeats]
    return {basis: Counter(j.verdict for j in counted if j.basis == basis) for basis in BASES}

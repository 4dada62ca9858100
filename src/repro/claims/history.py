"""Which threshold stood before which record, read from git.

A threshold is what ``data/claims.yaml`` gives a judge: its arguments. It stood before the records
that it judges if it is the one that stood when the first file with such records was committed.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from repro.claims.claim import Claim
from repro.claims.ledger import asked_of
from repro.errors import InputError
from repro.evidence.timings import rates, timings
from repro.paths import root
from repro.stored import only, record_files

LEDGER = "data/claims.yaml"
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Arguments = dict[str, Any]


class Commit(NamedTuple):
    """Seconds since 1970, so that the earlier one is less; the date and the short hash."""

    seconds: int
    date: str
    name: str

    def __str__(self) -> str:
        return f"{self.date} {self.name}"


class Stood(NamedTuple):
    """A claim about time: when its threshold last changed, and when its records came.

    ``changed``: the arguments that changed after the first record, or were first given then.
    """

    claim: str
    since: Commit
    record: Commit | None
    changed: tuple[str, ...]

    @property
    def order(self) -> str:
        """The answer in words."""
        if self.record is None:
            return "before, no record yet"
        return f"changed after: {', '.join(self.changed)}" if self.changed else "before"


def history() -> list[Stood]:
    """Every claim that records decide, in the ledger's order, CPU first.

    Raises:
        InputError: this is no git repository that has the ledger's whole history.
    """
    if _git("rev-parse", "--is-shallow-repository") != "false\n" or not _commits(LEDGER):
        raise InputError("no git history here says which threshold stood before which record")
    versions = [(c, _thresholds(_git("show", f"{c.name}:{LEDGER}"))) for c in _commits(LEDGER)]
    found = []
    for claim in [*asked_of("cpu"), *asked_of("cuda")]:
        stated = [(c, known.get(claim.id, {})) for c, known in versions]
        steps = zip([{}, *(args for _, args in stated)], stated, strict=False)
        since = [c for last, (c, args) in steps if _changed(last, args)]
        if not since:  # not yet committed
            continue
        files = [_commits(str(file)) for file in record_files() if _holds(file, claim)]
        record = min((commits[0] for commits in files if commits), default=None)
        then = [args for c, args in stated if record and c <= record][-1:]
        changed = _changed(then[0], stated[-1][1]) if then else ["all of it"] * bool(record)
        found.append(Stood(claim.id, since[-1], record, tuple(changed)))
    return found


def _changed(then: Arguments, now: Arguments) -> list[str]:
    """Arguments that are new, gone, or of another value; another name alone is no change."""
    gone = {k: v for k, v in then.items() if k not in now}
    new = {k: v for k, v in now.items() if k not in then}
    other = {k for k in then.keys() & now.keys() if then[k] != now[k]}
    other |= {k for k, v in new.items() if v not in gone.values()}
    return sorted(other | {k for k, v in gone.items() if v not in new.values()})


def _holds(file: Path, claim: Claim) -> bool:
    """Whether a file has timings of the kind that a claim is judged by."""
    with only(file):
        way = claim.args.get("way")
        return bool(timings(way) if way else rates(claim.args["protocol"]))


def _git(*words: str) -> str:
    command = ["git", "-C", str(root()), *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def _commits(path: str) -> list[Commit]:
    """Those that touched a file, the first one first."""
    lines = _git("log", "--format=%ct %cs %h", "--", path).splitlines()
    return sorted(Commit(int(line.split()[0]), *line.split()[1:]) for line in lines)


def _thresholds(text: str) -> dict[str, Arguments]:
    """Arguments of judges by claim, as a version of the ledger gives them."""
    found = {}
    for group in yaml.load(text, Loader=Loader)["groups"]:
        defaults = group.get("defaults") or {}
        for claim in group["claims"]:
            args = {**(defaults.get("args") or {}), **(claim.get("args") or {})}
            found[claim["id"]] = {k: v for k, v in args.items() if v is not None}
    return found

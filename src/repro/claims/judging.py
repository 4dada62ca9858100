"""From published and computed values to a verdict.

A judge returns points: each sets one published value beside one computed value. The verdict
follows from the points by one rule for all claims, in `verdict_of`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Literal, TypeVar, get_args

from pydantic import ValidationError, validate_call

from repro.claims.claim import Basis, Claim, Kind
from repro.errors import InputError, did_you_mean

Verdict = Literal[
    "reproduced",
    "reproduced within tolerance",
    "trend reproduced",
    "not reproduced",
    "not testable here",
    "holds, exploratory",
    "rejected",
]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
EXPLORATORY: Verdict = "holds, exploratory"
"""The verdict on what this book found itself, where it holds: no test confirms it."""
REJECTED: Verdict = "rejected"
"""The verdict on what this book supposed, where it does not hold: no paper said it."""
Match = Literal["yes", "within tolerance", "no"]
Number = int | float | Fraction

WORDS = {
    "gflops": "flops",
    "mparams": "params",
    "macts": "acts",
    "epoch_minutes_8xv100": "minutes per epoch",
    "top1_error_percent": "error",
    "error_2x": "error after 2x",
    "error_4x": "error after 4x",
    "error_icml": "error reported at ICML",
    "error_arxiv": "error reported on arXiv",
    "se_ratio": "squeeze-excite ratio",
    "gpu_activation": "GPU activation",
    "tpu_activation": "TPU activation",
    "v100_fp16_ms_batch128": "milliseconds on V100",
    "tpuv3_ms_batch128": "milliseconds on TPUv3",
    "peak_tops": "peak rate",
}
"""What readers are shown for columns of the reference files; other names stand for themselves."""


def in_words(name: str) -> str:
    """A column of a reference file, or any other name, as readers are shown it."""
    return WORDS.get(name, name)


class NotTestable(Exception):
    """Raised by a judge that lacks what it needs (a record, a device); the message says what."""


@dataclass(frozen=True, slots=True)
class Point:
    """One published value beside ours, both as text, ours with three more digits than printed.

    Attributes:
        label: which one: a table row, a scale factor, a network.
        match: ``"yes"``: equal, or rounds to the printed digits, or the trend holds.
        distance: absolute difference in half units of the last printed digit (at most 1 rounds
            to it); 0 or 2 where values are compared exactly.
        difference: computed minus published, where both are numbers.
        machine: on which ours was measured; empty for counts and arithmetic.
    """

    label: str
    quantity: str
    published: str
    computed: str
    unit: str
    match: Match
    distance: float
    difference: float | None = None
    machine: str = ""

    def __str__(self) -> str:
        what = " ".join(filter(None, (self.label, self.quantity)))
        return f"{what}: {self.published} published, {self.computed} computed".lstrip(": ")


@dataclass(frozen=True, slots=True)
class Judgement:
    """A claim with its verdict, ready for a table: every field but ``n`` and ``points`` is text.

    ``published`` and ``computed`` show all values of a small set and the farthest of a large one;
    ``n`` is the number of values judged, ``points`` are all of them. ``machine`` is empty unless
    the values were measured. ``basis``: what the verdict rests on.
    """

    id: str
    group: str
    paper: str
    where: str
    kind: Kind
    statement: str
    published: str
    computed: str
    tolerance: str
    verdict: Verdict
    why: str
    n: int
    points: tuple[Point, ...]
    machine: str = ""
    basis: Basis = "nothing here"
    repeats: str = ""


def rounds_to(
    claim: Claim, label: str, quantity: str, published: Decimal, computed: Number, unit: str = ""
) -> Point:
    """Compare a value with a printed one, by the printed digits and the claim's tolerance.

    The comparison is exact: a computed value that lies on the edge between two printed ones
    rounds to either. A tolerance narrower than the digits stands in their place.
    """
    exponent = published.as_tuple().exponent
    if not isinstance(exponent, int):
        raise InputError(f"claim {claim.id!r}: published value {published} is not finite")
    decimals = max(0, -exponent)
    half_unit = Fraction(10) ** exponent / 2
    difference = Fraction(computed) - Fraction(published)
    match: Match = "yes" if abs(difference) <= half_unit else "no"
    if allowed := claim.tolerance:
        near = abs(difference) <= Fraction(allowed.abs)
        exact = match == "yes" and not allowed.read
        match = "no" if not near else "yes" if exact else "within tolerance"
    text, off = f"{float(computed):.{decimals + 3}f}", float(abs(difference) / half_unit)
    shown = str(published), text, unit
    return Point(label, in_words(quantity), *shown, match, off, float(difference))


def holds(
    label: str, required: str, found: str, ok: bool, quantity: str = "", unit: str = ""
) -> Point:
    """A condition of a trend, with the values on which it was decided."""
    match: Match = "yes" if ok else "no"
    return Point(label, in_words(quantity), required, found, unit, match, 0.0 if ok else 2.0)


def equals(label: str, quantity: str, published: object, computed: object, unit: str = "") -> Point:
    """Compare two values that must be equal."""
    equal = published == computed
    return holds(label, str(published), str(computed), equal, quantity, unit)


def between(
    label: str, low: float, high: float, found: float, spec: str, unit: str = "", quantity: str = ""
) -> Point:
    """A condition of a trend: a value lies between two bounds."""
    required, text = f"{low:g} to {high:g}{unit}", f"{found:{spec}}{unit}"
    return holds(label, required, text, low <= found <= high, quantity)


def at_least(
    label: str, bound: float, found: float, spec: str, what: str = "", unit: str = ""
) -> Point:
    """A condition of a trend: a value reaches a bound."""
    return holds(label, f"{what}at least {bound:g}{unit}", f"{found:{spec}}", found >= bound)


def beyond_chance(found: Sequence[tuple[Point, float, float]]) -> list[Point]:
    """Conditions on what was measured once, each with its margin and what chance alone moves.

    Raises:
        NotTestable: none fails, and a margin is within chance.
    """
    close = [
        f"{p.published}: {p.computed}, ± {chance:.2f} by chance"
        for p, margin, chance in found
        if margin < chance
    ]
    points = [p for p, margin, chance in found if margin >= chance]
    if close and all(p.match == "yes" for p in points):
        raise NotTestable(f"Undecided, within the noise of runs: {'; '.join(close)}.")
    return points


Found = TypeVar("Found")


def on_each(
    machines: Mapping[str, Found],
    judged: Callable[[str, Found], Iterable[Point]],
    missing: str,
    how: str,
    named: Callable[[str, Found], str] = lambda machine, _: machine,
) -> list[Point]:
    """Points measured on all machines, each with its machine; of several it stands in the label.

    Args:
        judged: the points of one machine; `NotTestable` names what it lacks for the claim.
        missing: what is needed. how: the command that records it.
        named: a machine as readers are shown it.

    Raises:
        NotTestable: no machine has any point; says what is missing, and of which machine.
    """
    points: list[Point] = []
    lacks: list[str] = []
    for machine, found in machines.items():
        name = named(machine, found)
        try:
            points += [replace(point, machine=name) for point in judged(machine, found)]
        except NotTestable as lacking:
            lacks.append(f"; {name} lacks {lacking}")
    if not points:
        raise NotTestable(f"{missing}{''.join(lacks)}. This records them: {how}")
    if len({point.machine for point in points}) > 1:
        return [replace(point, label=f"{point.machine}: {point.label}") for point in points]
    return points


Points = Iterable[Point]
"""What a judge returns, or yields."""
JudgeFunction = Callable[..., Points]
JUDGES: dict[str, JudgeFunction] = {}
"""Judging functions by name. The first argument is the claim, the others come from ``args``."""
BASIS_OF: dict[str, Basis] = {}
"""What the verdicts of a judge rest on."""


def judge_function(basis: Basis) -> Callable[[JudgeFunction], JudgeFunction]:
    """Register a judging function under its own name; its arguments are validated when called."""

    def register(function: JudgeFunction) -> JudgeFunction:
        name = function.__name__
        if name in JUDGES:
            raise ValueError(f"two judges are called {name!r}")
        JUDGES[name], BASIS_OF[name] = validate_call(function), basis
        return function

    return register


def check_judge(claim: Claim) -> None:
    """Raise `ValueError` unless the claim's judge exists and takes exactly its arguments."""
    if claim.judge is None:
        return
    if claim.judge not in JUDGES:
        raise ValueError(f"no judge {claim.judge!r}.{did_you_mean(claim.judge, JUDGES)}")
    signature = inspect.signature(JUDGES[claim.judge])
    try:
        signature.bind(None, **claim.args)
    except TypeError as error:
        takes = ", ".join(list(signature.parameters)[1:]) or "no arguments"
        raise ValueError(f"judge {claim.judge!r}: {error}; it takes {takes}") from None


HOLDING: Mapping[Kind, Verdict] = {
    "trend": "trend reproduced",
    "exploratory": EXPLORATORY,
}
"""The verdict where all conditions hold, of the kinds that have conditions."""


def verdict_of(kind: Kind, points: Sequence[Point]) -> Verdict:
    """The verdict on a set of points: as good as its worst one."""
    matches = {point.match for point in points}
    if "no" in matches:
        return REJECTED if kind == "exploratory" else "not reproduced"
    if kind in HOLDING:
        return HOLDING[kind]
    return "reproduced within tolerance" if "within tolerance" in matches else "reproduced"


FEW = 4
"""Up to so many points are all shown; of larger sets the farthest, or none where all are equal."""


def _shown(kind: Kind, points: Sequence[Point], worst: Point) -> tuple[str, str]:
    """``published`` and ``computed`` of a judgement."""
    if len(points) > FEW and worst.match != "no" and kind != "number":
        what, fine = ("conditions", "all hold") if kind in HOLDING else ("values", "all equal")
        return f"{len(points)} {what}", fine
    shown = points if len(points) <= FEW else (worst,)
    unit = f" {shown[0].unit}".rstrip() if len({p.unit for p in shown}) == 1 else ""
    published = " / ".join(p.published for p in shown)
    return published + unit, " / ".join(p.computed for p in shown) + unit


def _why(claim: Claim, points: Sequence[Point], worst: Point) -> str:
    n = len(points)
    off = sum(p.match == "no" for p in points)
    near = sum(p.match == "within tolerance" for p in points)
    # What is compared exactly, words among it, is equal or not: nothing is farther than the rest.
    first = "the farthest is" if worst.difference is not None else "for example"
    farthest = f"; {first} {worst}" if n > 1 else ""
    every = "both" if n == 2 else f"all {n}"
    if off:
        text = f"{every if off == n else f'{off} of {n}'} off{farthest}" if n > 1 else "off"
    elif claim.kind in HOLDING:
        text = f"{every} conditions hold" if n > 1 else "holds"
    elif claim.tolerance and claim.tolerance.read:
        text = f"{every} values as near" if n > 1 else "as near"
        text += f" as a drawing can be read{farthest}"
    elif near:
        text = f"{near} of {n} not" if n > 1 else "not"
        text += f" to the last printed digit{farthest}"
    elif claim.kind == "identity":
        text = f"{every} values equal" if n > 1 else "equal"
    else:
        text = f"{every} values round" if n > 1 else "rounds"
        text += " to the printed digits" + (farthest if n > FEW else "")
    if machines := _machines(points):
        text += f"; on {machines}"
    return f"{text}. {claim.note}" if claim.note else text


def _machines(points: Sequence[Point]) -> str:
    return " and ".join(dict.fromkeys(p.machine for p in points if p.machine))


def judge(claim: Claim) -> Judgement:
    """Judge one claim.

    Raises:
        InputError: an argument of the claim's judge has the wrong type, or the judge found
            nothing to judge; the message names the claim.
    """
    points: tuple[Point, ...] = ()
    untestable = claim.not_testable
    if claim.judge:
        try:
            points = tuple(JUDGES[claim.judge](claim, **claim.args))
        except NotTestable as missing:
            untestable = str(missing)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise InputError(f"claim {claim.id!r}: {where}: {first['msg']}") from None
        except InputError as error:
            raise InputError(f"claim {claim.id!r}: {error}") from None
        if not points and not untestable:
            raise InputError(f"claim {claim.id!r}: its judge found no value to judge")
    unit = f" {claim.unit}" if claim.unit else ""
    literal = " / ".join(map(str, claim.published)) + unit
    exact = {"identity": "none", **dict.fromkeys(HOLDING, "none beyond the stated thresholds")}
    tolerance = exact.get(claim.kind, "the printed digits") if claim.judge else ""
    if claim.tolerance:
        tolerance = f"{claim.tolerance.abs}{unit}: {claim.tolerance.why}"
    published, computed, why = literal.strip(), "", untestable or ""
    verdict: Verdict = "not testable here"
    if points:
        worst = max(points, key=lambda p: (p.match == "no", p.distance))
        published, computed = _shown(claim.kind, points, worst)
        verdict, why = verdict_of(claim.kind, points), _why(claim, points, worst)
    keys = ("id", "group", "paper", "where", "kind", "statement", "repeats")
    same = {k: getattr(claim, k) for k in keys}
    return Judgement(
        **same,
        published=published,
        computed=computed,
        tolerance=tolerance,
        verdict=verdict,
        why=why,
        n=len(points),
        points=points,
        machine=_machines(points),
        basis=claim.basis or BASIS_OF.get(claim.judge or "", "nothing here"),
    )

"""One entry of the ledger: what a paper says, and how it is to be judged."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from repro.reference import reference_file

Kind = Literal["identity", "number", "trend", "exploratory"]
Basis = Literal[
    "our counts against the paper",
    "the authors' code",
    "the paper against itself",
    "theory",
    "our model",
    "our measurement",
    "public measurements",
    "nothing here",
]
"""What a verdict rests on: every judge has one; what has no judge rests on nothing here."""
BASES: tuple[Basis, ...] = get_args(Basis)
OWN = "own"
"""The key under ``papers`` of what this book found itself, and no paper says."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tolerance(_Strict):
    """How far a computed value may lie from the published one, in the claim's unit, and why.

    ``read``: read off a drawing, so that no digit is the paper's: at best within tolerance.
    """

    abs: Annotated[Decimal, Field(gt=0)]
    why: Annotated[str, Field(min_length=1)]
    read: bool = False


def _in_data_reference(name: str) -> str:
    reference_file(name)
    return name


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else (value,)


class Claim(_Strict):
    """One entry of the ledger.

    Attributes:
        id: stable slug. group: heading of the group it stands under. paper: a key of ``papers``.
        where: table, figure or section, with the row or curve.
        kind: ``identity`` (equal to the last unit), ``number``, ``trend``, or ``exploratory``: a
            trend of this book's own, seen in the data before any threshold was set.
        statement: one plain sentence.
        published: printed value or values, when they are not in a reference file; digits count.
        unit: of them and of the tolerance.
        read_in: the source in which the published value was read.
        reference: file of ``data/reference/`` that holds the published values.
        tolerance: for numbers; without it the printed digits decide.
        judge, args: judging function and its arguments.
        not_testable: instead of a judge, why nothing here can decide it.
        note: the reason of a known deviation, or what a reader should know.
        basis: what the verdict rests on, where it is not what the judge's verdicts rest on.
        repeats: the claim of which this one is a repeat: same network, same printed numbers.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    group: str
    paper: str
    where: Annotated[str, Field(min_length=1)]
    kind: Kind
    statement: Annotated[str, Field(min_length=1)]
    published: Annotated[tuple[Decimal, ...], BeforeValidator(_as_tuple)] = ()
    unit: str = ""
    read_in: Annotated[str, Field(min_length=1)]
    reference: Annotated[str, AfterValidator(_in_data_reference)] | None = None
    tolerance: Tolerance | None = None
    judge: str | None = None
    args: dict[str, Any] = {}
    not_testable: str | None = None
    note: str = ""
    basis: Basis | None = None
    repeats: str = ""

    @model_validator(mode="after")
    def _check_judge(self) -> Claim:
        if (self.judge is None) == (self.not_testable is None):
            raise ValueError("give either judge or not_testable")
        if self.judge and self.tolerance and self.kind != "number":
            raise ValueError("only a claim of kind number has a tolerance")
        if (self.kind == "exploratory") != (self.paper == OWN):
            raise ValueError(f"claims of kind exploratory, and no others, stand under {OWN!r}")
        return self

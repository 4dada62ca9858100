"""The tables of the page "How to use this book", made from the code that they describe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pandas as pd

from repro.book.parameters import CHAPTERS
from repro.claims import VERDICTS, judge_all

MEANING: Mapping[str, str] = {
    "reproduced": "Ours equals the published value, or rounds to the digits printed.",
    "reproduced within tolerance": (
        "Ours differs by no more than the tolerance in the ledger, which says why it is that wide."
    ),
    "trend reproduced": "A statement of order or direction holds for our numbers.",
    "not reproduced": "It does not hold here. The scoreboard shows by how much, and why if known.",
    "not testable here": "It needs what this book does not have; the ledger says what.",
}
"""What each verdict says."""


def parameters() -> pd.DataFrame:
    """What each chapter can be run with: columns chapter, parameter, default, meaning."""
    rows = [
        {
            "chapter": chapter,
            "parameter": name,
            "default": repr(field.default),
            "meaning": field.description,
        }
        for chapter, model in CHAPTERS.items()
        for name, field in model.model_fields.items()
    ]
    return pd.DataFrame(rows)


def tiers() -> pd.DataFrame:
    """What a tier changes, where it changes something: columns chapter, tier, parameter, value."""
    rows = [
        {"chapter": chapter, "tier": tier, "parameter": name, "value": repr(value)}
        for chapter, model in CHAPTERS.items()
        for tier, values in model.tiers.items()
        for name, value in values.items()
    ]
    return pd.DataFrame(rows, columns=["chapter", "tier", "parameter", "value"])


def verdicts() -> pd.DataFrame:
    """The five verdicts, what they say, and how many claims have each now."""
    count = Counter(judgement.verdict for judgement in judge_all())
    return pd.DataFrame(
        [{"verdict": v, "meaning": MEANING[v], "claims": count[v]} for v in VERDICTS]
    )

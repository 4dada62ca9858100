"""What each verdict says; the page "How to use this book" has the same in a table."""

from __future__ import annotations

from collections.abc import Mapping

MEANING: Mapping[str, str] = {
    "reproduced": "Ours equals the published value, or rounds to the digits printed.",
    "reproduced within tolerance": (
        "Ours differs by no more than the ledger's tolerance, which says why it is that wide."
    ),
    "trend reproduced": "A statement of order or direction holds for our numbers.",
    "not reproduced": "It does not hold here. The scoreboard says by how much, and why if known.",
    "not testable here": "It needs data, hardware, definitions or timings that are not here.",
}

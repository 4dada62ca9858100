"""What the papers say, and how counts, records and arithmetic judge it.

``data/claims.yaml`` is the one list behind the scoreboard, the comparison tables and the tests.

    [j.id for j in judge_all() if j.verdict == "not reproduced"]

A new kind of claim needs a judge: a function decorated with `judge_function`, in a module below.
"""

from repro.claims import (
    accelerators,
    arithmetic,
    counting,
    exploratory,
    exponents,
    latency_scaling,
    rooflines,
    searching,
    speedups,
    timing,
)
from repro.claims.claim import BASES, OWN, Basis, Claim, Tolerance
from repro.claims.judging import (
    BASIS_OF,
    EXPLORATORY,
    JUDGES,
    REJECTED,
    VERDICTS,
    Judgement,
    NotTestable,
    Point,
    Verdict,
    judge,
    judge_function,
)
from repro.claims.ledger import Ledger, asked_of, judge_all, load, totals

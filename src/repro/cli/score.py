"""``repro search --score``: networks of EfficientNet-B0's own space, scored from a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from repro.cli.text import json_lines
from repro.errors import InputError, did_you_mean
from repro.text import aligned

COLUMNS = ("e", "k", "l", "se")


def print_scores(path: str, device: str, as_json: bool) -> None:
    """What ``repro search --score`` prints."""
    rows = score_rows(path, device)
    print(json_lines(rows) if as_json else score_text(rows))


def score_rows(path: str, device: str = "all") -> list[dict[str, Any]]:
    """Predictions for the networks of a file, in its order.

    Returns:
        For each row ``top1``, percent, and ``ms``, milliseconds an image by device.

    Raises:
        InputError: a file, column, row or device that cannot be used; names file and line.
    """
    from repro.search.table import table
    from repro.search.throughput import DEVICES, throughput

    devices = DEVICES if device == "all" else (_device(device, DEVICES),)
    points = read_points(path)
    top1 = table().top1(points).tolist()
    times = {name: throughput(name).ms(points).tolist() for name in devices}
    # to more digits than are known, and to fewer than depend on a row's place in the file
    return [
        {
            "top1": round(value, 4),
            "ms": {name: float(f"{times[name][i]:.6g}") for name in devices},
        }
        for i, value in enumerate(top1)
    ]


def _device(text: str, devices: Any) -> str:
    plain = {name.replace(" ", "").lower(): name for name in devices}
    if found := plain.get(text.replace(" ", "").lower()):
        return found
    near = did_you_mean(text, devices)
    raise InputError(f"unknown device {text!r}.{near} Allowed: all, {', '.join(devices)}")


def read_points(path: str) -> Any:
    """The networks of a CSV file as codes of the space; other columns than e, k, l, se may stand.

    Zeros that a spreadsheet dropped from the front of se are put back: no other column has any.
    """
    import numpy as np

    from repro.search.rows import read_rows
    from repro.search.table import codes

    def read(row: Sequence[str]) -> Any:
        *others, se = row
        return codes([(*others, se and se.zfill(7))])

    return np.concatenate(read_rows(path, "score", COLUMNS, read))


def score_text(rows: list[dict[str, Any]]) -> str:
    """The table of `repro search --score`, with how far such predictions are off."""
    from repro.search.table import table
    from repro.search.throughput import throughput

    devices = list(rows[0]["ms"])
    cells = [
        (str(i), f"{row['top1']:.2f}", *(f"{row['ms'][name]:.4f}" for name in devices))
        for i, row in enumerate(rows, 1)
    ]
    off = ", ".join(f"{name} {100 * throughput(name).held_out.median:.1f} %" for name in devices)
    return (
        f"{aligned(('row', 'top-1', *(f'{name} ms' for name in devices)), cells)}\n\n"
        f"Predicted. Top-1 in percent, under the table's short schedule; off by "
        f"{table().held_out.mae:.2f} points on\naverage for networks not seen. Milliseconds an "
        f"image at the table's (unstated) batch and number format;\nmedian error for networks not "
        f"seen: {off}."
    )

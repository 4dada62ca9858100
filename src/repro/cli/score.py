"""``repro search --score``: networks of EfficientNet-B0's own space, scored from a CSV file."""

from __future__ import annotations

import csv
from pathlib import Path
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
    from threadpoolctl import threadpool_limits

    from repro.search.table import table
    from repro.search.throughput import DEVICES, throughput

    devices = DEVICES if device == "all" else (_device(device, DEVICES),)
    points = read_points(path)
    with threadpool_limits(
        1
    ):  # on a busy machine the threads of small products wait for each other
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
    from repro.search.table import codes

    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a path with a null character
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"score file {path!r} cannot be read: {reason}") from None
    reader = csv.reader(text.splitlines())
    try:
        header = [cell.strip() for cell in next(reader, [])]
        for name in COLUMNS:
            if header.count(name) != 1:
                many = "two columns" if name in header else "no column"
                raise InputError(f"{path}: {many} {name}; {', '.join(COLUMNS)} are needed, once")
        places = [header.index(name) for name in COLUMNS]
        found = []
        for cells in reader:
            if not cells:
                continue  # an empty line
            where = f"{path}, line {reader.line_num}"
            if len(cells) != len(header):
                raise InputError(f"{where}: {len(cells)} cells, the header has {len(header)}")
            *row, se = (cells[place].strip() for place in places)
            try:
                found.append(codes([(*row, se.zfill(7) if se else se)]))
            except InputError as error:
                raise InputError(f"{where}: {error}") from None
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}") from None
    if not found:
        raise InputError(f"{path} holds no network; a row after its header is needed")
    import numpy as np

    return np.concatenate(found)


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

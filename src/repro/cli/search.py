"""``repro search``: networks of a space, scored.

Nothing here imports numpy before a network is scored.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Any

import typer

from repro.cli.text import json_lines
from repro.errors import InputError, did_you_mean
from repro.text import aligned

COLUMNS = ("e", "k", "l", "se")


def search(
    score: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Score the networks of a CSV file: columns e, k, l, se."),
    ] = None,
    device: Annotated[
        str, typer.Option(metavar="D", help="Times on one device, such as A100, or on all.")
    ] = "all",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in place of text.")] = False,
) -> None:
    """Score networks of EfficientNet-B0's own search space.

    A row's e, k, l, se are seven digits each, one for each stage: expansion 1, 4, 6; kernel
    3, 5; repeats 1 to 3, in the sixth stage to 4; squeeze-excite 0, 1. Top-1 and time are
    predicted by models of thousands of such networks, trained under a short schedule and
    timed by others (Accel-NASBench).

    \b
    Examples:
      repro search --score networks.csv
      repro search --score networks.csv --device A100 --json
    """
    if score is None:
        raise InputError("give --score FILE, a CSV file with columns e, k, l, se")
    rows = score_rows(score, device)
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
    return [
        {"top1": value, "ms": {name: times[name][i] for name in devices}}
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

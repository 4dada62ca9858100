"""A reader's own device, from records."""

import pytest
from made_up_records import MACHINE
from made_up_timings import CPU, by_all, records

from repro.errors import InputError
from repro.prices.own import own_price
from repro.stored import append


def write(path, made):
    for record in made:
        append(path, record)
    return path


def test_the_law_behind_records_is_found(tmp_path):
    price = own_price(
        write(tmp_path / "mine.jsonl", records("laptop", by_all, CPU)), "infer", False
    )
    assert price.device == "made-up-cpu-2-threads"
    assert price.networks >= 12 and price.errors["all"] < 0.02


def test_too_few_networks(tmp_path):
    file = write(tmp_path / "mine.jsonl", records("laptop", by_all, CPU)[:4])
    with pytest.raises(InputError, match=r"whole networks timed in one way .*12 are needed"):
        own_price(file, "infer", False)
    with pytest.raises(InputError, match=r"has 0 whole networks.*training, compiled"):
        own_price(file, "train", True)


def test_two_machines(tmp_path):
    other = MACHINE.model_copy(update={"device_name": "Another CPU"})
    file = write(tmp_path / "both.jsonl", records("laptop", by_all, CPU))
    write(file, records("laptop", by_all, other))
    with pytest.raises(InputError, match=r"timings of .* and .*; one machine is allowed"):
        own_price(file, "infer", False)

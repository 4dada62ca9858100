import csv

import pytest

from repro import reference
from repro.errors import InputError
from repro.evidence.public import Setting, public_timings, setting_of, settings


def test_a_setting_is_its_columns_name():
    name = "rtx3090/train/amp/nhwc/1.12/eager"
    assert setting_of(name) == Setting("rtx3090", "train", "amp", "nhwc", "1.12", "eager")
    assert str(setting_of(name)) == name


@pytest.mark.parametrize(
    "name", ["rtx3090", "rtx3090/infer/amp/nchw/1.13", "a/fit/amp/nchw/1/eager", "a/infer/b/c/1/x"]
)
def test_what_is_no_setting(name):
    with pytest.raises(InputError, match=f"'{name}' is no setting"):
        setting_of(name)


def test_every_column_is_a_setting():
    with reference.reference_file("public_timings.csv").open(encoding="utf-8", newline="") as file:
        _, _, _, _, _, _, *columns = next(csv.reader(file))
    assert {*map(str, settings())} == {*columns}
    assert settings()[0].device == "rtx3090" and settings()[0].what == "infer"


def test_seconds_are_the_inverse_of_the_rates():
    for row, printed in zip(public_timings(), reference.public_timings(), strict=True):
        assert (row.model, row.family, row.resolution) == printed[:3]
        assert {str(s): round(1 / t, 2) for s, t in row.seconds.items()} == {
            name: float(rate) for name, rate in printed.images_per_s.items()
        }


def test_a_network_stands_once_at_each_image_size():
    rows = public_timings()
    assert len({(row.model, row.resolution) for row in rows}) == len(rows)
    assert len({row.model: row.family for row in rows}) == len({(r.model, r.family) for r in rows})

"""Descriptions in files."""

import json
import re

import pytest

from repro.arch import NAMES, get, to_config
from repro.arch.description import read_description
from repro.errors import InputError

CONFIG = to_config(get("ResNet-50"))


def written(folder, content):
    path = folder / "mine.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(
    "name", [n for n in NAMES if to_config(get(n))["type"] in ("anynet", "effnet")]
)
def test_what_a_network_prints_is_read_back(name, tmp_path):
    net = get(name)
    for content in (to_config(net), {"model": name, "config": to_config(net)}):
        found = read_description(written(tmp_path, content))
        assert found.name == "mine" and to_config(found) == to_config(net)
        assert get(str(tmp_path / "mine.json")) == found


def test_a_byte_order_mark_does_no_harm(tmp_path):
    assert read_description(written(tmp_path, "\ufeff" + json.dumps(CONFIG))).resolution == 224


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"type": "effnet", "res": 224, "res": 96}', "mine.json: key 'res' stands twice"),
        ([1], "is no description: an object is needed whose type is 'anynet' or 'effnet'"),
        ({"type": "vit"}, "is no description"),
        (CONFIG | {"dephts": [1]}, "unknown key 'dephts'. Did you mean 'depths'?"),
        (CONFIG | {"depths": [3, 4, 6]}, "must be equally long"),
        (CONFIG | {"depths": "3463"}, "depths '3463' is not allowed; a list of numbers"),
        (CONFIG | {"depths": [3, 4, 6, 2.5]}, "a list of numbers is needed"),
        (CONFIG | {"widths": [256, 512, 1024, -8]}, "width -8 is too small"),
        (CONFIG | {"res": True}, "res True is not allowed; such as 224 is needed"),
        (CONFIG | {"res": 8}, "resolution 8 is too small"),
        (CONFIG | {"activation": "gelu"}, "activation 'gelu' is not allowed; relu and silu are"),
        (CONFIG | {"stem_type": "x"}, "stem_type 'x' with block_type"),
        ({k: v for k, v in CONFIG.items() if k != "widths"}, "widths None is not allowed"),
    ],
)
def test_what_is_no_description(tmp_path, content, message):
    with pytest.raises(InputError, match=re.escape(message)):
        read_description(written(tmp_path, content))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_description(tmp_path / "none.json")

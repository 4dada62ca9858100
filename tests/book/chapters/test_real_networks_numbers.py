"""Key numbers of the chapter: named for the whole book, and what the frames say."""

import pandas as pd

from repro.analysis.scaling import printed as published
from repro.analysis.scaling import recovery
from repro.analysis.scaling import rounding as real
from repro.book.chapters import real_networks_numbers as numbers


def test_names_carry_the_chapter_and_values_are_plain():
    after, before = real.sawtooth(["EN-B0"], "r", 1, 4)
    slopes = real.exponents(["EN-B0"], [1, 4])
    every = (
        numbers.rounded_row()
        | numbers.misses("r", after, before)
        | numbers.four_pixels(real.map_sides("EN-B0", [224, 228]))
        | numbers.causes(slopes, 4)
        | numbers.drawn(published.drawn_frame())
        | numbers.intervals(published.scale_intervals())
        | numbers.contradictions({b: recovery.broken(b) for b in recovery.SEARCHED})
        | numbers.heads(recovery.head_scan())
        | numbers.readings(published.group_width_readings())
    )
    assert all(name.startswith("real_") for name in every)
    assert {type(value) for value in every.values()} <= {int, float, str}
    assert every["real_wrong"].startswith("none of the") and every["real_least"] > 0
    assert every["real_drawn_agree"] == f"All {every['real_drawn']}"
    assert every["real_head_eights"] == "992 and 1000"
    assert (every["real_ec16"], every["real_t8_16"]) == (16.0, 15.9)
    assert every["real_y16_printed"] == 15.5


def test_misses_by_hand():
    after = pd.DataFrame({"miss": [0.9, 1.25]})
    before = pd.DataFrame({"miss": [1.0, 1.02]})
    found = numbers.misses("d", after, before)
    assert round(found["real_miss_short"], 9) == 10
    assert found["real_miss_over"] == 25
    assert found["real_before_short"] == 0


def test_searches_by_hand():
    result = recovery.Search("RegNetY-4GF", 2_000_000_000, (("a", (1, 2)), ("b", (1,))))
    assert numbers.searches({"RegNetY-4GF": result}) == {
        "real_space_4gf": 2.0,
        "real_first_4gf": 2,
        "real_second_4gf": 1,
        "real_found_4gf": 1,
        "real_left": "one each is left",
    }
    more = recovery.Search("RegNetY-500MF", 1_000_000_000, (("a", (1, 2, 3)), ("b", (1, 2))))
    both = {"RegNetY-500MF": more, "RegNetY-4GF": result}
    assert numbers.searches(both)["real_left"] == "2 and 1 are left"

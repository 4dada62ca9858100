"""What prices are fitted to, source by source."""

from made_up_timings import CPU, by_acts, by_all, records

from repro.evidence.public import settings
from repro.prices import sources
from repro.prices.sources import public, recorded, stored_timings, v100


def test_every_setting_of_the_public_table():
    found = list(public())
    assert [t.setting for t in found] == [str(setting) for setting in settings()]
    by_name = {t.setting: t for t in found}
    one = by_name["rtx3090/train/amp/nhwc/1.12/eager"]
    assert (one.device, one.mode, one.compiled) == ("rtx3090", "train", False)
    (bat,) = [t for t in one.networks if t.name == "bat_resnext26ts 256"]
    assert (bat.family, bat.unit, bat.seconds) == ("byobnet", "byobnet", 1 / 613.61)


def test_the_first_paper_s_gpus():
    infer, train, figure = v100()
    assert [len(t.networks) for t in (infer, train, figure)] == [36, 36, 187]
    assert {t.device for t in (infer, train, figure)} == {"v100"}
    assert all(a.seconds < b.seconds for a, b in zip(infer.networks, train.networks, strict=True))
    assert len({point.unit for point in figure.networks}) > 2 * len(
        {point.family for point in figure.networks}
    )  # curves are units, families are held out
    seconds = {point.name: point.seconds for point in figure.networks}
    assert 1e-4 < seconds["EN-B0 d 1"] < 1e-2 if "EN-B0 d 1" in seconds else seconds


def test_records_by_machine_and_way():
    made = records("laptop", by_all, CPU)
    found = recorded(made)
    assert len(found[0].networks) >= len(found[-1].networks)
    assert {t.device for t in found} == {"made-up-cpu-2-threads"}
    assert {t.mode for t in found} == {"infer", "train"}
    setting = found[0].setting.split("/")
    assert len(setting) == 6 and setting[-1] == "eager"
    names = {timed.name for timed in found[0].networks}
    assert not any("MBConv" in name for name in names)


def test_the_later_of_two_timings_counts():
    first, second = (records("laptop", law, CPU) for law in (by_all, by_acts))
    assert recorded([*first, *second]) == recorded(second)


def test_stored_records_give_sets_of_several_families(monkeypatch):
    made = records("laptop", by_all, CPU)
    monkeypatch.setattr(sources, "stored", lambda: made)
    assert stored_timings(12)
    assert all(len({n.family for n in t.networks}) > 1 for t in stored_timings(12))
    assert not stored_timings(1000)

"""``repro advise`` as a user types it."""

import json

import pytest

WORDS = ["strategy", "scale", "flops", "params", "acts", "ms", "ms_error", "top1_error", "tied"]


def test_what_other_tools_read(run):
    status, out, err = run("advise", "EN-B0", "--budget", "2x", "--device", "rtx4090", "--json")
    rows = json.loads(out)
    assert (status, err) == (0, "")
    assert len(rows) == 10 and all(list(row)[: len(WORDS)] == WORDS for row in rows)
    assert rows[0]["tied"] is True and rows[-1]["tied"] is False
    assert all(row["top1_error"] > 15 and 0 < row["ms_error"] < 0.2 for row in rows)


def test_its_scales_are_those_of_complexity(run):
    row = json.loads(run("advise", "EN-B0", "--budget", "1GF", "--json")[1])[0]
    words = ("--strategy", row["strategy"], "--scale", str(row["scale"]))
    counted = json.loads(run("complexity", "EN-B0", *words, "--paper-names", "--json")[1])
    assert [counted[k] for k in ("flops", "params")] == [row["flops"], row["params"]]


def test_what_decides_stands_first_and_ties_are_named(run):
    status, out, _ = run("advise", "EN-B0", "--budget", "2x", "--device", "rtx3090")
    first, *_ = out.splitlines()
    assert status == 0 and first.startswith("flops are ") and "EN-B0's time on rtx3090" in first
    assert "these cannot be told apart; least memory first:" in out
    assert out.count("\nbest  ") == 1
    assert "EN-B0's own error: 22.72 % (Fast and Accurate Model Scaling)" in out
    assert "Nobody published" not in out


def test_unknown_accuracy_is_said(run):
    _, out, _ = run("advise", "EN-X-B0", "--budget", "2x", "--device", "H100")
    assert "Accuracy is unknown for EN-X-B0; give its --error" in out
    assert "how EfficientNet-X scales: carried over from\nEfficientNet, RegNetY" in out
    rows = json.loads(run("advise", "EN-X-B0", "--budget", "2x", "--device", "H100", "--json")[1])
    assert all(row["top1_error"] is row["ms_error"] is None for row in rows)


def test_a_given_error_and_far_budgets(run):
    _, out, _ = run("advise", "ResNet-50", "--budget", "300GF", "--error", "23.9")
    assert "own error: 23.9 % (given)" in out
    assert "* BEYOND WHAT WAS PUBLISHED: more than 11 times the flops" in out
    assert "unknown*" in out and "the card has 24" in out
    assert "Beyond the budget's reach: r." in run("advise", "EN-B0", "--budget", "20Mparams")[1]


def test_a_description_of_ones_own(run, tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(run("complexity", "ResNet-50", "--json")[1])
    status, out, _ = run("advise", str(path), "--budget", "2x", "--json")
    named = json.loads(run("advise", "ResNet-50", "--budget", "2x", "--json")[1])
    rows = json.loads(out)
    assert status == 0 and [r["flops"] for r in rows] and rows[0]["top1_error"] is None
    assert {r["strategy"]: r["flops"] for r in rows} == {r["strategy"]: r["flops"] for r in named}


def test_networks_of_timms(run):
    words = ("advise", "timm/convnext_atto", "--budget", "1.3x")
    status, out, _ = run(*words)
    assert status == 0 and "Nobody published how convnext scales" in out
    assert "Accuracy is unknown for timm/convnext_atto" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["EN-B0", "--budget", ""], "budget '' is not allowed; a positive number and a unit"),
        (["EN-B0", "--budget", "-5ms"], "budget '-5ms' is not allowed"),
        (["EN-B0", "--budget", "5parsec"], "unknown unit 'parsec'"),
        (["EN-B0", "--budget", "0.05ms"], "EN-B0 itself needs 0.113 ms"),
        (["EN-B0", "--budget", "2x", "--device", "rtx409"], "Did you mean 'rtx4090'?"),
        (["EN-B0", "--budget", "2x", "--error", "12"], "error 12 is not allowed"),
        (["EN-B0", "--budget", "2x", "--error", "nan"], "error nan is not allowed"),
        (["EN-B00", "--budget", "2x"], "unknown network 'EN-B00'. Did you mean"),
        (["none.json", "--budget", "2x"], "description 'none.json' cannot be read"),
        (["timm/mobilenetv3_small_050", "--budget", "2x"], "takes no depths and widths in timm"),
        (["EN-B0", "--budget", "2x", "--device", "mine.jsonl"], "for `repro search`"),
    ],
)
def test_what_cannot_be_answered(fails, arguments, words):
    assert words in fails("advise", *arguments)


def test_the_table_fits_a_terminal(run):
    words = ("advise", "ResNet-50", "--budget", "2x", "--device", "rtx4090", "--error", "23.9")
    out, wide = run(*words)[1], run(*words, "--wide")[1]
    table = out.split("\n\n")[1].splitlines()
    assert len(table) == 11 and max(map(len, out.splitlines())) <= 80
    assert "memory (GB)" in wide and "memory (GB)" not in out
    points = [line.index(".") for line in table[1:]]
    assert len(set(points)) == 1  # scales have as many decimals each


def test_rooflines_say_what_is_known_of_them(run):
    _, out, _ = run("advise", "EN-B0", "--budget", "2x", "--device", "H100")
    assert "EN-B0's time on H100's roofline" in out and "(the median, assumed from" in out
    _, out, _ = run("advise", "EN-B0", "--budget", "2x", "--device", "V100")
    assert "(prices from 36 networks, v100/infer/zoo)" in out


def test_a_budget_without_time_for_one_of_timms_on_a_roofline(run):
    status, out, _ = run("advise", "timm/convnext_atto", "--budget", "2GF", "--device", "H100")
    assert status == 0 and "timm/convnext_atto's time on H100's roofline" in out

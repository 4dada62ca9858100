"""Networks from timm in jobs, sweeps and records."""

import json

import pytest
import timm
import torch

from repro.analysis.timing.sets import frame
from repro.cli.app import main
from repro.errors import InputError
from repro.records import Protocol
from repro.runtime import timm_networks
from repro.runtime.estimates import estimated_s, guess_batch
from repro.runtime.jobs import Job, job, named_sweep
from repro.runtime.sweep import sweep
from repro.runtime.timm_networks import create, find, is_timm_name
from repro.stored import read

SMALL = "timm/mobilenetv3_small_050"
QUICK = Protocol(samples=2, min_time=0, rounds=1, threads=1)


def test_one_is_counted_at_its_own_resolution_or_another():
    own, other = find(SMALL), find(SMALL, 64)
    module = timm.create_model("mobilenetv3_small_050")
    assert own.resolution == 224 and other.resolution == 64
    assert own.params == other.params == sum(p.numel() for p in module.parameters())
    assert own.at(64) == other and other.acts < own.acts
    # 2.5 or so percent off what timm's own table prints in millions, which leaves biases out
    assert own.flops == pytest.approx(23e6, rel=0.1)


def test_the_counts_of_a_network_that_is_described_here_as_well():
    theirs, ours = find("timm/resnet50"), job("ResNet-50").subject
    assert (theirs.params, theirs.flops, theirs.acts) == (ours.params, ours.flops, ours.acts)


def test_attention_is_counted_too():
    width, tokens, depth = 192, 197, 12
    linear = depth * 12 * tokens * width**2 + width * 1000
    attention = depth * 2 * tokens**2 * width
    patches = 196 * 16 * 16 * 3 * width
    flops = find("timm/vit_tiny_patch16_224").flops
    assert linear + attention + patches < flops < 1.01 * (linear + attention + patches)


def test_what_is_not_counted_in_full_is_not_counted(monkeypatch):
    monkeypatch.setattr(timm_networks, "UNCOUNTED", ("softmax",))
    transformer = find.__wrapped__("timm/vit_tiny_patch16_224")
    assert transformer.flops is None and transformer.acts is None
    assert transformer.params == pytest.approx(5.7e6, rel=0.01)
    task = Job(transformer, transformer.subject(), QUICK)
    assert 0 < estimated_s(task) < 60 and guess_batch(task, 1e9) > 1


@pytest.mark.parametrize("name", ["timm/resnest50", "timm/hf-hub:timm/resnet50", "timm/"])
def test_unknown_names_are_refused(name):
    assert is_timm_name(name)
    with pytest.raises(InputError, match="timm has no network"):
        find(name)


def test_a_name_nearby_is_suggested():
    with pytest.raises(InputError, match="Did you mean 'resnest50d'"):
        find("timm/resnest50e")


def test_one_that_cannot_take_such_an_image():
    with pytest.raises(InputError, match="cannot be run on images of 100 x 100"):
        find("timm/vit_tiny_patch16_224", 100)


def test_without_a_description_nothing_is_scaled():
    with pytest.raises(InputError, match="cannot be scaled"):
        job(SMALL, "dWr", 2)


@pytest.mark.parametrize("batch", [1, "max"])
def test_it_can_be_planned(batch):
    task = job(SMALL, protocol=QUICK.model_copy(update={"batch": batch, "device": "cuda"}))
    assert guess_batch(task, 1e9) > 1
    assert 0 < estimated_s(task) < 60


def test_the_module_is_made_where_it_is_wanted():
    module = create(SMALL, "meta").eval()
    assert all(p.is_meta for p in module.parameters())
    assert module(torch.empty(1, 3, 32, 32, device="meta")).shape == (1, 1000)


def test_it_takes_turns_with_described_networks(tmp_path):
    out = tmp_path / "records.jsonl"
    protocol = QUICK.model_copy(update={"resolution": 32})
    outcome = sweep([job(SMALL, protocol=protocol), job("EN-B0", protocol=protocol)], out)
    assert outcome.failures == []
    theirs, ours = read(out)
    assert theirs.subject.name == SMALL and theirs.subject.description is None
    assert theirs.subject.resolution == 32 and theirs.peak_rss > 0 and len(theirs.samples_s) == 2
    assert theirs.code == ours.code
    table = frame(out)
    assert list(table.model) == [SMALL, "EN-B0"] and (table.mparams > 0).all()
    again = sweep([job(SMALL, protocol=protocol)], out)
    assert again.skipped == 1


def test_in_a_sweep_file_and_on_the_command_line(tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    path.write_text(json.dumps([{"protocol": {}, "bases": [SMALL]}]))
    assert [task.subject.name for task in named_sweep(str(path))] == [SMALL]
    assert main(["time", SMALL, "--dry-run"]) == 0
    assert "mobilenetv3_small_050" in capsys.readouterr().out
    assert main(["time", "timm/resnest50e"]) == 2
    assert "Did you mean 'resnest50d'" in capsys.readouterr().err


def test_its_networks_are_those_that_timm_lists():
    import timm

    listed = {name for name in timm.list_models() if not name.startswith("repro_")}
    assert set(timm_networks.modules()) == listed  # ours are there once anything imports them

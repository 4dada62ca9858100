"""The counters' side without a GPU: ncu is played by a script that prints what ncu prints."""

import json
import stat

import pytest
from made_up_records import MACHINE

from repro.errors import InputError
from repro.records import Protocol, TrafficRecord
from repro.runtime.crew import Crew
from repro.runtime.estimates import estimated_s
from repro.runtime.jobs import job, named_sweep, traffic
from repro.runtime.picture import summary
from repro.runtime.sweep import sweep
from repro.runtime.traffic import measure_traffic, totals
from repro.stored import read

OUTPUT = """==PROF== Connected to process 7
==PROF== Profiling "conv" - 0: 0%....100% - 1 pass
"ID","Process ID","Kernel Name","Metric Name","Metric Unit","Metric Value"
"0","7","conv<float>(int, int)","dram__bytes_read.sum","byte","1,024"
"0","7","conv<float>(int, int)","dram__bytes_write.sum","byte","512"
"1","7","relu","dram__bytes_read.sum","byte","100"
"1","7","relu","dram__bytes_write.sum","byte","0"
"""
JOB = traffic(job("EN-B0", protocol=Protocol(device="cuda", batch=64)))


def test_counts_are_summed_over_kernels():
    assert totals(OUTPUT) == {"read_bytes": 1124, "written_bytes": 512, "launches": 2}


@pytest.mark.parametrize("output", ["", "==ERROR== nothing was profiled"])
def test_no_kernel_is_an_error(output):
    with pytest.raises(InputError, match="ncu counted no kernel"):
        totals(output)


@pytest.fixture
def fake_ncu(tmp_path, monkeypatch):
    """A program called ncu: stores a machine where the real one's child would, and prints."""

    def install(ending):
        program = tmp_path / "ncu"
        (tmp_path / "output").write_text(OUTPUT)
        program.write_text(
            "#!/bin/sh\n"
            "for path; do :; done\n"
            f"PYTHONPATH={tmp_path}:$PYTHONPATH {_python()} -c 'import stand_in' \"$path\"\n"
            f"cat {tmp_path}/output\n{ending}\n"
        )
        (tmp_path / "stand_in.py").write_text(
            "import pickle, sys\n"
            "from made_up_records import MACHINE\n"
            "net, protocol = pickle.load(open(sys.argv[1], 'rb'))\n"
            "assert net.name == 'EN-B0' and protocol.batch == 64\n"
            "pickle.dump(MACHINE, open(sys.argv[1] + '.machine', 'wb'))\n"
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        monkeypatch.setenv("PYTHONPATH", str(_tests()), prepend=":")

    return install


def _python():
    import sys

    return sys.executable


def _tests():
    from pathlib import Path

    return Path(__file__).parents[1] / "helpers"


def test_a_record_is_made_of_what_ncu_prints(fake_ncu):
    fake_ncu("exit 0")
    record = measure_traffic(JOB)
    assert isinstance(record, TrafficRecord)
    assert (record.read_bytes, record.written_bytes, record.launches) == (1124, 512, 2)
    assert record.subject.name == "EN-B0" and record.batch == 64
    assert TrafficRecord.model_validate_json(record.model_dump_json()) == record


def test_what_ncu_complains_of_is_passed_on(fake_ncu):
    fake_ncu("echo '==ERROR== no permission to read the counters'; exit 1")
    with pytest.raises(InputError, match="ncu failed: ==ERROR== no permission"):
        measure_traffic(JOB)


def test_without_ncu_there_is_no_traffic(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match=r"ncu .* is not on the path"):
        measure_traffic(JOB)


def test_an_ncu_that_does_not_end_is_given_up(fake_ncu):
    fake_ncu("sleep 9")
    with pytest.raises(InputError, match="ncu did not end within"):
        measure_traffic(JOB, limit_s=0.1)


@pytest.mark.parametrize(
    "protocol, words",
    [({"device": "cuda", "batch": "max"}, "--batch 64"), ({"device": "cpu"}, "--device cuda")],
)
def test_what_traffic_cannot_be_counted_of(protocol, words):
    with pytest.raises(InputError, match=words):
        traffic(job("EN-B0", protocol=Protocol(**protocol)))


def test_a_sweep_counts_traffic_once(fake_ncu, tmp_path, monkeypatch):
    fake_ncu("exit 0")
    gpu = {"device": "cuda", "batch": 64}
    block = {"protocol": gpu, "bases": ["EN-B0"], "traffic": True}
    path = tmp_path / "mine.yaml"
    path.write_text(json.dumps([block]))
    tasks = named_sweep(str(path))
    assert tasks == [JOB] and 20 < estimated_s(JOB) < 120
    monkeypatch.setattr(Crew, "machine", lambda self, protocol: MACHINE)
    out = tmp_path / "records.jsonl"
    assert [r.kind for r in sweep(tasks, out).records] == ["traffic"]
    assert sweep(tasks, out).skipped == 1
    assert "EN-B0, fp32 batch 64: 0.000001124 GB read" in summary(read(out))

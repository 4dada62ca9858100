"""Block tables: what is timed, sums of blocks, and tables that must be refused."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_records import MACHINE

from repro.arch import blocks, get
from repro.complexity import complexity, placed
from repro.errors import InputError
from repro.records import Protocol, State, TimingRecord, stamp
from repro.runtime.jobs import description_of, job
from repro.search.blocktable import BlockTable, blocks_of, described, to_time
from repro.search.space import EFFICIENTNET

CPU = MACHINE.model_copy(update={"device_name": "Made-up CPU"})
PROTOCOL = Protocol(threads=1, allocator="keep")


def law(net):
    """Seconds that add up over blocks, and half a millisecond for everything else."""
    return 1e-9 * complexity(net).conv_acts + (0 if net.is_piece else 5e-4)


def record(net, seconds, machine=CPU, protocol=PROTOCOL):
    task = job(net, protocol=protocol)
    return TimingRecord(
        **stamp(TimingRecord.entry, task.inputs(), machine),
        subject=task.subject,
        protocol=protocol,
        batch=1,
        iterations=1,
        samples_s=(seconds,),
        settled=True,
        before=State(),
        under_load=State(),
    )


@pytest.fixture(scope="module")
def small():
    """A space of few blocks: kernels and squeeze-excite are B0's own."""
    return EFFICIENTNET.fixed("k", "se")


@pytest.fixture(scope="module")
def made(small):
    return [record(net, law(net)) for net in to_time(small)]


def test_blocks_stand_where_the_network_has_them():
    net = get("EN-X-B0")
    found = list(placed(net))
    assert [(one.block, n) for _, one, n in found] == list(blocks(net))
    assert [one.size for _, one, _ in found[:5]] == [112, 56, 56, 56, 28]
    assert [number for number, _, _ in found[:5]] == [1, 2, 2, 3, 3]
    assert found[0][1].network().resolution == 112
    total = sum(n * complexity(one.network()).macs for _, one, n in found)
    stem, head = 9 * 3 * 32 * 112**2, (320 * 1280 * 49) + 1280 * 1000
    assert total + stem + head == complexity(net).macs


def test_a_space_has_every_block_of_its_networks():
    known = set(blocks_of(EFFICIENTNET))
    assert len(known) == 168  # 7 stages, first or later, 3 expansions, 2 kernels, with and without
    for code in EFFICIENTNET.sample(np.random.default_rng(1), 50):
        assert {one for _, one, _ in placed(EFFICIENTNET.network(code))} <= known


def test_whole_networks_stand_between_the_blocks(small):
    nets = to_time(small)
    whole = [i for i, net in enumerate(nets) if not net.is_piece]
    assert len(whole) == 12 and len(nets) == 12 + len(blocks_of(small))
    assert max(np.diff(whole)) <= 5 and len({net.name for net in nets}) == len(nets)
    assert [net.name for net in to_time(small)] == [net.name for net in nets]


@pytest.mark.parametrize("name", ["EN-B1", "EN-X-B0", "RegNetZ-500MF", "MBConv-c8-se0.25@7"])
def test_a_description_gives_its_network(name):
    net = get(name)
    assert described(description_of(net), name) == replace(net, name=name)


def test_sums_are_exact_where_blocks_add_up(small, made):
    table = BlockTable.of(made)
    for code in small.sample(np.random.default_rng(3), 20):
        net = small.network(code)
        # the stem's and head's acts are the same in all, and so in the constant
        assert table(net) == pytest.approx(law(net), rel=1e-9)
    assert table.machine == "Made-up CPU, 1 thread" and len(table.errors) == 12
    assert max(map(abs, table.errors.values())) < 1e-9 and table.error < 1e-9


def test_a_piece_has_no_constant(made):
    table = BlockTable.of(made)
    ((_, one, _), *_) = placed(get("EN-X-B0"))
    piece = next(r for r in made if r.subject.description["stem"] == "none")
    net = described(piece.subject.description, "piece")
    assert table(net) == pytest.approx(law(net))
    with pytest.raises(
        InputError, match=r"block .*MBConv-c32.*@112 of EN-X-B0 is not in the block"
    ):
        table(get("EN-X-B0"))
    assert one not in table.seconds


def test_errors_are_held_out(made):
    """One network that is slower than its blocks is off alone: no other's constant moves."""
    whole = [i for i, r in enumerate(made) if r.subject.description.get("stem") != "none"]
    slow = made[whole[0]]
    changed = made.copy()
    net = described(slow.subject.description, slow.subject.name)
    changed[whole[0]] = record(net, 1.25 * law(net))
    table = BlockTable.of(changed)
    assert table.errors[slow.subject.name] == pytest.approx(-0.2)
    assert sorted(map(abs, table.errors.values()))[-2] < 1e-9


def test_tables_that_must_be_refused(made):
    piece, whole = made[0], next(r for r in made if "stem" not in r.subject.description)
    net = described(piece.subject.description, "piece")
    other = record(net, 1.0, machine=CPU.model_copy(update={"device_name": "Another"}))
    back = record(net, 1.0, protocol=PROTOCOL.model_copy(update={"allocator": "system"}))
    longer = record(net, 1.0, protocol=PROTOCOL.model_copy(update={"batch": 8}))
    refused = [
        ([], "no block was timed; `repro time --blocks-of SPACE` does it"),
        ([whole], "no block was timed"),
        ([piece], "without a whole network"),
        ([piece, other], "on Another, 1 thread and Made-up CPU, 1 thread: of several machines"),
        ([piece, back], "1 thread and Made-up CPU, 1 thread, memory given back: of several"),
        ([piece, longer], "under 2 protocols"),
    ]
    for records, words in refused:
        with pytest.raises(InputError, match=words):
            BlockTable.of(records)
    with pytest.raises(InputError, match="on Made-up CPU, 1 thread: none of 'mine'"):
        BlockTable.of(made, "mine")
    assert BlockTable.of([*made, other], "Made-up CPU, 1 thread").constant > 0

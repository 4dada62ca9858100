"""Searches in processes of their own that start in milliseconds, for tests that kill them."""

import multiprocessing
import os
import time
import zlib
from pathlib import Path

from repro.search.space import EFFICIENTNET

SMALL = EFFICIENTNET.fixed("k", "e", "l1", "l2", "l3", "l4")
"""Squeeze-excite of all stages, repeats of the last three: 128 * 36 points."""
ABOUT = {"what": "a made-up score"}


def score(net):
    """Made up, and different for each network."""
    depths = [stage.depth for stage in net.stages]
    return {"score": sum(depths) + zlib.crc32(net.name.encode()) % 997 / 500}


def worth(results):
    return results["score"]


def work(path, evaluations, pause, seed=0):
    """Search, and note in FILE.log each evaluation that begins."""
    from repro.search.shared import Shared

    log = os.open(f"{path}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def evaluate(net):
        os.write(log, f"{net.name}\n".encode())
        time.sleep(pause)
        return score(net)

    return Shared(Path(path), SMALL, ABOUT, seed).run(evaluate, worth, evaluations)


def start(*arguments):
    """Another process that does `work`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["repro.search.shared", "search_child"])
    process = context.Process(target=work, args=arguments)
    process.start()
    return process

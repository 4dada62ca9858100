"""The command line in a process of its own that starts in milliseconds, for tests that kill it."""

import json
import multiprocessing
import os
import resource
import signal
import socket
import sys
import time

PRELOAD = ["repro.training.run", "repro.training.watch", "repro.cli.app", "timm.data.auto_augment"]


def _main(arguments, folder, environment, file_limit):
    # A timing in the tests' own process may have begun the forkserver, with Ctrl-C blocked for all
    # that come out of it (`repro.interrupt.kept_from_children`); a command of its own has it not.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.chdir(folder)
    os.environ.update(environment)
    out = os.open("output", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    if file_limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    from repro.cli.app import main

    sys.exit(main(arguments))


class Child:
    """``repro`` with arguments, in a folder, with what it prints in ``folder/output``."""

    def __init__(self, arguments, folder, environment=(), file_limit=None):
        folder.mkdir(exist_ok=True, parents=True)
        self.output = folder / "output"
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOAD)
        call = ([str(a) for a in arguments], folder, dict(environment), file_limit)
        self.process = context.Process(target=_main, args=call)
        self.process.start()

    def end(self):
        """Wait; the exit status (negative: the signal) and what was printed."""
        self.process.join(600)
        return self.process.exitcode, self.output.read_text()


def pair(arguments, folder, **more):
    """Two processes that train together."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    return [
        Child(
            arguments, folder / f"rank{rank}", {**common, "RANK": str(rank), "LOCAL_RANK": "0"},
            **more,
        )
        for rank in (0, 1)
    ]  # fmt: skip


def metrics(run):
    """The lines of metrics so far, without what differs from machine to machine."""
    path = run / "metrics.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [
        {k: v for k, v in line.items() if k not in ("images_per_s", "data_share")} for line in lines
    ]


def wait_for(condition, seconds=300):
    """Until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.002)

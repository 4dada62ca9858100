"""Ctrl-C where Python by itself would show a traceback: while importing, and in new processes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

STATUS = 130
"""Exit status of a command that Ctrl-C ended, as a shell has it."""


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """While nothing has begun yet, Ctrl-C ends the process without a word.

    Where somebody else handles Ctrl-C already, and in other threads than the first, nothing
    changes.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    with suppress(ValueError):  # only the first thread may do that
        signal.signal(signal.SIGINT, lambda *_: os._exit(STATUS))
    try:
        yield
    finally:
        with suppress(ValueError):
            signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def handled(handler: Callable[[int], object], *numbers: int) -> Iterator[None]:
    """Call a handler at the first of these signals; a second one does what it did before.

    Signals are for the first thread: in others nothing changes. One that is ignored stays so, as
    SIGHUP under ``nohup``.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {int(number): signal.getsignal(number) for number in numbers}
    before = {number: was for number, was in before.items() if was is not signal.SIG_IGN}

    def handle(number: int, _: object) -> None:
        signal.signal(number, before[number])
        handler(number)

    try:
        for number in before:
            signal.signal(number, handle)
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)


@contextmanager
def kept_from_children() -> Iterator[None]:
    """Processes that begin here never see Ctrl-C: whoever began them ends them.

    A process that ignores it by itself does so only after its imports, which take seconds.
    """
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # where it begins by itself, it lifts the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

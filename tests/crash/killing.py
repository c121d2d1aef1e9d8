"""Processes that are killed at random moments, and what they owed at that moment.

A worker writes down what it is about to do and what it has done, each by one write(2) to a file of its own, which a
kill cannot undo. From that the survivor knows what must be there, what must not, and what may be either.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def fork(work: Callable[[], None]) -> int:
    """A child that does ``work`` and exits 0, or 1 after a traceback."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    except SystemExit as ended:
        status = int(ended.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(status)


def kill_all(children: list[int]) -> None:
    """SIGKILL, and wait. A child that had failed before that fails the test."""
    for child in children:
        os.kill(child, signal.SIGKILL)
    for child in children:
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), f"a worker ended by itself: exit {os.waitstatus_to_exitcode(status)}"


def kill_at_random(work: Callable[[int], None], rng: random.Random, workers: int, longest: float) -> None:
    """Start workers 0..N-1 together and kill each after a random time of its own, up to ``longest`` seconds."""
    children = [fork(lambda number=number: work(number)) for number in range(workers)]
    begin = time.monotonic()
    due = sorted((rng.random() * longest, child) for child in children)
    try:
        while due:
            moment, child = due.pop(0)
            time.sleep(max(0.0, begin + moment - time.monotonic()))
            kill_all([child])
    finally:  # after a failure nobody works on
        kill_all([child for _, child in due])


class Ledger:
    """An append-only list of words, safe from kills."""

    def __init__(self, path: str) -> None:
        self.path = path

    @contextmanager
    def open(self) -> Iterator[Callable[..., None]]:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            yield lambda *words: os.write(descriptor, (" ".join(map(str, words)) + "\n").encode())
        finally:
            os.close(descriptor)

    def entries(self) -> list[list[str]]:
        try:
            with open(self.path) as file:
                return [line.split() for line in file]
        except FileNotFoundError:
            return []

"""Killed while it pins: the next command finds all pins of a load or none, and nothing else.

Every call that changes the file system is a step; a child is killed before each of them in turn, and whole commands at
random moments.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import time

import pytest

from tests.crash.killing import fork
from tests.kernel import oracle, private_bpffs
from tests.kernel.netns import BPF_LOAD, EXAMPLES
from toolchain.errors import PinError
from toolchain.isa.map_types import MapType
from toolchain.kernel import KernelRuntime, calls, publish
from toolchain.spec.maps import MapSpec

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(oracle.why_unavailable()), reason=oracle.why_unavailable() or "available"),
]

SPEC = MapSpec("m", MapType.ARRAY, 4, 8, 1)
PATHS = ("one", "deep/two", "three")
STEPS = ("mkdir", "symlink", "rename", "link", "unlink", "rmdir")
KILL_ROUNDS = int(os.environ.get("CRASH_ROUNDS", "40"))


@pytest.fixture
def root():
    above = private_bpffs.mounted()
    if not above:
        pytest.skip("this process may not mount a bpffs")
    directory = os.path.join(above, "kill")
    os.makedirs(os.path.join(directory, "deep"))
    yield directory
    shutil.rmtree(directory)


class DiesAt:
    """The module os, and calls, for publish.py: the process is killed before the step of that number."""

    def __init__(self, step: int) -> None:
        self._left = step

    def count(self) -> None:
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1

    def wrapped(self, function):
        def call(*arguments, **options):
            self.count()
            return function(*arguments, **options)

        return call

    def __getattr__(self, name):
        found = getattr(os, name)
        return self.wrapped(found) if name in STEPS else found


def publish_and_die(root: str, step: int, *swaps: str) -> int:
    """The status of a child that publishes three maps, some in the place of others, and is killed at ``step``."""

    def work() -> None:
        dying = DiesAt(step)
        publish.os = dying
        calls.obj_pin = dying.wrapped(calls.obj_pin)
        runtime = KernelRuntime(root)
        made = [(runtime.map_create(SPEC), path) for path in PATHS]
        runtime.publish([each for each in made if each[1] not in swaps], [each for each in made if each[1] in swaps])

    return os.waitstatus_to_exitcode(os.waitpid(fork(work), 0)[1])


def everything(root: str) -> list[str]:
    return sorted(
        os.path.relpath(os.path.join(top, name), root) for top, folders, names in os.walk(root) for name in names
    ) + [name for name in os.listdir(root) if name.startswith("publishing")]


def test_killed_at_every_step_all_or_none(root):
    outcomes = []
    for step in range(100):
        status = publish_and_die(root, step)
        runtime = KernelRuntime(root)
        found = {each.path for each in runtime.pins()}
        left = everything(root)
        assert left in ([], sorted(PATHS)), (step, left)
        assert found <= set(PATHS)
        outcomes.append(len(left))
        for path in left:
            runtime.unpin(path)
        runtime.close()
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert outcomes == sorted(outcomes)
    assert outcomes[0] == 0
    assert outcomes.count(3) > 5


def test_killed_at_every_step_of_taking_over(root):
    """Two pins are taken over and one is new: afterwards all are the new ones, or all as before."""
    swapped = ("deep/two", "one")
    outcomes = []
    for step in range(100):
        runtime = KernelRuntime(root)
        for path in swapped:
            runtime.pin(runtime.map_create(SPEC), path)
        before = {each.path: each.id for each in runtime.pins()}
        status = publish_and_die(root, step, *swapped)
        after = {each.path: each.id for each in KernelRuntime(root).pins()}
        is_new = after != before
        if is_new:
            assert set(after) == set(PATHS)
            assert not set(before.values()) & set(after.values())
        assert everything(root) == sorted(after)
        outcomes.append(is_new)
        for path in after:
            runtime.unpin(path)
        if status == 0:
            break
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}


@pytest.mark.parametrize("has_journal", [True, False])
def test_taking_over_is_undone_where_another_pin_is_taken(root, has_journal, monkeypatch):
    if not has_journal:
        monkeypatch.setattr(publish, "_make_base", lambda base: False)
    runtime = KernelRuntime(root)
    with runtime.map_create(SPEC) as old, runtime.map_create(SPEC) as new, runtime.map_create(SPEC) as third:
        runtime.pin(old, "one")
        runtime.pin(third, "three")
        for pins, swaps, number in (
            (["three"], ["one"], errno.EEXIST),
            (["two"], ["one", "missing"], errno.ENOENT),
            (["a.b"], ["one"], errno.EPERM),
        ):
            with pytest.raises(PinError) as refused:
                runtime.publish([(new, each) for each in pins], [(new, each) for each in swaps])
            assert refused.value.errno == number
            assert {each.path: each.id for each in runtime.pins()} == {"one": old.id, "three": third.id}
            assert everything(root) == ["one", "three"]
        runtime.publish([], [(new, "one")])
        with runtime.get("one") as found:
            assert found.id == new.id
        runtime.publish([(old, "two")], [(old, "one"), (old, "three")])
        assert {each.path: each.id for each in runtime.pins()} == dict.fromkeys(("one", "two", "three"), old.id)
        assert everything(root) == ["one", "three", "two"]


def test_a_place_that_somebody_took_meanwhile(root):
    """Killed after the point of no return, and one path is taken now: none of the others is left."""
    for step in range(100):
        assert publish_and_die(root, step) == -signal.SIGKILL
        left = everything(root)
        if "one" in left and "three" not in left:
            break
        runtime = KernelRuntime(root)
        for each in list(runtime.pins()):
            runtime.unpin(each.path)
    assert any("commit" in each for each in left)
    other = KernelRuntime(root)
    with other.map_create(SPEC) as handle:
        calls.obj_pin(handle.fileno(), os.path.join(root, "three"))
        KernelRuntime(root).publish([(handle, "own")])
        assert everything(root) == ["own", "three"]
        with other.get("three") as found:
            assert found.id == handle.id


def test_who_is_alive_is_left_alone(root):
    reader, writer = os.pipe()

    def work() -> None:
        publish._finish = lambda *_: (os.write(writer, b"!"), signal.pause())
        runtime = KernelRuntime(root)
        runtime.publish([(runtime.map_create(SPEC), path) for path in PATHS])

    child = fork(work)
    assert os.read(reader, 1) == b"!"
    try:
        before = everything(root)
        runtime = KernelRuntime(root)
        assert list(runtime.pins()) == []
        with pytest.raises(PinError):
            runtime.get("one")
        assert everything(root) == before
        with runtime.map_create(SPEC) as one, runtime.map_create(SPEC) as other:
            runtime.publish([(one, "mine"), (other, "too")])
        assert {each.path for each in runtime.pins()} == {"mine", "too"}
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    with pytest.raises(PinError):
        KernelRuntime(root).get("nothing")
    assert everything(root) == sorted(("mine", "too", *PATHS))


def test_a_journal_of_somebody_else_is_not_believed(root):
    base = os.path.join(root, publish.journal_name())
    place = os.path.join(base, "commit-1-0")
    os.makedirs(place)
    runtime = KernelRuntime(root)
    with runtime.map_create(SPEC) as handle, runtime.map_create(SPEC) as other:
        calls.obj_pin(handle.fileno(), os.path.join(place, "0"))
        os.symlink("deep/planted", os.path.join(place, "to-0"))
        os.chown(base, 1, 1)
        with pytest.raises(PinError) as refused:
            runtime.get("deep/planted")
        assert refused.value.errno == errno.ENOENT
        runtime.publish([(handle, "one"), (other, "two")])
        assert sorted(os.listdir(place)) == ["0", "to-0"]
        assert {each.path for each in runtime.pins()} == {"one", "two"}
        os.rename(base, os.path.join(root, "publishing-1"))  # what another user left is there for all to see
        assert {each.path for each in runtime.pins()} == {"one", "two", "publishing-1/commit-1-0/0"}


def test_a_journal_with_anything_in_it(root):
    """Nothing that stands in our own journal stops a command, or is pinned anywhere."""
    base = os.path.join(root, publish.journal_name())
    for place in ("commit-1-0/0", "commit-1-1", "staged-2-0/sub/0", "done-3-0", "commit--", "commit-9-9/to-0", "other"):
        os.makedirs(os.path.join(base, place))
    runtime = KernelRuntime(root)
    with runtime.map_create(SPEC) as handle, runtime.map_create(SPEC) as other:
        for name, target in (("commit-4-0", "../../escaped"), ("commit-5-0", "x" * 300), ("commit-6-0", "a.b")):
            os.mkdir(os.path.join(base, name))
            calls.obj_pin(handle.fileno(), os.path.join(base, name, "0"))
            os.symlink(target, os.path.join(base, name, "to-0"))
        os.mkdir(os.path.join(base, "commit-7-0"))
        calls.obj_pin(handle.fileno(), os.path.join(base, "commit-7-0", "0"))
        calls.obj_pin(handle.fileno(), os.path.join(base, "commit-8"))
        runtime.publish([(handle, "one"), (other, "two")])
        assert {each.path for each in runtime.pins()} == {"one", "two"}
        assert not os.path.lexists(os.path.join(os.path.dirname(root), "escaped"))
    shutil.rmtree(base)


def test_commands_killed_at_random(root, tmp_path):
    rng = random.Random(20261121)
    words = [*BPF_LOAD, "-r", "kernel", "--pin-root", root]
    seen = set()
    whole = 0.0
    for turn in range(KILL_ROUNDS):
        begin = time.monotonic()
        loading = subprocess.Popen(
            [*words, "load", EXAMPLES / "ingress.o", "--pin", f"p{turn}", "--map", f"acc=m{turn}"],
            stdout=subprocess.DEVNULL,
        )
        try:
            loading.wait(whole * (0.5 + rng.random() * 0.7) if turn % 10 else None)
        except subprocess.TimeoutExpired:
            loading.kill()
            loading.wait()
        whole = whole if turn % 10 else time.monotonic() - begin
        runtime = KernelRuntime(root)
        with pytest.raises(PinError):
            runtime.get("nothing")
        left = [each for each in everything(root) if each.endswith(str(turn))]
        assert left in ([], [f"m{turn}", f"p{turn}"]), left
        assert not any("publishing" in each for each in everything(root))
        seen.add(len(left))
        runtime.close()
    assert 2 in seen

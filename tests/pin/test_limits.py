"""Limits of the process in the middle of a change: an error that names the limit, and the tree as it was."""

import errno
import os
import resource
from pathlib import Path

import pytest

from tests.crash.killing import fork
from toolchain.errors import RuntimeUnavailable
from toolchain.isa.map_types import MapType
from toolchain.pin import hooks, ids
from toolchain.pin.hooks import Entry, note
from toolchain.spec.maps import MapSpec
from toolchain.spec.runtime import Order
from toolchain.vm import UserRuntime
from toolchain.vm.care import inspect


def under(limit: int, value: int, work) -> int:
    """The errno of the RuntimeUnavailable that ``work`` ends with in a child under a limit; 0 where it gets through."""

    def child() -> None:
        resource.setrlimit(limit, (value, value))
        try:
            work()
        except (RuntimeUnavailable, OSError) as error:
            raise SystemExit(error.errno) from error

    return os.waitstatus_to_exitcode(os.waitpid(fork(child), 0)[1])


@pytest.mark.parametrize("size", [0, 1, 11, 12, 15, 16, 20])
def test_a_list_of_links_is_never_cut(store, root, size):
    """A file system takes what there is room for, and says so by a number: that is no list."""
    hook = hooks.make_hook(str(root), "eth0", "ingress")
    programs = [store.create("prog", "p", b"", 8) for _ in range(2)]
    one, other = (
        store.create("link", "l", b"eth0/ingress", 8, [each], prepare=lambda made, each=each: made.write(note(each.id)))
        for each in programs
    )
    hooks.attach(hook, Entry(one.id, 1), Order())
    before = hooks.read(hook)
    assert under(resource.RLIMIT_FSIZE, size, lambda: hooks.attach(hook, Entry(other.id, 2), Order())) == errno.EFBIG
    assert hooks.read(hook) == before
    for each in (*programs, one, other):
        each.close()


@pytest.mark.parametrize("size", [0, 1, 40])
def test_a_list_of_ids_is_never_cut(store, root, size):
    store.create("map", "m", b"", 10).close()
    ids.remove(str(root))
    last = dict.fromkeys(("map", "prog", "link"), 7)
    assert under(resource.RLIMIT_FSIZE, size, lambda: ids.make(str(root), last)) != 0
    assert ids.last_ids(str(root)) is None


@pytest.mark.parametrize("size", [1 << 18, 1 << 20, 1 << 22])
def test_several_pins_without_memory(pin_root, size):
    """All or none, and nothing that the next command would finish."""
    runtime = UserRuntime(pin_root)
    spec = MapSpec("m", MapType.ARRAY, 4, 8, 1)
    with runtime.map_create(spec) as one, runtime.map_create(spec) as other:

        def work() -> None:
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + size, used + size))
            try:
                runtime.publish([(one, "one"), (other, "other")])
            except MemoryError:
                raise SystemExit(99) from None

        os.waitpid(fork(work), 0)
        pins = [entry.path for entry in runtime.pins()]
        assert [str(each) for each in inspect(runtime.store)] == []
        assert pins in ([], ["one", "other"])

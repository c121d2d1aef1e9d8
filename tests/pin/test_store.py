"""The object store: life and death of objects, pins, edges, publication."""

import errno
import multiprocessing
import os
import resource
import socket
import stat

import pytest

from toolchain.errors import LoadError, PinError, RuntimeUnavailable
from toolchain.pin import ObjectStore, reaper
from toolchain.pin.check import check
from toolchain.pin.header import BOOT_ID_OFFSET, TEXT_SIZE_MAX, current_boot_id


def make(store: ObjectStore, name: str = "m", kind: str = "map", **more):
    return store.create(kind, name, b"spec", 100, **more)


def faults(store: ObjectStore, notes: bool = False) -> list[str]:
    return [str(finding) for finding in check(store, {}) if notes or finding.is_fault]


def paths(store: ObjectStore, below: str = "") -> list[str]:
    return [entry.path for entry in store.walk(below)]


def test_making_a_store_touches_nothing(store, root):
    assert paths(store) == []
    assert store.ids("map") == []
    assert store.reap() == 0
    with pytest.raises(PinError) as caught:
        store.get("x")
    assert caught.value.errno == errno.ENOENT
    assert not root.exists()


def test_first_object_makes_a_private_tree(store, root):
    make(store).close()
    for directory in (root, root / ".bpf", root / ".bpf/objs", root / ".bpf/refs"):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_data_name_spec_and_type_information(store):
    with make(store, "a name", btf=b"BTF" * 2000) as made:
        made.write(b"hello", 95)
        store.pin(made, "x")
    with store.get("x") as found:
        assert (found.kind, found.id, found.name, found.spec) == ("map", 1, "a name", b"spec")
        assert found.read() == bytes(95) + b"hello"
        assert found.btf() == b"BTF" * 2000
        with pytest.raises(ValueError, match="outside"):
            found.write(b"x", 100)


def test_ids_are_never_given_twice(store):
    for number in range(1, 4):
        with make(store) as made:
            assert made.id == number
        store.reap()
        assert store.ids("map") == []
    with make(store, kind="prog") as made:
        assert made.id == 1


def test_unpinned_object_goes_with_its_last_handle(store):
    made = make(store)
    with store.by_id("map", made.id) as second:
        made.close()
        assert store.ids("map") == [second.id]
    assert store.ids("map") == []
    with pytest.raises(PinError) as caught:
        store.by_id("map", 1)
    assert caught.value.errno == errno.ENOENT


def test_dead_object_is_not_found_even_before_the_reaper_came(store, root):
    make(store).close()
    assert os.listdir(root / ".bpf/objs") == ["map1"]
    with pytest.raises(PinError) as caught:
        store.by_id("map", 1)
    assert caught.value.errno == errno.ENOENT


def test_pinned_object_lives_until_its_last_pin_goes(store, root):
    with make(store) as made:
        store.pin(made, "a")
        store.pin(made, "b")
        os.mkdir(root / "dir")
        store.pin(made, "dir/c")
    store.reap()
    assert paths(store) == ["a", "b", "dir/c"]
    assert paths(store, "dir") == ["dir/c"]
    for path in ("a", "b", "dir/c"):
        assert store.ids("map") == [1]
        store.unpin(path)
    assert store.ids("map") == []
    assert os.listdir(root / ".bpf/objs") == []


def test_unlinked_and_pinned_again(store):
    with make(store) as made:
        store.pin(made, "a")
        store.unpin("a")
        store.pin(made, "a")
    assert paths(store) == ["a"]


def test_program_keeps_its_maps_alive(store):
    with (
        make(store, "one") as one,
        make(store, "two") as two,
        make(store, "p", "prog", refs=[one, two, one]) as program,
    ):
        store.pin(program, "p")
    store.reap()
    assert store.ids("map") == [1, 2]
    assert faults(store, notes=True) == []
    store.unpin("p")
    assert store.ids("map") == store.ids("prog") == []
    assert faults(store, notes=True) == []


def test_object_whose_edges_are_not_complete_is_not_there_yet(store, root, monkeypatch):
    with make(store) as target:
        store.pin(target, "target")
        monkeypatch.setattr(reaper, "link_edges", lambda *_: None)
        with make(store, "p", "prog", refs=[target]) as half:
            with pytest.raises(PinError) as caught:
                store.by_id("prog", half.id)
            assert caught.value.errno == errno.ENOENT
            assert store.ids("prog") == [half.id]


def test_failed_edges_leave_nothing(store, root, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "full")

    with make(store) as target:
        monkeypatch.setattr(reaper, "link_edges", refuse)
        with pytest.raises(RuntimeUnavailable, match="ENOSPC"):
            make(store, "p", "prog", refs=[target])
        assert os.listdir(root / ".bpf/objs") == ["map1"]


def test_handle_in_flight_keeps_the_object(store):
    left, right = socket.socketpair()
    made = make(store)
    socket.send_fds(left, [b"x"], [made.fileno()])
    made.close()
    assert store.ids("map") == [1]
    received = socket.recv_fds(right, 1, 1)[1]
    assert store.ids("map") == [1]
    os.close(received[0])
    assert store.ids("map") == []
    left.close()
    right.close()


def test_child_keeps_the_object(store):
    made = make(store)
    context = multiprocessing.get_context("fork")
    gate = context.Event()
    child = context.Process(target=gate.wait)
    child.start()
    made.close()
    assert store.ids("map") == [1]
    gate.set()
    child.join()
    assert store.ids("map") == []


def test_publish_is_all(store, root):
    os.mkdir(root.parent / "tree")
    with make(store) as one, make(store, "p", "prog", refs=[one]) as two:
        store.publish([(one, "a"), (two, "b"), (one, "c")])
    assert [(entry.path, entry.kind) for entry in store.walk()] == [("a", "map"), ("b", "prog"), ("c", "map")]
    assert faults(store, notes=True) == []


@pytest.mark.parametrize("bad", ["taken", "a.b", "missing/x", "x" * 256, "a", ""])
def test_publish_is_nothing(store, bad):
    with make(store) as made:
        store.pin(made, "taken")
        with pytest.raises(PinError):
            store.publish([(made, "a"), (made, bad), (made, "z")])
    assert paths(store) == ["taken"]
    assert faults(store, notes=True) == []


def test_publish_takes_back_what_a_foreign_tool_prevents(store, root, monkeypatch):
    """Another tool that does not lock puts a file in the way after the paths were checked."""
    real = os.link

    def link(source, target, **options):
        if str(target).endswith("/z"):
            (root / "z").write_text("mine")
        return real(source, target, **options)

    with make(store) as made:
        monkeypatch.setattr(os, "link", link)
        with pytest.raises(PinError, match=r"z: .*EEXIST"):
            store.publish([(made, "a"), (made, "z")])
        monkeypatch.undo()
        assert paths(store) == []
        assert faults(store) == []


def test_replacing_pin_is_one_step(store):
    with make(store, "old") as old, make(store, "new") as new:
        store.pin(old, "x")
        store.pin(new, "x", replacing=True)
        store.pin(new, "x", replacing=True)
        with pytest.raises(PinError) as caught:
            store.pin(new, "nothing here", replacing=True)
        assert caught.value.errno == errno.ENOENT
    with store.get("x") as found:
        assert found.name == "new"
    store.reap()
    assert store.ids("map") == [2]
    assert faults(store, notes=True) == []


def test_name_and_spec_that_do_not_fit(store):
    with pytest.raises(LoadError, match=r"too long.*E2BIG"):
        store.create("map", "m", bytes(TEXT_SIZE_MAX), 10)


def test_more_than_there_is_room_for(store):
    with pytest.raises(RuntimeUnavailable, match="ENOSPC") as caught:
        store.create("map", "huge", b"", 1 << 46)
    assert caught.value.exit_status == 5
    assert "--pin-root" in caught.value.hint


def test_object_from_an_earlier_boot_is_repaired_once(root):
    repaired = []
    store = ObjectStore(str(root), {"map": repaired.append})
    with make(store) as made:
        store.pin(made, "x")
    assert repaired == []
    with open(root / "x", "r+b") as file:
        file.seek(BOOT_ID_OFFSET)
        file.write(bytes(16))
    store.get("x", writable=False).close()
    assert repaired == []
    for _ in range(2):
        store.get("x").close()
        assert len(repaired) == 1
    with open(root / "x", "rb") as file:
        file.seek(BOOT_ID_OFFSET)
        assert file.read(16) == current_boot_id()


def test_no_descriptor_left_does_not_pass_for_another_boot(root):
    repaired = []
    store = ObjectStore(str(root), {"map": repaired.append})
    with make(store) as made:
        store.pin(made, "x")
        lowest = made.fileno()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    met = set()
    try:
        for limit in range(lowest, lowest + 8):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            try:
                store.get("x").close()
            except RuntimeUnavailable as error:
                met.add(error.errno)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert met == {errno.EMFILE}
    assert repaired == []
    with open(root / "x", "rb") as file:
        file.seek(BOOT_ID_OFFSET)
        assert file.read(16) == current_boot_id()


def test_absolute_paths_below_the_root(store, root):
    with make(store) as made:
        store.pin(made, f"{root}/x")
        store.get(f"{root}/x").close()
        with pytest.raises(PinError, match="EPERM"):
            store.pin(made, f"{root.parent}/beside")
        with pytest.raises(PinError, match="EPERM"):
            store.pin(made, f"{root}/.bpf/x")


def test_tree_reached_by_another_name(store, root):
    """A link to the root, and a tree opened by that link."""
    with make(store) as made:
        store.pin(made, "x")
    os.symlink(root, root.parent / "alias")
    other = ObjectStore(str(root.parent / "alias"))
    other.get("x").close()
    assert paths(other) == ["x"]
    with other.get("x") as found:
        other.pin(found, "y")
    assert paths(store) == ["x", "y"]
    other.unpin("y")
    assert faults(store, notes=True) == []

"""Links and hooks of the user runtime: who keeps whom alive, odd names, damaged files. What they answer: tests/rows."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.rows.user_world import UserWorld
from tests.rows.world import World
from toolchain.errors import LoadError, PinError, ToolchainError
from toolchain.pin.check import check
from toolchain.pin.stored import DATA_OFFSET
from toolchain.spec.runtime import HookInfo, Order, Target
from toolchain.vm import UserRuntime
from toolchain.vm.links import check_link

HOLD = """
import sys, time
from toolchain.vm import UserRuntime
runtime = UserRuntime(sys.argv[1])
link = runtime.link_by_id(int(sys.argv[2]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def world(pin_root: str) -> Iterator[World]:
    made = UserWorld(pin_root)
    runtime = made.runtime
    yield made
    made.close()
    runtime.close()
    assert findings(runtime) == []
    for kind in (runtime.link_ids(), runtime.prog_ids()):
        pinned = {entry.id for entry in runtime.pins()} | set(range(1, len(made.programs) + 1))
        assert set(kind) <= pinned


def findings(runtime: UserRuntime) -> list[str]:
    return [str(each) for each in check(runtime.store, {"link": check_link})]


def test_a_link_keeps_its_program_alive_and_only_that(world: World) -> None:
    world.answer("attach la a")
    a, b = world.programs["a"].id, world.programs["b"].id
    world.answer("pin la p")
    world.answer("update la b")
    for name in "ab":
        world.programs.pop(name).close()
    world.runtime.close()
    alive = set(world.runtime.prog_ids())
    assert b in alive
    assert a not in alive
    assert world.links["la"].info().prog_id == b


def test_another_process_holds_a_link_until_it_is_killed(world: World) -> None:
    world.answer("attach la a")
    command = [sys.executable, "-c", HOLD, world.runtime.pin_root, str(world.links["la"].id)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        world.answer("close la")
        assert world.answer("show") == "revision 2: a"
        holder.kill()
    assert world.answer("show") == "revision 1:"
    assert list(world.runtime.link_ids()) == []


def test_a_link_in_flight_on_a_socket_is_held(world: World) -> None:
    world.answer("attach la a")
    one, other = socket.socketpair()
    with one, other:
        socket.send_fds(one, [b"l"], [world.links["la"].fileno()])
        world.answer("close la")
        assert world.answer("show") == "revision 2: a"
        _, fds, _, _ = socket.recv_fds(other, 1, 1)
        world.runtime.close()
        assert world.answer("show") == "revision 2: a"
        os.close(fds[0])
    assert world.answer("show") == "revision 1:"


def test_a_hook_takes_as_many_as_the_kernels(world: World) -> None:
    from tests.vm.vectors import Vector
    from toolchain.spec.stages import BoundProgram
    from toolchain.verifier import verify

    runtime = world.runtime
    verified = verify(BoundProgram.unpinned(Vector("n", prog_type=3, text="r0 = 0\nexit").linked()))
    programs = [runtime.prog_load(verified, []) for _ in range(64)]
    links = [runtime.attach(program, Target("eth0", "ingress")) for program in programs[:63]]
    with pytest.raises(LoadError) as caught:
        runtime.attach(programs[63], Target("eth0", "ingress"))
    assert caught.value.errno == 34
    assert len(runtime.query(Target("eth0", "ingress")).prog_ids) == 63
    for each in (*links, *programs):
        each.close()


@pytest.mark.parametrize("device", ["", "..", ".", "a/b", "a b", "a:b", "x" * 16, "a\0b", "a\nb", "../../x"])
def test_what_is_no_device(world: World, device: str) -> None:
    for ask in (
        lambda: world.runtime.query(Target(device, "ingress")),
        lambda: world.runtime.attach(world.programs["a"], Target(device, "ingress")),
    ):
        with pytest.raises(LoadError) as caught:
            ask()
        assert caught.value.errno == 19


def test_what_is_no_hook(world: World) -> None:
    with pytest.raises(LoadError) as caught:
        world.runtime.attach(world.programs["a"], Target("eth0", "sideways"))
    assert caught.value.errno == 22


@pytest.mark.parametrize("order", [Order(is_before=True), Order(is_after=True), Order(revision=1)])
def test_xdp_programs_have_no_order(world: World, order: Order) -> None:
    with pytest.raises(LoadError) as caught:
        world.runtime.attach(world.programs["x"], Target("eth0", "xdp"), order)
    assert caught.value.errno == 22


def test_odd_names_of_devices(world: World) -> None:
    for device in (".new", "lock", "eth0.100", "ingress", "geräte"):
        with world.runtime.attach(world.programs["a"], Target(device, "ingress")) as link:
            assert world.runtime.query(Target(device, "ingress")) == HookInfo((world.programs["a"].id,), (link.id,), 2)
            assert link.info().device == device
        assert world.runtime.query(Target(device, "ingress")) == HookInfo()


@pytest.mark.parametrize(
    "text",
    [b"", b"x", b"bpf-hook 2 1\n1 1\n", b"bpf-hook 1 2\n", b"bpf-hook 1 2\n1 1", b"bpf-hook 1 2\n1 1\n1 2\n",
     b"bpf-hook 1 2\n0 1\n", b"bpf-hook 1 2\n-1 1\n", b"bpf-hook 1 2\n1 1 1\n", b"bpf-hook 1 2\n" + b"1 1\n" * 9999,
     bytes(range(256)), b"bpf-hook 1 " + b"9" * 400 + b"\n1 1\n"],
)  # fmt: skip
def test_a_damaged_list_is_an_error(world: World, text: bytes) -> None:
    world.answer("attach la a")
    path = os.path.join(world.runtime.pin_root, ".bpf/hooks/eth0/ingress")
    with open(path, "wb") as file:
        file.write(text)
    for ask in (
        world.links["la"].info,
        world.links["la"].detach,
        lambda: world.runtime.query(Target("eth0", "ingress")),
    ):
        with pytest.raises(PinError, match="damaged"):
            ask()
    assert any("damaged" in each for each in findings(world.runtime))
    world.runtime.close()
    os.unlink(path)


@pytest.mark.parametrize("text", [b"bpf-hook 1 5\n4711 4712\n", b"bpf-hook 1 5\n9223372036854775807 1\n"])
def test_a_list_of_links_that_are_not(world: World, text: bytes) -> None:
    os.makedirs(os.path.join(world.runtime.pin_root, ".bpf/hooks/eth0"))
    with open(os.path.join(world.runtime.pin_root, ".bpf/hooks/eth0/ingress"), "wb") as file:
        file.write(text)
    assert world.runtime.query(Target("eth0", "ingress")) == HookInfo()
    assert [each for each in findings(world.runtime) if "dead" in each]


def test_a_damaged_link_is_an_error(world: World) -> None:
    runtime = world.runtime
    for spec, size in ((b"", 8), (b"eth0/sideways", 8), (b"../ingress", 8), (b"eth0/ingress", 7), (b"\xff/\xfe", 8)):
        with runtime.store.create("link", "bad", spec, size) as stored:
            with pytest.raises(PinError, match="stored link damaged"):
                runtime.link_by_id(stored.id)
            assert check_link(runtime.store.by_id("link", stored.id))


def test_bytes_of_a_links_file_never_end_in_a_traceback(world: World) -> None:
    world.answer("attach la a")
    world.answer("pin la p")
    path = os.path.join(world.runtime.pin_root, "p")
    with open(path, "rb") as file:
        good = file.read()
    for at in [*range(220), *range(DATA_OFFSET, DATA_OFFSET + 8)]:
        with open(path, "r+b") as file:
            file.write(good[:at] + bytes([good[at] ^ 0x15]) + good[at + 1 :])
        with suppress(ToolchainError), world.runtime.get("p") as link:
            link.info()
            link.detach()
    with open(path, "r+b") as file:
        file.write(good)
    assert world.answer("show") == "revision 1:"


def test_handles_of_another_kind_are_refused(world: World) -> None:
    world.answer("attach la a")
    for wrong in (world.links["la"], object()):
        with pytest.raises(LoadError, match="another runtime"):
            world.runtime.attach(wrong, Target("eth0", "ingress"), Order())
        with pytest.raises(LoadError, match="another runtime"):
            world.links["la"].update(wrong)


def test_pinning_over_another_link_is_make_before_break(world: World) -> None:
    for line in ("attach la a", "pin la p", "close la", "attach lb b"):
        assert world.answer(line) == "ok"
    world.runtime.pin(world.links["lb"], "p", replacing=True)
    assert world.answer("show") == "revision 4: b"

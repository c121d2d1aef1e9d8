"""fd-send and fd-recv on the user runtime: objects change hands over a socket, and peers are not believed."""

import errno
import json
import os
import socket
import struct
import subprocess
import sys
import threading

import pytest

from tests.small_objects import counter
from toolchain.errors import HandOverError, PinError, ToolchainError
from toolchain.loader.fd_message import MAX_COUNT, Record, decode, encode
from toolchain.loader.hand_over import Receiver, Sender, receive_objects, send_objects
from toolchain.vm import UserRuntime

TC_RECORD = struct.pack("@9I", 2, 4, 16, 16, 0, 7, 2, 0, 0)
TC_MESSAGE = struct.pack("@HH64s4xQQ", 1, 1, b"ingress.o", 5, 6) + TC_RECORD


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "toolchain.cli.bpf_load", *words]


@pytest.fixture
def uds(tmp_path_factory):
    return str(tmp_path_factory.mktemp("s") / "uds")


@pytest.fixture
def awaiting(bpf_load, uds):
    """A function that starts fd-recv and gives the process, which awaits."""
    started = []

    def start(*words: str) -> subprocess.Popen[str]:
        running = subprocess.Popen(
            command("--json", "fd-recv", uds, *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(running)
        while not os.path.exists(uds):
            assert running.poll() is None, running.stderr.read()
        return running

    yield start
    for each in started:
        each.kill()
        each.communicate()


@pytest.fixture
def loaded(bpf_load, written):
    assert bpf_load("load", written(counter()), "--pin", "p").status == 0
    assert bpf_load("attach", "p", "eth0", "ingress", "--pin", "l").status == 0


def test_the_message_is_tc_s():
    assert len(TC_MESSAGE) == 124
    assert decode(TC_MESSAGE) == ("ingress.o", (7,))
    records = [Record(7)]
    assert decode(encode(records, "x" * 100)) == ("x" * 63, (7,))


@pytest.mark.parametrize(
    "data",
    [b"", TC_MESSAGE[:87], TC_MESSAGE[:-1], TC_MESSAGE + b"x", b"\2" + TC_MESSAGE[1:], bytes(124),
     TC_MESSAGE[:2] + b"\x41\0" + TC_MESSAGE[4:], TC_MESSAGE[:2] + b"\xff\xff" + TC_MESSAGE[4:]],
)  # fmt: skip
def test_no_messages(data):
    with pytest.raises(ValueError, match="message"):
        decode(data)


def test_objects_of_every_kind_change_hands_and_are_pinned(bpf_load, loaded, awaiting, uds, pins):
    receiver = awaiting("--pin", "got")
    sent = bpf_load("--json", "fd-send", uds, "p", "map:1", "l", "--name", "three")
    assert [row["kind"] for row in sent.json["objects"]] == ["prog", "map", "link"]
    out, err = receiver.communicate(timeout=30)
    assert (receiver.returncode, err) == (0, "")
    document = json.loads(out)
    assert document["from"] == "three"
    found = {row["kind"]: row["pin"] for row in document["objects"]}
    assert (found["map"], found["link"]) == ("got/acc", "got/link1")
    assert {path: pins()[path] for path in found.values()} == {path: (kind, 1) for kind, path in found.items()}
    assert not os.path.exists(uds)


def test_a_map_without_a_pin_lives_in_flight(pin_root, uds):
    from toolchain.isa.map_types import MapType
    from toolchain.spec.maps import MapSpec

    runtime = UserRuntime(pin_root)
    with Receiver(uds) as receiver:
        with runtime.map_create(MapSpec("m", MapType.ARRAY, 4, 8, 1)) as made:
            made[bytes(4)] = b"12345678"
            send_objects(uds, [made])
        runtime.close()
        assert list(runtime.map_ids()) == [1], "held by the message alone"
        _, (received,) = receiver.receive(runtime)
    with received.handle as held:
        assert held[bytes(4)] == b"12345678"
        runtime.pin(held, "m")
    runtime.close()
    assert list(runtime.map_ids()) == [1]


def test_a_command_gets_descriptors_and_says_what_they_are(loaded, awaiting, bpf_load, uds):
    script = 'echo $BPF_NUM_MAPS; "$0" -m toolchain.cli.bpf_load --json map show fd $BPF_MAP1; "$0" -m \
toolchain.cli.bpf_load --json prog show fd $BPF_PROG0; kill -PIPE $$'
    receiver = awaiting("--", "sh", "-c", script, sys.executable)
    assert bpf_load("fd-send", uds, "p", "tc/globals/acc").status == 0
    out, err = receiver.communicate(timeout=30)
    count, shown, program = out.splitlines()
    assert count == "1"
    assert json.loads(shown)["map"]["name"] == "acc"
    assert json.loads(shown)["map"]["pids"][0]["pid"] == receiver.pid, "it became the command"
    assert json.loads(program)["program"]["id"] == 1
    assert (receiver.returncode, err) == (-13, ""), "SIGPIPE is as the shell has it"


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("fd-send", "{uds}", "p"), 1, "ENOENT"),
        (("fd-send", "{uds}", "p", "--wait", "0.05"), 1, "ENOENT"),
        (("fd-send", "{file}", "p"), 1, "not a socket"),
        (("fd-send", "/" + "x" * 200, "p"), 1, "ENAMETOOLONG"),
        (("fd-send", "{uds}", "nothing"), 1, "ENOENT"),
        (("fd-send", "{uds}", "map:x"), 2, "no id"),
        (("fd-send", "{uds}", "fd:987"), 1, "EBADF"),
        (("fd-send", "{uds}"), 2, "OBJECT"),
        (("fd-send", "{uds}", *["p"] * 65), 1, "1..64"),
        (("fd-recv", "{file}", "--timeout", "0.05"), 1, "EADDRINUSE"),
        (("fd-recv", "/nowhere/x", "--timeout", "0.05"), 1, "ENOENT"),
        (("fd-recv", "{uds}", "--timeout", "0.05"), 1, "ETIMEDOUT"),
        (("fd-recv", "{uds}", "--timeout", "-1"), 2, "timeout"),
        (("map", "show", "fd", "987"), 1, "EBADF"),
        (("map", "show", "fd", "x"), 2, "no descriptor"),
        (("map", "show", "fd", "0"), 1, "E"),
        (("link", "show", "fd", "987"), 1, "EBADF"),
    ],
)
def test_refusals(bpf_load, loaded, uds, tmp_path, words, status, text):
    plain = tmp_path / "plain"
    plain.write_text("x")
    outcome = bpf_load(*(word.format(uds=uds, file=plain) for word in words))
    assert outcome.status == status, outcome
    assert text in outcome.err
    assert not os.path.exists(uds)


def send_raw(path: str, data: bytes, descriptors: list[int]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as raw:
        raw.connect(path)
        socket.send_fds(raw, [data], descriptors) if descriptors else raw.send(data)


HOSTILE = {
    "nothing": (lambda fds: (b"", [])),
    "no descriptor": (lambda fds: (TC_MESSAGE, [])),
    "two for one": (lambda fds: (TC_MESSAGE, [fds["map"], fds["map"]])),
    "one for two": (lambda fds: (TC_MESSAGE[:2] + b"\2\0" + TC_MESSAGE[4:] + TC_RECORD, [fds["map"]])),
    "253 descriptors": (lambda fds: (TC_MESSAGE, [fds["map"]] * 253)),
    "noise": (lambda fds: (os.urandom(4096), [fds["map"]])),
    "a pipe": (lambda fds: (TC_MESSAGE, [fds["pipe"]])),
    "a plain file": (lambda fds: (TC_MESSAGE, [fds["file"]])),
    "a directory": (lambda fds: (TC_MESSAGE, [fds["directory"]])),
    "a copy": (lambda fds: (TC_MESSAGE, [fds["copy"]])),
    "a map of another tree": (lambda fds: (TC_MESSAGE, [fds["foreign"]])),
    "a socket": (lambda fds: (TC_MESSAGE, [fds["socket"]])),
    "good, then bad": (lambda fds: (TC_MESSAGE[:2] + b"\2\0" + TC_MESSAGE[4:] + TC_RECORD, [fds["map"], fds["pipe"]])),
}


@pytest.fixture
def descriptors(pin_root, tmp_path):
    from toolchain.isa.map_types import MapType
    from toolchain.spec.maps import MapSpec

    spec = MapSpec("m", MapType.ARRAY, 4, 8, 1)
    runtime, other = UserRuntime(pin_root), UserRuntime(f"{pin_root}-other")
    made, foreign = runtime.map_create(spec), other.map_create(spec)
    copy = tmp_path / "copy"
    copy.write_bytes(os.pread(made.fileno(), 1 << 20, 0))
    (tmp_path / "plain").write_text("x" * 8192)
    reading, writing = os.pipe()
    one, two = socket.socketpair()
    found = {
        "map": made.fileno(), "foreign": foreign.fileno(), "pipe": reading, "socket": one.fileno(),
        "file": os.open(tmp_path / "plain", os.O_RDWR), "directory": os.open(tmp_path, os.O_RDONLY),
        "copy": os.open(copy, os.O_RDWR),
    }  # fmt: skip
    yield found
    for each in (found["file"], found["directory"], found["copy"], reading, writing):
        os.close(each)
    for handle in (made, foreign, one, two):
        handle.close()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_peers(pin_root, uds, descriptors, name):
    data, fds = HOSTILE[name](descriptors)
    runtime = UserRuntime(pin_root)
    before = set(os.listdir("/proc/self/fd"))
    with Receiver(uds) as receiver:
        send_raw(uds, data, fds)
        with pytest.raises(ToolchainError) as caught:
            receiver.receive(runtime, 5)
    assert isinstance(caught.value, HandOverError | PinError)
    assert caught.value.where is not None
    assert set(os.listdir("/proc/self/fd")) == before, "every descriptor that came was closed"


def test_the_sender_s_lock_is_not_ours(pin_root, uds):
    """A sender shares the open file that it sent, and may unlock it; the receiver's hold is its own."""
    import fcntl

    from toolchain.isa.map_types import MapType
    from toolchain.spec.maps import MapSpec

    runtime = UserRuntime(pin_root)
    made = runtime.map_create(MapSpec("m", MapType.ARRAY, 4, 8, 1))
    thread = threading.Thread(target=lambda: send_objects(uds, [made], wait=5))
    thread.start()
    (held,) = receive_objects(runtime, uds, 5)
    thread.join()
    fcntl.flock(made.fileno(), fcntl.LOCK_UN)
    made.close()
    runtime.close()
    assert list(runtime.map_ids()) == [1]
    held.close()
    runtime.close()
    assert list(runtime.map_ids()) == []


def test_a_descriptor_for_reading_gives_a_handle_for_reading(pin_root):
    from toolchain.errors import MapError
    from toolchain.isa.map_types import MapType
    from toolchain.spec.maps import MapSpec

    runtime = UserRuntime(pin_root)
    with runtime.map_create(MapSpec("m", MapType.ARRAY, 4, 8, 1)) as made:
        with runtime.from_fd(os.open(f"/proc/self/fd/{made.fileno()}", os.O_RDONLY)) as held:
            assert held.lookup(bytes(4)) == bytes(8)
            with pytest.raises(MapError) as refused:
                held.update(bytes(4), bytes(8))
        assert refused.value.errno == errno.EPERM


def test_only_its_owner_may_send(uds):
    with Receiver(uds):
        assert os.stat(uds).st_mode & 0o777 == 0o600


def test_a_socket_that_a_killed_receiver_left_is_taken_over(awaiting, bpf_load, loaded, uds):
    killed = awaiting()
    killed.kill()
    killed.wait()
    refused = bpf_load("fd-send", uds, "p")
    assert (refused.status, "ECONNREFUSED" in refused.err) == (1, True)
    receiver = awaiting()
    with Sender(uds, wait=30):
        pass
    busy = bpf_load("fd-recv", uds, "--timeout", "0.05")
    assert (busy.status, "EADDRINUSE" in busy.err) == (1, True)
    assert bpf_load("fd-send", uds, "p", "--wait", "10").status == 0
    assert receiver.wait(30) == 0


def test_a_socket_that_another_put_in_its_place_stays(uds):
    with Receiver(uds):
        os.unlink(uds)
        with open(uds, "w"):
            pass
    assert os.path.exists(uds)


def test_too_many_objects(pin_root, uds):
    with pytest.raises(HandOverError, match=f"1..{MAX_COUNT}"):
        send_objects(uds, [])

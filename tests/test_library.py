"""The toolchain as a library: everything by ``from toolchain import ...``."""

import subprocess
import sys
from pathlib import Path

import pytest

import toolchain
from tests.small_objects import counter, unsafe

OBJECTS = Path(__file__).parent / "data" / "obj"


def test_the_main_job_in_ten_lines(tmp_path, pin_root):
    from toolchain import load

    path = tmp_path / "count.o"
    path.write_bytes(counter())
    with load(path, pin="ingress", pin_root=pin_root), load(path, pin="egress", pin_root=pin_root) as egress:
        assert egress.program()(bytes(64)) == 0
        acc, key = egress.maps["acc"], bytes(4)
        assert int.from_bytes(acc[key][:8], sys.byteorder) == 1
        acc[key] = bytes(16)
        assert len(acc) == 8
        assert not any(acc[key])


def test_each_arrow_by_itself(tmp_path):
    from toolchain import Rejected, link, read_object, verify

    path = tmp_path / "a.o"
    path.write_bytes(counter())
    (linked,) = link(read_object(str(path)))
    assert verify(linked).stats.processed > 0
    path.write_bytes(unsafe())
    with pytest.raises(Rejected, match="map_value_or_null"):
        verify(link(read_object(str(path)))[0])


def test_text_to_a_running_program(pin_root):
    from toolchain import assemble_text, extract, load

    text = '.license "GPL"\n.section tc,"ax",@progbits\n.globl f\n.type f,@function\nf:\n r0 = 7\n exit\n.size f, .-f\n'
    with load(extract(assemble_text(text)), pin_root=pin_root) as loaded:
        assert loaded.program("f").run(bytes(64)).retval == 7


def test_every_public_name_is_there_and_unknown_ones_are_not():
    for name in toolchain.__all__:
        assert getattr(toolchain, name) is not None
        assert name in dir(toolchain)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = toolchain.nothing


def test_importing_the_package_imports_nothing_else():
    code = "import sys, toolchain; print(*[name for name in sys.modules if name.startswith('toolchain')])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["toolchain.lazy", "toolchain"]


def test_a_map_made_pinned_and_got_again(pin_root):
    from toolchain import MapError, create_map, get

    with create_map("numbers", "array", key_size=4, value_size=4, max_entries=8, pin="a/numbers", pin_root=pin_root):
        pass
    with get("a/numbers", pin_root=pin_root) as numbers:
        numbers[1] = 42
        assert numbers[1] == numbers[b"\1\0\0\0"] == b"\x2a\0\0\0"
        assert (numbers.typed[1], len(numbers), list(numbers.typed)) == (42, 8, list(range(8)))
        assert dict(numbers.typed.items()) == {**dict.fromkeys(range(8), 0), 1: 42}
        assert numbers.typed == {**dict.fromkeys(range(8), 0), 1: 42}
        assert 9 not in numbers
        with pytest.raises(KeyError, match="9"):
            _ = numbers[9]
        with pytest.raises(MapError, match="map 'numbers': value: number too large for 4 bytes"):
            numbers[1] = 1 << 32
        with pytest.raises(MapError, match="bytes or a number is needed"):
            numbers[1] = "x"
        with pytest.raises(MapError, match="map 'numbers': update of key 09 00 00 00: E2BIG"):
            numbers[9] = 1


@pytest.mark.parametrize(
    ("wrong", "error"),
    [(("no type", 4, 4, 1), "UsageError"), (("array", 3, 4, 1), "LoadError"), (("ringbuf", 0, 0, 4096), "Unsupported")],
)
def test_a_map_that_cannot_be_made_leaves_nothing(pin_root, wrong, error):
    with pytest.raises(toolchain.ToolchainError) as refused:
        toolchain.create_map("m", *wrong, pin="m", pin_root=pin_root)
    assert type(refused.value).__name__ == error
    assert list(toolchain.open_runtime("user", pin_root).pins()) == []


def test_typed_keys_and_values(pin_root):
    """Every shape of C; what is not named is zero, what there is not is named."""
    from toolchain import MapError, load

    with load(OBJECTS / "shapes.o", pin_root=pin_root) as loaded:
        shapes = loaded.maps["shapes"].typed
        key = {"a": 1, "b": -2, "c": 3}
        shapes[key] = {
            "name": "eth0", "colour": "BLUE", "in": {"a": 7}, "ins": [{"b": -1}], "address": {"ip": 1}, "f2": 5,
            "g1": -1, "flag": True, "p": "0xff", "grid": [[1, 2], [3, 4]], "huge": -5, "z": -(1 << 63),
        }  # fmt: skip
        value = shapes[key]
        assert value["address"] == {"ip": 1, "octet": [1, 0, 0, 0]}
        names = ("name", "colour", "f1", "f2", "g1", "g2", "flag", "p", "grid", "huge")
        assert {name: value[name] for name in names} == {
            "name": "eth0", "colour": "BLUE", "f1": 0, "f2": 5, "g1": -1, "g2": 0, "flag": True, "p": "0xff",
            "grid": [[1, 2], [3, 4]], "huge": -5,
        }  # fmt: skip
        assert list(shapes) == [key]
        shapes[key] = value
        assert shapes[key] == value, "what is read can be written"
        loaded.maps["hidden"].typed[0] = {"a": 1, "d": 5}
        assert loaded.maps["hidden"].typed[0] == {"a": 1, "b": 0, "c": 5, "d": 5}
        words = loaded.maps["words"].typed
        words[0] = ["abc"] * len(words[0])
        assert set(words[0]) == {"abc"}
        loaded.maps["reals"].typed[0] = {"f": 0.5, "d": -2}
        assert loaded.maps["reals"].typed[0] == {"f": 0.5, "d": -2.0}
        for wrong, text in (
            ({"nothing": 1}, "no field: nothing"), ({"x": 256}, "value.x: number too large for 1 bytes"),
            ({"colour": "PINK"}, "value.colour: no enumerator: PINK"), ({"f1": 8}, "too large for 3 bits"),
            ({"name": "123456789"}, "text of 9 bytes"), ({"ins": [{}, {}, {}]}, "list of 2"), (7, "fields by name"),
            ({"in": {"c": "x"}}, "value.in.c: no number: x"), ({"grid": [[1, []]]}, r"value.grid\[0\]\[1\]: no num"),
            ({"z": bytes(7)}, "value.z: 7 bytes"),
        ):  # fmt: skip
            with pytest.raises(MapError, match=text):
                shapes[key] = wrong
        del shapes[key]
        with pytest.raises(KeyError):
            del shapes[key]


def test_a_program_attached_and_what_its_link_says(tmp_path, pin_root):
    from toolchain import LoadError, get, load

    path = tmp_path / "count.o"
    path.write_bytes(counter())
    load(path, pin="p", pin_root=pin_root).close()
    with get("p", pin_root=pin_root) as program:
        with program.attach("eth0", "ingress") as link:
            assert (link.device, link.hook, program.name) == ("eth0", "ingress", "count")
            with pytest.raises(LoadError, match="EEXIST"):
                program.attach("eth0", "ingress")
        program.attach("eth0", "ingress", pin="links/l").close()
    with get("links/l", pin_root=pin_root) as link:
        link.detach()
        assert not link.handle.info().is_attached
    with pytest.raises(toolchain.PinError, match="ENOENT"):
        get("links/no", pin_root=pin_root)


def test_objects_change_hands(tmp_path, pin_root):
    import threading

    from toolchain import create_map, receive, send

    uds = str(tmp_path / "uds")
    with create_map("m", "hash", 4, 8, 16, pin_root=pin_root) as made:
        made[1] = 2
        sender = threading.Thread(target=lambda: send(uds, made, wait=30))
        sender.start()
        (got,) = receive(uds, timeout=30, pin_root=pin_root)
        sender.join()
    with got:
        assert got.typed == {1: 2}
        assert got.id == 1
    assert list(toolchain.open_runtime("user", pin_root).map_ids()) == []

"""Captures in both formats, whole and broken."""

import random
import struct

import pytest

from toolchain.errors import CaptureError
from toolchain.loader.captures import MAX_PACKET, CaptureWriter, Packet, read_capture

FRAMES = [bytes(range(60)), b"", b"\xff" * 1514]


def pcap(mark="<", magic=0xA1B2C3D4, link_type=1, frames=FRAMES):
    data = struct.pack(f"{mark}IHHiIII", magic, 2, 4, 0, 0, 65535, link_type)
    for index, frame in enumerate(frames):
        data += struct.pack(f"{mark}IIII", 100 + index, 7, len(frame), len(frame) + 10) + frame
    return data


def block(mark, kind, body):
    body += bytes(-len(body) % 4)
    size = struct.pack(f"{mark}I", len(body) + 12)
    return struct.pack(f"{mark}I", kind) + size + body + size


def section(mark="<"):
    return block(mark, 0x0A0D0D0A, struct.pack(f"{mark}IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(mark="<", link_type=1, options=b""):
    return block(mark, 1, struct.pack(f"{mark}HHI", link_type, 0, 0) + options)


def enhanced(frame, mark="<", index=0, ticks=1_000_000):
    head = struct.pack(f"{mark}IIIII", index, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
    return block(mark, 6, head + frame)


@pytest.fixture
def packets_of(tmp_path):
    def read(data):
        path = tmp_path / "in.pcap"
        path.write_bytes(data)
        return list(read_capture(str(path)))

    return read


@pytest.mark.parametrize("mark", "<>")
@pytest.mark.parametrize(("magic", "fraction_ns"), [(0xA1B2C3D4, 7000), (0xA1B23C4D, 7)])
def test_pcap_of_both_byte_orders_and_units(packets_of, mark, magic, fraction_ns):
    packets = packets_of(pcap(mark, magic))
    assert [each.data for each in packets] == FRAMES
    assert packets[1].time_ns == 101_000_000_000 + fraction_ns
    assert packets[0].length == 70


@pytest.mark.parametrize("mark", "<>")
def test_pcapng_of_both_byte_orders(packets_of, mark):
    nanoseconds = struct.pack(f"{mark}HHB3xHH", 9, 1, 9, 0, 0)
    data = section(mark) + interface(mark) + interface(mark, options=nanoseconds) + block(mark, 5, bytes(12))
    data += (
        enhanced(b"abcde", mark) + enhanced(b"f", mark, index=1) + block(mark, 3, struct.pack(f"{mark}I", 3) + b"xyz")
    )
    packets = packets_of(data)
    assert [(each.data, each.time_ns) for each in packets] == [
        (b"abcde", 1_000_000_000),
        (b"f", 1_000_000),
        (b"xyz", 0),
    ]


def test_a_second_section_begins_anew(packets_of):
    data = (
        section() + interface(link_type=1) + enhanced(b"a") + section(">") + interface(">", 101) + enhanced(b"b", ">")
    )
    assert [(each.data, each.link_type) for each in packets_of(data)] == [(b"a", 1), (b"b", 101)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "shorter than a magic number: 0 bytes"),
        (b"\x7fELF" + bytes(60), "magic 7f454c46"),
        (pcap()[:20], "cut short"),
        (pcap()[:-1], "cut short: 1513 bytes"),
        (pcap()[:30], "cut short"),
        (pcap(frames=[]) + struct.pack("<IIII", 0, 0, MAX_PACKET + 1, 0), "packet too long: 262145"),
        (section()[:10], "cut short"),
        (section() + enhanced(b"a"), "unknown interface: 0"),
        (section() + struct.pack("<II", 1, 8), "out of range: 8"),
        (section() + struct.pack("<II", 1, 0xFFFFFFFC), "out of range"),
        (section() + block("<", 1, b"abcd"), "interface block cut short"),
        (section() + block("<", 3, b""), "simple packet block"),
        (section() + interface() + block("<", 6, struct.pack("<IIIII", 0, 0, 0, 9, 9)), "longer than its block: 9"),
        (struct.pack("<III", 0x0A0D0D0A, 28, 5), "byte order of a section unknown"),
    ],
)
def test_broken_captures_say_what_and_where(packets_of, data, message):
    with pytest.raises(CaptureError, match=message) as caught:
        packets_of(data)
    assert "in.pcap+0x" in str(caught.value.where)


def test_no_bytes_make_it_fail_otherwise(packets_of):
    chance = random.Random(5)
    whole = section() + interface() + enhanced(b"abcdefgh") + block("<", 3, struct.pack("<I", 3) + b"xyz")
    for _ in range(400):
        data = bytearray(chance.choice((whole, pcap(frames=FRAMES[:2]))))
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.choice((0, 1, 0x7F, 0xFF, chance.randrange(256)))
        try:
            packets = packets_of(bytes(data[: chance.randint(0, len(data))]))
        except CaptureError:
            continue
        assert all(len(each.data) <= MAX_PACKET for each in packets)


def test_what_is_written_reads_back(tmp_path):
    path = str(tmp_path / "out.pcap")
    packets = [Packet(b"abc", 5_000_000_001, 3), Packet(b"", 0, 9)]
    with CaptureWriter(path) as writer:
        for each in packets:
            writer.write(each)
    assert list(read_capture(path)) == packets


def test_files_that_cannot_be_had(tmp_path):
    with pytest.raises(CaptureError, match="No such file"):
        list(read_capture(str(tmp_path / "missing")))
    with pytest.raises(CaptureError, match="Is a directory"):
        list(read_capture(str(tmp_path)))
    with pytest.raises(CaptureError, match="cannot write: No such file"):
        CaptureWriter(str(tmp_path / "no" / "out.pcap"))

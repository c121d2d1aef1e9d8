"""iproute2's bpf_pinning file: ids, directories, and lines that are neither."""

from toolchain.loader.pinning_file import parse_places, read_places

TEXT = """
# id  directory
3\ttracing
0x10 foo/bar   # the rest is a comment
5 /tc/cls1/
5 later
0 none
1 object
2 global
6
seven eight
99999999999999999999 far
#7 off
8 /
"""


def test_lines():
    assert parse_places(TEXT) == {3: "tracing", 16: "foo/bar", 5: "later", 99999999999999999999: "far"}


def test_the_first_file_that_is_there_counts(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    second.write_text("4 second\n")
    assert read_places((str(first), str(second))) == {4: "second"}
    first.write_text("4 first\n")
    assert read_places((str(first), str(second))) == {4: "first"}
    assert read_places((str(tmp_path / "none"),)) == {}


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "binary"
    path.write_bytes(b"\xff\xfe\x00 4 \x80\n4 good\n")
    assert read_places((str(path),)) == {4: "good"}

"""The toolchain as a library: everything by ``from toolchain import ...``."""

import subprocess
import sys

import pytest

import toolchain
from tests.small_objects import counter, unsafe


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

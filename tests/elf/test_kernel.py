"""libbpf loads what the writer wrote into the live kernel."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from toolchain.btf import Btf, BtfExt, encode_both
from toolchain.elf import read, write

OBJ = Path(__file__).parents[1] / "data" / "obj"
LOAD = """set -e
mount -t bpf none /sys/fs/bpf
bpftool prog load {0} /sys/fs/bpf/written
bpftool prog dump xlated pinned /sys/fs/bpf/written
"""


@pytest.mark.kernel
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("bpftool") is None, reason="needs root and bpftool")
@pytest.mark.parametrize("cpu", ["v1", "v2", "v3", "v4"])
def test_rewritten_object_loads(cpu: str, tmp_path: Path) -> None:
    """Sections, symbols, types and records through our values and back; its own mount namespace holds the bpffs."""
    file = read((OBJ / f"plain-{cpu}.o").read_bytes())
    data = {section.name: section.data for section in file.sections}
    btf = Btf.decode(data[".BTF"])
    types, records = encode_both(btf, BtfExt.decode(data[".BTF.ext"], btf))
    written = {".BTF": types, ".BTF.ext": records}
    sections = tuple(
        replace(each, data=written[each.name], size=len(written[each.name])) if each.name in written else each
        for each in file.sections
    )
    path = tmp_path / "written.o"
    path.write_bytes(write(replace(file, sections=sections)))
    command = ["unshare", "-m", "sh", "-c", LOAD.format(path)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "plain.c:5" in ended.stdout or "__s32 half" in ended.stdout, "line information came along"

"""Texts and their listings. BLESS=1 writes the listings anew."""

import os
import shutil
from pathlib import Path

import pytest

from toolchain.cli.bpf_as import main
from toolchain.elf import read

GOLDEN = Path(__file__).parent.parent / "data" / "asm" / "golden"


@pytest.mark.parametrize("source", sorted(GOLDEN.glob("*.s")), ids=lambda path: path.stem)
def test_listing(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    shutil.copy(source, tmp_path)
    options = source.read_text().splitlines()[0].removeprefix("# options:").split()
    with pytest.raises(SystemExit) as ended:
        main([*options, "-l", "listing", source.name])
    assert ended.value.code == 0
    got = (tmp_path / "listing").read_text()
    wanted = source.with_suffix(".lst")
    if os.environ.get("BLESS"):
        wanted.write_text(got)
    assert got == wanted.read_text()
    data = (tmp_path / source.with_suffix(".o").name).read_bytes()
    assert any(section.data for section in read(data).sections)

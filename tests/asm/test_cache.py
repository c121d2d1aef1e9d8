"""The plan cache: warm runs import no parser, and no file can make a run wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from toolchain.asm.api import assemble, parse
from toolchain.asm.cache import MAX_VERSIONS, PlanCache, cache_folder
from toolchain.asm.shapes import Shapes

TEXT = "r1 = 5\nL1: if r1 == 7 goto L1\n.section tc/in,\"ax\"\n.byte 'a'\nexit\n"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def warm() -> PlanCache:
    cache = PlanCache("auto")
    shapes = Shapes("auto", cache.load())
    assemble(parse(TEXT, "x.s", None, shapes))
    assert shapes.is_changed
    cache.save(shapes.plans)
    return cache


def test_plans_come_back() -> None:
    plans = warm().load()
    shapes = Shapes("auto", plans)
    again = assemble(parse(TEXT, "x.s", None, shapes))
    assert not shapes.is_changed
    assert again == assemble(parse(TEXT, "x.s"))


def test_a_warm_run_imports_no_parser(tmp_path: Path) -> None:
    source = tmp_path / "x.s"
    source.write_text(TEXT)
    program = (
        "import sys; sys.argv = ['bpf-as', '-o', '/dev/null', sys.argv[1]]\n"
        "from toolchain.cli.bpf_as import main\n"
        "try: main()\n"
        "except SystemExit as end: print(end.code, 'lark' in sys.modules)"
    )
    root = str(Path(__file__).parents[2])
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program, str(source)], capture_output=True, text=True, check=True, cwd=root
        ).stdout.split()
        for _ in range(2)
    ]
    assert outputs == [["0", "True"], ["0", "False"]]


def test_damage_is_ignored() -> None:
    cache = warm()
    assert cache.path
    good = Path(cache.path).read_bytes()
    checksum, _, body = good.partition(b"\n")
    plans = json.loads(body)
    for damaged in (b"", b"\n", good[:-1], checksum + b"\n[]", b"0" * 8 + b"\n" + body, good[:100], os.urandom(500)):
        Path(cache.path).write_bytes(damaged)
        assert cache.load() == {}
    Path(cache.path).write_bytes(good)
    assert len(cache.load()) == len(plans)


def test_the_folder_is_private(own_cache: Path) -> None:
    warm()
    folder = Path(cache_folder() or "")
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    assert cache_folder() is None
    assert PlanCache("auto").load() == {}


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    cache = warm()
    assert cache.path
    elsewhere = tmp_path / "elsewhere"
    Path(cache.path).rename(elsewhere)
    Path(cache.path).symlink_to(elsewhere)
    assert cache.load() == {}


def test_the_oldest_files_of_other_versions_go() -> None:
    cache = warm()
    folder = Path(cache.path).parent
    others = [folder / f"asm-auto-{number}.json" for number in range(5)]
    for age, path in enumerate(others, 1):
        path.write_text("old")
        os.utime(path, (1_000_000_000 - age, 1_000_000_000 - age))
    cache.save({"p": (["label", 1],)})
    assert sorted(folder.iterdir()) == sorted([Path(cache.path), *others[: MAX_VERSIONS - 1]])

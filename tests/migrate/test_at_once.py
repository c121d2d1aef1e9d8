"""Two operators upgrade at the same moment: one migrates, the other one finds the new map."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "migrate"
ROUNDS = 4


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    directory = tmp_path_factory.mktemp("objects")
    for version in (1, 2):
        source = DATA / f"counter{version}.s"
        subprocess.run([ROOT / "bin" / "bpf-as", "-o", directory / f"{version}.o", source], check=True)
    return directory


def command(root, *words):
    return [str(ROOT / "bin" / "bpf-load"), "-r", "user", "--pin-root", root, "--json", *map(str, words)]


def test_one_migrates_and_the_other_reuses(pin_root, objects):
    subprocess.run(command(pin_root, "load", objects / "1.o"), check=True, stdout=subprocess.DEVNULL)
    value = ["7", *["0"] * 15]
    update = command(pin_root, "map", "update", "tc/globals/acc", "key", "2", "value", *value)
    subprocess.run(update, check=True, stdout=subprocess.DEVNULL)
    for number in range(ROUNDS):
        wanted = objects / f"{2 - number % 2}.o"
        words = [command(pin_root, "load", wanted, "--on-mismatch", "migrate", "--pin", f"p{number}{n}") for n in "ab"]
        running = [subprocess.Popen(each, stdout=subprocess.PIPE, text=True) for each in words]
        said = [json.loads(each.communicate()[0]) for each in running]
        assert [each.returncode for each in running] == [0, 0], said
        maps = [each["maps"][0] for each in said]
        assert len({each["id"] for each in maps}) == 1
        assert sorted(each["reused"] for each in maps) == [False, True]
        assert [each["migrated"]["entries"] for each in maps if "migrated" in each] == [1]

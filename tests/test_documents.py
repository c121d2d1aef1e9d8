"""What the README says is so: its commands and programs are run as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
BINARIES = Path(sys.executable).parent
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.S)


def run(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def assembled() -> None:
    run("make", "-s", "-C", "examples", "assembled", f"BPF_AS={BINARIES / 'bpf-as'}")


def test_make_knows_the_commands_that_the_documents_name():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"\bmake ([a-z-]+)", README + (ROOT / "ARCHITECTURE.md").read_text()))
    assert named
    assert named <= targets


@pytest.mark.usefixtures("assembled")
def test_the_demo_runs_where_a_path_has_a_space(tmp_path):
    folder = tmp_path / "with space"
    folder.mkdir()
    for name in ("bpf-as", "bpf-load"):
        (folder / name).symlink_to(BINARIES / name)
    run("make", "-s", "-B", "-C", "examples", "assembled", f"BPF_AS={folder / 'bpf-as'}")
    assert run("sh", "examples/share.sh", BPF_LOAD=str(folder / "bpf-load")).endswith("equal\n")
    for target in ("demo", "sanitize", "test-kernel"):  # no absolute paths, which make would split
        assert str(ROOT) not in run("make", "-n", "-s", "-o", "build", target, MAKEFLAGS="")


@pytest.mark.usefixtures("assembled")
def test_the_demo_prints_what_the_readme_shows():
    output = run("sh", "examples/share.sh", BPF_LOAD=str(BINARIES / "bpf-load")).splitlines()
    shown = next(text for _, text in BLOCKS if text.startswith("$ bpf-load load")).splitlines()
    assert [line for line in shown if line != "..." and line not in output] == []
    assert output[-1] == "equal"


def test_the_assembly_of_the_readme_is_accepted(tmp_path):
    source = tmp_path / "count.s"
    source.write_text(next(text for _, text in BLOCKS if ".map acc" in text))
    run(str(BINARIES / "bpf-as"), str(source))
    assert "accept" in run(str(BINARIES / "bpf-load"), "--json", "verify", str(tmp_path / "count.o"))


@pytest.mark.usefixtures("assembled")
def test_the_python_of_the_readme_runs(tmp_path):
    text = next(text for language, text in BLOCKS if language == "python")
    check = "\nimport struct\nassert verdict == 0 and struct.unpack('=QQ', packets_and_bytes) == (1, 64)\n"
    run(sys.executable, "-c", text + check, BPF_PIN_ROOT=str(tmp_path))


def commands_of(*group: str) -> set[str]:
    text = run(str(BINARIES / "bpf-load"), *group, "--help")
    return set(re.findall(r"^  ([a-z][\w-]+)  ", text[text.index("Commands:") :], re.M))


def test_the_readme_names_every_command_and_no_other():
    known = commands_of()
    (block,) = (text for _, text in BLOCKS if text.startswith("bpf-load inspect"))
    assert set(re.findall(r"^bpf-load ([\w-]+)", block, re.M)) <= known
    for group, words in {"": known, **{name: commands_of(name) for name in ("map", "prog", "link", "pin")}}.items():
        assert {word for word in words if not re.search(rf"\b{word}\b", block)} == set(), group


def test_the_documents_name_every_schema_of_json():
    """Schemas whose last word is a command's name are put together, so those are asked of the document only."""
    listed = set(re.findall(r"`((?:bpf-load|bpf-as)\.[\w-]+/1)`", (ROOT / "docs" / "json.md").read_text()))
    text = "".join(path.read_text() for path in (ROOT / "toolchain").rglob("*.py"))
    written = set(re.findall(r"\b(?:bpf-load|bpf-as)\.[a-z-]+/1", text))
    assert written <= listed
    made_up = {
        f"bpf-load.{each}/1"
        for each in (
            "error",
            "attach",
            "replace",
            "fd-send",
            "fd-recv",
            "map-import",
            "map-export-result",
            "map-update",
            "map-delete",
            "map-freeze",
        )
    }
    assert listed - written == made_up | {"bpf-as.error/1"}


DOCUMENTS = pytest.mark.parametrize(
    "document", [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")], ids=lambda path: path.name
)


@DOCUMENTS
def test_files_that_are_named_are_there(document):
    named = re.findall(r"\b((?:tests|toolchain|examples|bench)/[\w./-]*\w)", document.read_text())
    assert [each for each in named if not (ROOT / each).exists() and not list(ROOT.glob(f"{each}*"))] == []


def test_every_module_of_the_verifier_is_in_its_table():
    named = set(re.findall(r"`(\w+\.py)`", (ROOT / "docs" / "verifier.md").read_text()))
    assert named == {path.name for path in (ROOT / "toolchain" / "verifier").glob("*.py")} - {"__init__.py"}


@pytest.fixture(scope="module")
def options() -> set[str]:
    """All long options of both commands."""
    words: list[tuple[str, ...]] = [(each,) for each in commands_of() - {"map", "prog", "link", "pin"}]
    words += [(group, each) for group in ("map", "prog", "link", "pin") for each in commands_of(group)]
    texts = [run(str(BINARIES / "bpf-load"), *each, "--help") for each in words]
    return set(re.findall(r"--[a-z][\w-]+", "".join([*texts, run(str(BINARIES / "bpf-as"), "--help")])))


@DOCUMENTS
def test_options_that_are_named_are_there(document, options):
    text = re.sub(r"--\w+--", "", document.read_text())  # arrows of a drawing
    assert set(re.findall(r"(?<![\w<-])--[a-z][\w-]+", text)) - options == set()


@DOCUMENTS
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target

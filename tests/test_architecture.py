"""The walls: who may import whom, which library belongs to whom, what is pure, and that every file says what it is.

Read from the syntax trees, so imports inside functions and under TYPE_CHECKING count too.
"""

import ast
import functools
import importlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYERS = {
    "errors": 0,
    "lazy": 0,
    "processes": 0,
    "values": 0,
    "isa": 1,
    "spec": 2,
    "btf": 2,
    "asm": 3,
    "elf": 3,
    "verifier": 3,
    "pin": 3,
    "vm": 4,
    "kernel": 4,
    "loader": 5,
    "cli": 6,
}
"""Folder -> layer. A module imports lower layers or its own folder; folders of one layer do not know each other,
except that spec's types may name btf's."""
SIBLINGS_ALLOWED = {("spec", "btf")}
OWNERS = {
    "lark": {"asm"},
    "elftools": {"elf"},
    "click": {"cli"},
    "_core": {"vm"},
    "_sys": {"kernel"},
    "cffi": {"vm", "kernel"},
    "pyroute2": {"kernel"},
}
"""Library -> the folders that may import it."""
PURE = ("asm", "elf", "verifier", "btf", "isa", "spec", "loader/link.py", "loader/bind.py", "loader/object_maps.py",
        "loader/source_info.py", "loader/core_relocation.py", "loader/type_layout.py", "loader/map_btf.py",
        "loader/migrate_types.py", "loader/migrate_counters.py", "loader/migrate_steps.py", "loader/migrate_plan.py",
        "loader/migrate_entries.py")  # fmt: skip
"""What neither opens, nor prints, nor asks the system."""
IMPURE_NAMES = {"open", "print", "input", "exec", "eval", "breakpoint"}
IMPURE_MODULES = {
    "os",
    "io",
    "pathlib",
    "subprocess",
    "socket",
    "shutil",
    "tempfile",
    "fcntl",
    "mmap",
    "ctypes",
    "pickle",
}
IMPURE_EXCEPTIONS = {
    ("asm", "cache"): "keeps compiled shapes in the user's cache directory",
    ("asm", "grammar"): "reads the grammar files beside it",
    ("asm", "macros"): "reads the files that a source includes",
    ("verifier", "verify"): "os.cpu_count() is the default of an option",
}
"""(folder, module) -> why. Each still never prints."""

MODULES = sorted((ROOT / "toolchain").rglob("*.py"))


def folder_of(path: Path) -> str:
    """toolchain/vm/maps.py -> vm; toolchain/errors.py -> errors; toolchain/__init__.py -> ''."""
    parts = path.relative_to(ROOT / "toolchain").with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def dotted_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {dotted_name(path) for path in MODULES}


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported_by(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """``from toolchain.spec import maps`` imports toolchain.spec.maps; of other names, the module that has them."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    module = node.module or ""
    assert node.level == 0, f"line {node.lineno}: relative import"
    for alias in node.names:
        inner = f"{module}.{alias.name}"
        yield inner if inner in NAMES else module


def imports_of(path: Path) -> Iterator[str]:
    """The dotted names that a file imports anywhere."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imported_by(node)


def imported_when_run(path: Path, inside_functions: bool) -> Iterator[str]:
    """What is imported when the module is, and, if asked, when its functions run; never what only types need."""
    nodes: list[ast.AST] = list(tree_of(path).body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imported_by(node)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            nodes += node.orelse
        elif inside_functions or isinstance(node, ast.If | ast.Try | ast.With):
            nodes += ast.iter_child_nodes(node)


def is_pure(path: Path) -> bool:
    relative = path.relative_to(ROOT / "toolchain").as_posix()
    return any(relative == each or relative.startswith(f"{each}/") for each in PURE)


def test_a_module_imports_lower_layers_or_its_own_folder():
    wrong = []
    for path in MODULES:
        here = folder_of(path)
        if not here:
            continue
        assert here in LAYERS, f"{here}: a folder without a layer"
        for name in imports_of(path):
            there = name.split(".")[1] if name.startswith("toolchain.") else here
            if there != here and LAYERS[there] >= LAYERS[here] and (here, there) not in SIBLINGS_ALLOWED:
                wrong.append(f"{shown(path)} imports {name}")
    assert not wrong


def import_cycles(graph: dict[str, set[str]]) -> list[str]:
    """One cycle for each module at which a walk of the graph comes back."""
    found: list[str] = []
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            found.append(" -> ".join((*trail[trail.index(name) :], name)))
        elif name not in done:
            for each in sorted(graph[name]):
                visit(each, (*trail, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())
    return found


def test_no_import_cycles():
    graph = {
        dotted_name(path): {name for name in imported_when_run(path, False) if name in NAMES} - {dotted_name(path)}
        for path in MODULES
    }
    assert not import_cycles(graph)


def test_no_cycles_hidden_inside_functions():
    """Files of one folder that need each other are one file, or a third one is missing below both."""
    graph = {
        dotted_name(path): {
            name
            for name in imported_when_run(path, True)
            if name in NAMES and name.rpartition(".")[0] == dotted_name(path).rpartition(".")[0]
        }
        - {dotted_name(path)}
        for path in MODULES
        if path.stem != "__init__"
    }
    assert not import_cycles(graph)


def test_lazy_names_are_not_modules():
    """Importing a module puts it into its package, over whatever has its name there."""
    for path in MODULES:
        homes = getattr(importlib.import_module(dotted_name(path)), "_HOMES", {}) if path.stem == "__init__" else {}
        assert not [name for name in homes if f"{dotted_name(path)}.{name}" in NAMES]
        assert all(hasattr(importlib.import_module(home), name) for name, home in homes.items())


def test_libraries_stay_with_their_owners():
    wrong = [
        f"{shown(path)} imports {name}"
        for path in MODULES
        for name in imports_of(path)
        for part in name.split(".")
        if part in OWNERS and folder_of(path) not in OWNERS[part]
    ]
    assert not wrong


def test_every_module_says_what_it_is():
    assert not [shown(path) for path in MODULES if not ast.get_docstring(tree_of(path))]


def test_pure_folders_touch_nothing():
    wrong = []
    for path in filter(is_pure, MODULES):
        is_exempt = (folder_of(path), path.stem) in IMPURE_EXCEPTIONS
        refused = IMPURE_NAMES - ({"open"} if is_exempt else set())
        wrong += [f"{shown(path)}:{line}: {name}()" for name, line in called_names(path) if name in refused]
        if not is_exempt:
            modules = (name for name in imports_of(path) if name.split(".")[0] in IMPURE_MODULES)
            wrong += [f"{shown(path)} imports {name}" for name in modules]
    assert not wrong


def test_exceptions_are_still_needed():
    paths = {(folder_of(path), path.stem): path for path in filter(is_pure, MODULES)}
    for key, reason in IMPURE_EXCEPTIONS.items():
        if key in paths:
            found = {name.split(".")[0] for name in imports_of(paths[key])} & IMPURE_MODULES
            assert found, f"{key}: no longer impure ({reason})"


def test_only_the_commands_print_or_exit():
    refused = {"print", "exit", "sys.exit", "os._exit"}
    wrong = [
        f"{shown(path)}:{line}: {name}()"
        for path in MODULES
        if folder_of(path) != "cli"
        for name, line in called_names(path)
        if name in refused
    ]
    assert not wrong


def test_nothing_is_left_for_later():
    words = ("TODO", "FIXME", "XXX", "HACK", "NotImplementedError")
    assert not [f"{shown(path)}: {word}" for path in MODULES for word in words if word in path.read_text()]


def called_names(path: Path) -> Iterator[tuple[str, int]]:
    """The names that a file calls, ``module.name`` where they are attributes of a name, and their lines."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Name(id=name):
                    yield name, node.lineno
                case ast.Attribute(value=ast.Name(id=module), attr=name):
                    yield f"{module}.{name}", node.lineno

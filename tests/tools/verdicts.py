#!/usr/bin/env python3
"""Verdicts over many programs, one JSON line each, to lay beside another verifier's: our verifier's, or those that our
loader gets from the running kernel.

    verdicts.py objects DIR... -o RESULTS.jsonl [-j N] [--match GLOB] [--settings FILE] [--runtime kernel]
    verdicts.py test_verifier FILE.jsonl... -o RESULTS.jsonl [-j N] [--runtime kernel]

``objects`` takes every ELF file below each DIR and names it by its path from there. ``test_verifier`` takes instruction
arrays with their maps, as JSON lines: first ``{"suite","fixup","maps",..}``, then ``{"suite","index","code",..}``.
SETTINGS says how single programs are to be loaded, where their sections do not: a list of ``{"file","programs":
[{"section","program","prog_type","attach_type","flags"}]}``.

A line has ``file``, ``section`` and ``program`` (objects), ``verdict`` accept, reject or unsupported, ``stage``,
``message``, ``insn``, ``insns``, ``processed``, ``usec``. Each file is judged in a process of its own, with a limit on
memory and on the time of each program; what runs into one is unsupported. An exception that is no error of ours is a
bug: it goes to stderr as a line ``crash: ...``, with its traceback in FILE.crash beside RESULTS.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import pathlib
import resource
import selectors
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from toolchain.errors import LinkError, ObjectError, Rejected, ToolchainError, Unsupported
from toolchain.isa.map_types import MapType
from toolchain.isa.program_types import ProgType
from toolchain.spec.maps import MapSpec
from toolchain.spec.stages import BoundProgram, FunctionInfo, LinkedProgram

SECONDS = 20
MEMORY = 6 << 30
"""Of address space: an arena may take 4 GiB of it."""
WIDE = 0x18

Row = dict[str, Any]
Settings = dict[tuple[str, str, str], Row]
Job = tuple[str, Callable[[Callable[[Row], None]], None]]


class OutOfTime(BaseException):
    """A program took longer than its share; no handler for errors may swallow it."""


def _on_alarm(*_: object) -> NoReturn:
    raise OutOfTime


def judge(row: Row, make: Callable[[], LinkedProgram]) -> Row:
    """``row`` with the verdict on the program that ``make`` gives."""
    started = time.perf_counter()
    try:
        row |= _in_time(make)
    except OutOfTime:  # perhaps while the timer was being stopped
        row |= {"verdict": "unsupported", "message": "time"}
    except MemoryError:
        row |= {"verdict": "unsupported", "message": "memory"}
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{pathlib.Path(place.filename).name}:{place.lineno}"
        row |= {"verdict": "unsupported", "message": f"crash: {type(error).__name__} at {where}: {error}"}
        row["traceback"] = traceback.format_exc()
    row.setdefault("usec", int((time.perf_counter() - started) * 1e6))
    return row


def _in_time(make: Callable[[], LinkedProgram]) -> Row:
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        return _judge(make)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


Verdict = Callable[[LinkedProgram], Any]
"""Gives the figures of a program that is accepted, raises the reason of one that is not."""


def _by_our_verifier(program: LinkedProgram) -> Any:
    from toolchain.verifier import verify

    return verify(BoundProgram.unpinned(program)).stats


def _by_the_kernel(program: LinkedProgram) -> Any:
    from toolchain.kernel import KernelRuntime
    from toolchain.loader.judge import judge

    runtime = KernelRuntime()
    try:
        return judge(runtime, program).stats
    finally:
        runtime.close()


def prepare(obj: Any) -> Any:
    """The object, ready to be linked for whom the verdicts are asked."""
    from toolchain.loader.prepare import prepared

    return prepared(obj, for_kernel=verdict_on is _by_the_kernel)


VERIFIERS: dict[str, Verdict] = {"user": _by_our_verifier, "kernel": _by_the_kernel}
verdict_on: Verdict = _by_our_verifier


def _judge(make: Callable[[], LinkedProgram]) -> Row:
    try:
        program = make()
    except ToolchainError as error:
        stage = "open" if isinstance(error, ObjectError) else "reloc"
        return {"verdict": "unsupported", "stage": stage, "message": error.message}
    row: Row = {"insns": program.slot_count}
    try:
        stats = verdict_on(program)
    except Unsupported as error:
        return row | {"verdict": "unsupported", "stage": "verifier", "message": error.message}
    except Rejected as error:
        row |= {"verdict": "reject", "stage": "verifier", "message": error.message}
        row["insn"] = getattr(error.where, "slot", None)
        row["processed"] = getattr(error.stats, "processed", None)
        return row
    except ToolchainError as error:
        return row | {"verdict": "unsupported", "stage": "verifier", "message": f"{error.code}: {error.message}"}
    return row | {"verdict": "accept", "processed": stats.processed, "usec": stats.usec or None}


def object_job(root: pathlib.Path, path: pathlib.Path, settings: Settings) -> Job:
    """All programs of one object."""
    name = str(path.relative_to(root))

    def run(emit: Callable[[Row], None]) -> None:
        from toolchain.loader.link import link
        from toolchain.loader.objects import read_object

        try:
            obj = prepare(read_object(str(path)))
        except ToolchainError as error:
            emit({"file": name, "verdict": "unsupported", "stage": "open", "message": error.message})
            return
        for program in obj.programs:
            wanted = settings.get((name, program.section, program.name), {})

            def make(program: Any = program, wanted: Row = wanted) -> LinkedProgram:
                kind = ProgType(wanted["prog_type"]) if "prog_type" in wanted else program.prog_type
                return _as_wanted(link(obj, program.name, kind), wanted)

            emit(judge({"file": name, "section": program.section, "program": program.name}, make))

    return name, run


def _as_wanted(program: LinkedProgram, wanted: Row) -> LinkedProgram:
    from dataclasses import replace

    return replace(
        program,
        prog_flags=program.prog_flags | wanted.get("flags", 0),
        expected_attach_type=wanted.get("attach_type", program.expected_attach_type),
    )


def read_settings(path: pathlib.Path | None) -> Settings:
    """SETTINGS by (file, section, program)."""
    if path is None:
        return {}
    return {
        (entry["file"], program["section"], program["program"]): program
        for entry in json.loads(path.read_text())
        for program in entry["programs"]
    }


def _map_spec(maps: list[Row], index: int, name: str) -> MapSpec:
    entry = maps[index]
    return MapSpec(
        name=name,
        map_type=MapType(entry["type"]),
        key_size=entry["key_size"],
        value_size=entry["value_size"],
        max_entries=entry["max_entries"],
        map_flags=entry["flags"],
        inner=_map_spec(maps, entry["inner"], name + "_inner") if "inner" in entry else None,
        key_type_id=entry.get("btf_key_type", 0),
        value_type_id=entry.get("btf_value_type", 0),
    )


def array_program(test: Row, fixups: dict[str, Row]) -> LinkedProgram:
    """A test's instruction array as a linked program: each fix-up's last map stands where its fd would."""
    from toolchain.btf import Btf

    if test["kfuncs"] or "attach_func" in test:
        raise LinkError("kfuncs and attach targets are not in an instruction array")
    code = bytearray.fromhex(test["code"])
    specs: list[MapSpec] = []
    types = test.get("btf", "")
    for name, slots in test["fixups"].items():
        maps = fixups[name]["maps"]
        for slot in slots:
            at = slot * 8
            code[at + 1] = (code[at + 1] & 15) | (6 if code[at + 1] >> 4 == 2 else 5) << 4
            code[at + 4 : at + 8] = len(specs).to_bytes(4, "little")
        specs.append(_map_spec(maps, len(maps) - 1, name))
        types = types or maps[-1].get("btf", "")
    records = bytes.fromhex(test.get("func_info", ""))
    btf = Btf.decode(bytes.fromhex(types)) if types else None
    functions = tuple(
        _function(btf, records[at : at + 4], records[at + 4 : at + 8]) for at in range(0, len(records), 8)
    )
    return LinkedProgram(
        name=f"test {test['index']}",
        section=test["file"],
        prog_type=ProgType(test["prog_type"]),
        code=bytes(code),
        maps=tuple(specs),
        functions=functions,
        expected_attach_type=test["attach_type"],
        prog_flags=test["flags"],
        licence="GPL",
        btf=btf,
    )


def _function(btf: Any, slot: bytes, type_id: bytes) -> FunctionInfo:
    number = int.from_bytes(type_id, "little")
    found = btf.get(number) if btf is not None else None
    is_global = int(getattr(found, "linkage", 0)) == 1
    return FunctionInfo(int.from_bytes(slot, "little"), getattr(found, "name", ""), number, is_global)


def array_jobs(path: pathlib.Path, match: str, chunk: int = 40) -> Iterator[Job]:
    """The tests of one file, so many to a process."""
    fixups: dict[str, Row] = {}
    tests: list[Row] = []
    with path.open() as lines:
        for line in lines:
            row = json.loads(line)
            if "fixup" in row:
                fixups[row["fixup"]] = row
            elif fnmatch.fnmatch(f"{row['suite']}/{row['index']}", match):
                tests.append(row)
    for start in range(0, len(tests), chunk):
        part = tests[start : start + chunk]

        def run(emit: Callable[[Row], None], part: list[Row] = part) -> None:
            for test in part:
                emit(judge({"file": f"{test['suite']}/{test['index']}"}, lambda test=test: array_program(test, fixups)))

        yield f"{path.name}+{start}", run


def _child(job: Job, write: int) -> NoReturn:
    """Run one job and leave, whatever happens."""
    status = 70
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        signal.signal(signal.SIGALRM, _on_alarm)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        with os.fdopen(write, "w") as out:

            def emit(row: Row) -> None:
                out.write(json.dumps(row) + "\n")
                out.flush()

            job[1](emit)
        status = 0
    except BaseException:
        traceback.print_exc()
    os._exit(status)


def run_all(jobs: Iterator[Job], workers: int, take: Callable[[Row], None]) -> int:
    """Run jobs in processes of their own, ``workers`` at a time; gives the number that died."""
    died = 0
    running: dict[int, tuple[str, int, bytearray]] = {}
    with selectors.DefaultSelector() as selector:
        source = iter(jobs)
        exhausted = False
        while True:
            while not exhausted and len(running) < workers:
                job = next(source, None)
                if job is None:
                    exhausted = True
                    break
                read, write = os.pipe()
                sys.stdout.flush()
                pid = os.fork()
                if pid == 0:
                    os.close(read)
                    _child(job, write)
                os.close(write)
                running[read] = (job[0], pid, bytearray())
                selector.register(read, selectors.EVENT_READ)
            if not running:
                return died
            for key, _ in selector.select():
                name, pid, buffer = running[key.fd]
                data = os.read(key.fd, 1 << 16)
                buffer += data
                while (end := buffer.find(b"\n")) >= 0:
                    take(json.loads(buffer[:end]))
                    del buffer[: end + 1]
                if not data:
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    del running[key.fd]
                    _, status = os.waitpid(pid, 0)
                    if status:
                        died += 1
                        print(f"died: {name}: wait status {status}", file=sys.stderr)


def main() -> int:
    """The command line; exit status 1 where anything crashed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("objects", "test_verifier"))
    parser.add_argument("paths", nargs="+", type=pathlib.Path)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    parser.add_argument("-j", "--jobs", type=int, default=1)
    parser.add_argument("--match", default="*", metavar="GLOB", help="only files (tests: SUITE/INDEX) that match")
    parser.add_argument("--settings", type=pathlib.Path)
    parser.add_argument("--runtime", choices=VERIFIERS, default="user", help="whose verdicts")
    arguments = parser.parse_args()
    for path in arguments.paths:
        if not path.exists():
            parser.error(f"no such file or folder: {path}")
    global verdict_on
    verdict_on = VERIFIERS[arguments.runtime]
    crashes: dict[str, int] = {}
    count = 0

    def jobs() -> Iterator[Job]:
        settings = read_settings(arguments.settings)
        for root in arguments.paths:
            if arguments.kind == "test_verifier":
                yield from array_jobs(root, arguments.match)
                continue
            for path in sorted(path for path in root.rglob("*") if path.is_file()):
                if fnmatch.fnmatch(str(path.relative_to(root)), arguments.match):
                    yield object_job(root, path, settings)

    with arguments.output.open("w") as out, arguments.output.with_suffix(".crash").open("w") as crash_file:

        def take(row: Row) -> None:
            nonlocal count
            count += 1
            text = row.pop("traceback", None)
            if text is not None:
                crashes[row["message"]] = crashes.get(row["message"], 0) + 1
                crash_file.write(f"{row['file']} {row.get('section', '')} {row.get('program', '')}\n{text}\n")
            out.write(json.dumps(row) + "\n")
            out.flush()

        died = run_all(jobs(), arguments.jobs, take)
    for message, times in sorted(crashes.items(), key=lambda item: -item[1]):
        print(f"{times:5} {message}", file=sys.stderr)
    print(f"{count} programs, {sum(crashes.values())} crashes, {died} processes died")
    return 1 if crashes or died else 0


if __name__ == "__main__":
    sys.exit(main())

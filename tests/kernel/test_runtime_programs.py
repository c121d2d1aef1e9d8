"""Programs of the kernel runtime: loading, the kernel's verdict in our form, running, the user runtime beside it."""

import ctypes
import errno
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kernel import oracle, private_bpffs
from tests.loader import test_kconfig
from tests.vm.engines import Observed, summed
from tests.vm.vectors import Vector, vector_files
from toolchain.btf.codec import Btf
from toolchain.elf import read_spec
from toolchain.errors import LoadError, Rejected, Unsupported
from toolchain.isa.map_types import MapFlag, MapType
from toolchain.isa.program_types import ProgType
from toolchain.kernel import KernelRuntime, calls, info
from toolchain.kernel.programs import FIRST_LOG_SIZE, log_stats, reason, refusal
from toolchain.loader.judge import judge, judge_by_verifier
from toolchain.loader.link import link
from toolchain.loader.objects import read_object
from toolchain.loader.pipeline import LoadOptions, load
from toolchain.spec.maps import MapSpec
from toolchain.spec.stages import BoundProgram, FunctionInfo, LineInfo, LinkedProgram

from tests.small_objects import counter, unsafe  # isort: skip

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
COMPILER = next((name for name in ("clang", "clang-19", "clang-22") if shutil.which(name)), "")

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(oracle.why_unavailable()), reason=oracle.why_unavailable() or "available"),
]


@pytest.fixture
def runtime():
    made = KernelRuntime()
    yield made
    made.close()


def built(folder: Path, cpu: str = "v3") -> Path:
    """The examples, made in a folder of the test's own; the compiled ones where there is a compiler."""
    copy = folder / f"examples-{cpu}"
    shutil.copytree(EXAMPLES, copy, ignore=shutil.ignore_patterns("*.o"))
    command = ["make", "-C", copy, "all", f"CPU={cpu}", f"CLANG={COMPILER}", f"BPF_AS={ROOT}/bin/bpf-as"]
    subprocess.run(command, check=True, capture_output=True)
    return copy


@pytest.fixture(scope="module")
def examples(tmp_path_factory) -> Path:
    return built(tmp_path_factory.mktemp("built"))


@pytest.fixture
def typed(examples):
    """The linked program of an object with type information."""
    if not COMPILER:
        pytest.skip("no clang")
    return link(read_object(str(examples / "counter-btf.o")), "count_ingress")


@pytest.fixture(autouse=True)
def nothing_is_left():
    """Whatever a test does, the kernel holds as many objects of ours afterwards as before."""
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    "file", [each for each in vector_files() if each[0].kernel == "yes"], ids=lambda each: each[0].name
)
def test_run_vectors(runtime, file):
    for vector in file:
        assert run(runtime, vector).differences(vector, has_trace=False) == []


def run(runtime: KernelRuntime, vector: Vector) -> Observed:
    """One run of a vector; its other programs and inner maps go into the slots that it names."""
    with ExitStack() as stack:
        maps = {spec.name: stack.enter_context(runtime.map_create(spec)) for spec in vector.maps}
        for name, key, value in vector.before:
            maps[name].update(key, value)
        for spec in vector.maps:
            if spec.is_frozen:
                maps[spec.name].freeze()
        handles = dict(maps)
        for each in (*vector.others(), vector.linked()):
            bound = BoundProgram.unpinned(each)
            handles[each.name] = stack.enter_context(runtime.prog_load(bound, [maps[spec.name] for spec in each.maps]))
        for name, key, what in vector.slots:
            maps[name].update(key, handles[what].fileno().to_bytes(4, "little"))
        result = handles[vector.linked().name].run(vector.packet, vector.ctx_bytes)
        specs = {spec.name: spec for spec in vector.maps}
        elements = {(name, key): summed(specs[name], maps[name].lookup(key)) for name, key, _ in vector.after}
        return Observed(result.retval, result.data_out, result.ctx_out, elements)


def agree(bpf_load, folder: Path) -> None:
    for path in sorted(folder.glob("*.o")):
        for program in read_object(str(path)).programs:
            arguments = ["run", "--both", path, "-p", program.name, "--pcap", EXAMPLES / "veth.pcap"]
            outcome = bpf_load("--json", *arguments)
            assert outcome.status == 0, (path.name, program.name, outcome)
            assert len(outcome.json["runs"]) == 36
            assert all(each["retval"] == each["kernel"]["retval"] for each in outcome.json["runs"])


def test_both_runtimes_agree_on_the_examples(bpf_load, examples):
    agree(bpf_load, examples)


@pytest.mark.parametrize("cpu", ["v1", "v2", "v4"])
def test_both_runtimes_agree_on_what_a_compiler_makes(bpf_load, tmp_path, cpu):
    if not COMPILER:
        pytest.skip("no clang")
    agree(bpf_load, built(tmp_path, cpu))


def test_verdicts_of_both_are_laid_side_by_side(bpf_load, written, examples):
    outcome = bpf_load("--json", "verify", "--both", *sorted(examples.glob("*.o")))
    assert outcome.status == 0, outcome
    for row in outcome.json["programs"]:
        assert row["differs"] == []
        assert (row["verdict"], row["processed"]) == (row["kernel"]["verdict"], row["kernel"]["processed"])
    outcome = bpf_load("verify", "--both", written(unsafe()))
    assert outcome.status == 3
    assert "1 programs judged by both, 0 differ" in outcome.out


def test_both_judge_a_map_whose_size_is_left_open_as_one_element(bpf_load, written):
    """Slot 0 is there whatever the size: on 6.18 nobody need ask for NULL, and both walk as many instructions."""
    for checks_null in (True, False):
        outcome = bpf_load("--json", "verify", "--both", written(counter(max_entries=0, checks_null=checks_null)))
        (row,) = outcome.json["programs"]
        assert (row["differs"], row["verdict"]) == ([], row["kernel"]["verdict"])


def test_a_difference_is_one_line_and_exit_6(bpf_load, written, monkeypatch):
    def wrong(program, log_level=0):
        return judge_by_verifier(program, log_level)._replace(stats=log_stats(""))

    monkeypatch.setattr("toolchain.loader.judge.judge_by_verifier", wrong)
    path = written(counter())
    outcome = bpf_load("verify", "--both", path)
    assert outcome.status == 6
    lines = outcome.out.splitlines()
    assert lines[0].startswith(f"differs     {path}: tc: count: user accept, 0 processed; kernel accept, ")
    assert lines[1] == "1 programs judged by both, 1 differ"


def test_verify_by_the_kernel(bpf_load, written):
    outcome = bpf_load("-r", "kernel", "--json", "verify", "--log-level", "1", written(counter()))
    assert outcome.status == 0
    (row,) = outcome.json["programs"]
    assert row["verdict"] == "accept"
    assert any(line.startswith("processed ") for line in row["log"])
    outcome = bpf_load("-r", "kernel", "--json", "verify", written(unsafe()))
    assert outcome.status == 3
    (row,) = outcome.json["programs"]
    assert row["message"] == "R0 invalid mem access 'map_value_or_null'"
    assert (row["insn"], row["stage"]) == (7, "verifier")
    assert row["processed"] > 0


@pytest.mark.parametrize("command", ["load", "run"])
def test_a_rejection_leaves_nothing(bpf_load, written, command):
    root = private_root()
    program = unsafe(map_name=f"left_{command}")
    outcome = bpf_load("-r", "kernel", "--pin-root", root, command, written(program))
    assert outcome.status == 3
    assert "R0 invalid mem access" in outcome.err
    assert f"left_{command}" not in bpf_load("-r", "kernel", "map", "show").out
    assert not list(KernelRuntime(root).pins())


@pytest.mark.parametrize("runtime", ["user", "kernel"])
def test_every_rejected_program_is_reported(bpf_load, tmp_path, runtime):
    source = tmp_path / "three.s"
    bodies = {"first": "r0 = *(u64 *)(r10 - 8)\n r0 = *(u8 *)(r0 + 0)", "good": "r0 = 0", "second": "r0 = r7"}
    parts = [f".globl {name}\n.type {name}, @function\n{name}: {body}\n exit\n" for name, body in bodies.items()]
    source.write_text('.license "GPL"\n.section tc, "ax", @progbits\n' + "".join(parts))
    subprocess.run([ROOT / "bin/bpf-as", "-o", tmp_path / "three.o", source], check=True)
    outcome = bpf_load("-r", runtime, "--json", "load", tmp_path / "three.o")
    assert outcome.status == 3
    assert [each["where"]["program"] for each in outcome.json["faults"]] == ["first", "second"]
    assert outcome.json["faults"][1]["error"] == "R7 !read_ok"


def test_variables_of_the_kernel_configuration(bpf_load, monkeypatch, tmp_path):
    path = tmp_path / "config"
    path.write_text(test_kconfig.CONFIG)
    monkeypatch.setenv("BPF_KCONFIG", str(path))
    for name, value in test_kconfig.RETURNED.items():
        outcome = bpf_load("--json", "run", "--both", test_kconfig.OBJECT, "-p", name)
        (run,) = outcome.json["runs"]
        assert (name, run["retval"], run["kernel"]["retval"]) == (name, value, value)
    monkeypatch.delenv("BPF_KCONFIG")
    outcome = bpf_load("-r", "kernel", "--json", "run", test_kconfig.OBJECT, "-p", "version")
    major, minor, *_ = os.uname().release.split(".")
    assert outcome.json["runs"][0]["retval"] >> 8 == int(major) << 8 | int(minor)


def private_root() -> str:
    directory = private_bpffs.mounted()
    if not directory:
        pytest.skip("this process may not mount a bpffs")
    return directory


def test_operations_are_judged_and_not_registered(bpf_load):
    path = ROOT / "tests/data/obj/struct_ops.o"
    outcome = bpf_load("-r", "kernel", "--json", "verify", path)
    found = {each["program"]: (each["verdict"], each["message"]) for each in outcome.json["programs"]}
    assert found["limit"][0] == "accept"
    assert found["undo"][0] == "reject"
    assert "func 'undo_cwnd'" in found["undo"][1] or "invalid bpf_context access" in found["undo"][1]
    assert "no such operation in this kernel: tcp_congestion_ops.no_such_operation: ESRCH" in found["absent"][1]
    assert found["unused"] == ("unsupported", "not supported: a struct_ops program that no struct of the object names")
    outcome = bpf_load("-r", "kernel", "load", path, "-p", "limit")
    assert outcome.status == 5
    assert "registering operations (struct_ops)" in outcome.err


@pytest.mark.parametrize("extra", [0, 1 << 44])
def test_a_program_that_uses_an_arena(runtime, extra):
    spec = MapSpec("arena", MapType.ARENA, 0, 0, 2, int(MapFlag.MMAPABLE), map_extra=extra)
    code = bytes.fromhex("18510000000000000000000000000000b7000000000000009500000000000000")
    program = small(code=code, maps=(spec,), section="syscall", prog_type=ProgType.SYSCALL, prog_flags=1 << 4)
    with runtime.map_create(spec) as arena, runtime.prog_load(BoundProgram.unpinned(program), [arena]) as loaded:
        assert loaded.info().map_ids == (arena.id,)


def test_variables_of_an_arena(runtime):
    with load(runtime, read_object(str(ROOT / "tests/data/obj/arena.o"))) as loaded:
        assert calls.prog_test_run(loaded.programs[0].handle.fileno(), repeat=0).retval == 42
    too_small = MapSpec("arena", MapType.ARENA, 0, 0, 1, int(MapFlag.MMAPABLE), data=bytes(4097))
    with pytest.raises(LoadError, match=r"arena 'arena' is too small for its variables: 4096 bytes \(4097 or more\)"):
        runtime.map_create(too_small)


def small(**changes) -> LinkedProgram:
    """r0 = 0; exit."""
    fields = {"name": "p", "section": "tc", "prog_type": ProgType.SCHED_CLS, "licence": "GPL", **changes}
    return LinkedProgram(code=fields.pop("code", bytes.fromhex("b7000000000000009500000000000000")), **fields)


def test_a_refusal_names_instruction_and_source(runtime):
    lines = (LineInfo(0, "a.c", 3, 1, "int x;"), LineInfo(1, "a.c", 4, 5, "return r3;"))
    code = bytes.fromhex("b701000000000000bf300000000000009500000000000000")
    with pytest.raises(Rejected) as refused:
        runtime.prog_load(BoundProgram.unpinned(small(code=code, line_info=lines)), [])
    error = refused.value
    assert error.message == "R3 !read_ok"
    assert (error.where.slot, error.where.source, error.where.text) == (1, "a.c:4", "return r3;")
    assert error.errno == errno.EACCES
    assert error.stats.processed == 2
    assert "1: (bf) r0 = r3" in error.log


def test_a_log_longer_than_the_first_buffer(runtime):
    """Thousands of branches, then a mistake: the whole log comes, in its exact size."""
    branches = bytes.fromhex("bf16000000000000") + b"".join(
        bytes.fromhex("61600000000000001500010000000000b700000001000000") for _ in range(300)
    )
    code = branches + bytes.fromhex("bf370000000000009500000000000000")
    with pytest.raises(Rejected) as refused:
        judge(runtime, small(code=code), 2)
    log = refused.value.log
    assert len(log) > FIRST_LOG_SIZE
    assert log.lstrip().startswith(("0:", "func#0", "Live regs"))
    assert refused.value.message == "R3 !read_ok"


def test_reasons_are_found_among_other_lines():
    log = "0: (b7) r1 = 0 ; R1_w=0\n1: (95) exit\nR0 !read_ok\nprocessed 2 insns (limit 1000000) max_states_per_insn 0"
    assert reason(log) == "R0 !read_ok"
    loop = (
        "171: (1d) if r0 == r2 goto pc-1 infinite loop detected at insn 171\ncur state: R0=scalar()\nprocessed 3 insns"
    )
    assert reason(loop) == "infinite loop detected at insn 171"
    assert reason("") == ""
    figures = calls.LoadAnswer(-errno.EINVAL, "func#0 @0\nprocessed 0 insns (limit 1000000) max_states_per_insn 0", 0)
    assert refusal(small(), figures).message == "no reason given but EINVAL"
    stats = log_stats(
        "verification time 12 usec\nstack depth 8+16\n"
        "processed 7 insns (limit 1000000) max_states_per_insn 1 total_states 2 peak_states 3 mark_read 4\n"
    )
    assert (stats.processed, stats.usec, stats.stack_depth, stats.peak_states) == (7, 12, (8, 16), 3)


def test_types_functions_and_lines_arrive(runtime, examples, typed):
    linked, obj = typed, read_object(str(examples / "counter-btf.o"))
    with load(runtime, obj, LoadOptions(programs=("count_ingress",), is_published=False)) as loaded:
        fd = loaded.programs[0].handle.fileno()
        live = info.prog_info(fd)
        assert live.func_info_count == len(linked.functions)
        assert live.line_info_count == len({line.slot for line in linked.line_info})
        btf = Btf.decode(info.btf_bytes(live.btf_id))
        found = {
            (btf.strings.at(path), btf.strings.at(text), place >> 10)
            for _, path, text, place in info.line_info(fd, live.line_info_count)
        }
        assert found <= {(line.path, line.text, line.line) for line in linked.line_info}
        assert any(text for _, text, _ in found)
        assert loaded.maps[0].handle.info().btf_id == live.btf_id


def test_strings_are_added_where_the_types_lack_them(runtime, typed):
    linked = typed
    lines = (replace(linked.line_info[0], slot=0, path="new.c", text="some text that no compiler wrote", line=77),)
    functions = linked.functions[:1]
    code = bytes.fromhex("b7000000000000009500000000000000")
    program = replace(linked, code=code, functions=functions, line_info=lines, maps=())
    with runtime.prog_load(BoundProgram.unpinned(program), []) as handle:
        live = info.prog_info(handle.fileno())
        btf = Btf.decode(info.btf_bytes(live.btf_id))
        ((_, path, text, place),) = info.line_info(handle.fileno(), live.line_info_count)
        assert (btf.strings.at(path), btf.strings.at(text), place >> 10) == ("new.c", lines[0].text, 77)


def test_records_that_the_kernel_would_refuse_are_left_out(runtime, typed):
    linked = typed
    code = bytes.fromhex("b7000000000000009500000000000000")
    odd = [
        {"line_info": (LineInfo(1, "a.c", 1),)},
        {"line_info": (LineInfo(1, "a.c", 1), LineInfo(0, "a.c", 1 << 30, 1 << 20), LineInfo(0, "b.c", 2))},
        {"line_info": (LineInfo(0, "a.c", 1), LineInfo(99, "a.c", 1))},
        {"functions": (FunctionInfo(0, "p", 0),)},
    ]
    for changes in odd:
        functions = linked.functions[:1]
        program = replace(linked, code=code, maps=(), **{"functions": functions, "line_info": (), **changes})
        runtime.prog_load(BoundProgram.unpinned(program), []).close()


def test_a_long_name_is_whole_where_types_tell_it(bpf_load, tmp_path):
    if not COMPILER:
        pytest.skip("no clang")
    source = tmp_path / "a.c"
    source.write_text('__attribute__((section("tc"))) int a_name_longer_than_fifteen(void *ctx) { return 7; }\n')
    subprocess.run([COMPILER, "-O2", "-g", "--target=bpf", "-c", source, "-o", tmp_path / "a.o"], check=True)
    root = private_root()
    assert bpf_load("-r", "kernel", "--pin-root", root, "load", tmp_path / "a.o", "--pin", "long").status == 0
    shown = bpf_load("-r", "kernel", "--pin-root", root, "--json", "prog", "show", "long").json["program"]
    assert shown["name"] == "a_name_longer_than_fifteen"
    shown = bpf_load("-r", "kernel", "--pin-root", root, "--json", "prog", "show", "name", shown["name"])
    assert shown.json["program"]["pinned"] == ["long"]
    ran = bpf_load("-r", "kernel", "--pin-root", root, "run", "long", "--expect", "7")
    assert ran.status == 0
    assert bpf_load("-r", "kernel", "--pin-root", root, "pin", "rm", "long").status == 0


def test_features_without_support_are_named(runtime):
    for kind, words in ((ProgType.STRUCT_OPS, "struct_ops"), (ProgType.EXT, "freplace"), (ProgType.TRACING, "target")):
        with pytest.raises(Unsupported) as refused:
            runtime.prog_load(BoundProgram.unpinned(small(prog_type=kind)), [])
        assert words in refused.value.feature


def test_a_place_to_attach_to_is_found_in_the_kernels_types(runtime):
    program = small(prog_type=ProgType.TRACING, expected_attach_type=28, attach_target="task")
    runtime.prog_load(BoundProgram.unpinned(program), []).close()
    missing = replace(program, attach_target="no_such_iterator")
    with pytest.raises(LoadError) as refused:
        runtime.prog_load(BoundProgram.unpinned(missing), [])
    assert refused.value.errno == errno.ESRCH


def drop_capabilities() -> None:
    """Nothing that this process runs from now on has a capability. PR_CAPBSET_DROP is 24."""
    libc = ctypes.CDLL(None)
    for capability in range(64):
        libc.prctl(24, capability, 0, 0, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to drop")
def test_without_permission_the_capability_is_named(written):
    path = written(counter(pinning=0))
    for words, needs in (
        (("verify", path), "CAP_BPF"),
        (("load", path), "CAP_BPF"),
        (("run", path), "CAP_BPF"),
        (("verify", "--both", path), "CAP_BPF"),
        (("map", "show"), "CAP_SYS_ADMIN"),
        (("prog", "show", "id", "1"), "CAP_SYS_ADMIN"),
    ):
        command = [ROOT / "bin/bpf-load", "-r", "kernel", *words]
        done = subprocess.run(command, capture_output=True, text=True, preexec_fn=drop_capabilities)
        assert done.returncode == 5, done
        assert f"needs {needs}" in done.stdout + done.stderr, done
        assert "EPERM" in done.stdout + done.stderr, done


def test_the_example_shares_a_map_on_the_kernel(examples):
    environment = {**os.environ, "BPF_RUNTIME": "kernel", "BPF_PIN_ROOT": private_root()}
    environment |= {
        "BPF_LOAD": str(ROOT / "bin/bpf-load"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(["sh", examples / "share.sh"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done
    assert done.stdout.endswith("equal\n")
    runtime = KernelRuntime(private_root())
    for each in list(runtime.pins()):
        runtime.unpin(each.path)


def test_hostile_type_information_costs_only_the_types(runtime, typed):
    linked = typed
    raw = bytearray(linked.btf.encode())
    for at in range(24, len(raw), 97):
        raw[at] ^= 0x55
        try:
            btf = Btf.decode(bytes(raw))
        except Exception:
            raw[at] ^= 0x55
            continue
        try:
            judge(runtime, replace(linked, btf=btf, maps=tuple(replace(m, key_type_id=0) for m in linked.maps)))
        except (Rejected, LoadError) as error:
            assert str(error)  # noqa: PT017
        raw[at] ^= 0x55


def test_objects_from_memory(runtime):
    with load(runtime, read_spec(counter(pinning=0), "a.o"), LoadOptions()) as loaded:
        assert loaded.programs[0].handle.run(bytes(64)).retval == 0
        assert loaded.maps[0].handle.lookup(bytes(4))[:8] == (1).to_bytes(8, "little")


@pytest.mark.parametrize("prog_type", [ProgType.SYSCALL, ProgType.RAW_TRACEPOINT, ProgType.KPROBE])
def test_types_that_no_packet_is_given_to(runtime, prog_type):
    code = bytes.fromhex("b700000000000000 9500000000000000")
    is_sleepable = prog_type is ProgType.SYSCALL
    linked = LinkedProgram("f", "f", prog_type, code, licence="GPL", prog_flags=16 * is_sleepable)
    with (
        runtime.prog_load(BoundProgram.unpinned(linked), []) as program,
        pytest.raises(Unsupported, match=f"running programs of type {prog_type.label}$") as refused,
    ):
        program.run(bytes(64))
    assert refused.value.hint.endswith("ENOTSUPP" if prog_type is ProgType.KPROBE else "EINVAL")

"""Run vectors: tests/data/run/*.vec, a program, what it runs on and what comes of it.

    # what it shows
    type = xdp                                   default socket_filter
    map acc = array key=4 value=8 entries=2      code refers to it by name, to its value as `acc.value`;
                                                 more: flags=0x80, frozen (with the elements set before)
    map outer = array_of_maps key=4 value=4 entries=2 inner=acc
                                                 inner maps are like acc
    set acc 00000000 = 0100000000000000          an element before the run; bytes in hex
    slot outer 00000000 = acc                    a map, or a program, in a slot before the run
    packet = ffffffffffff...                     default 64 zero bytes
    ctx = 0x8:u32=5 0x30:u32=1                   fields of the context before the run: offset, width, value
    code
        r0 = 1
        exit
    end
    code next                                    another program, for slots of prog arrays
        ...
    end
    returns = 1
    packet-after = ffff...                       checked where it is given
    ctx-after = 0x8:u32=7                        (needs ctx)
    get acc 00000000 = 0200000000000000          an element after the run; `-` for none
    trace = text                                 a line that trace_printk wrote; repeated for several
    faults = load                                the checked interpreter ends with this fault; nothing else runs it
    kernel = no: reason                          the kernel does not load or run it

For arithmetic there is a shorter form: the code ends without `exit`, and each `case` makes one program, which loads the
registers named, runs the code, and stores R0, all 64 bits of it:

    case r1=0x8000000000000000 r2=-1 -> 0x8000000000000000
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from toolchain.asm import assemble_text
from toolchain.isa.codec import decode, encode
from toolchain.isa.insn import Insn
from toolchain.isa.map_types import MapType
from toolchain.isa.opcodes import PseudoSrc
from toolchain.isa.program_types import ProgType
from toolchain.spec.maps import MapSpec
from toolchain.spec.stages import LinkedProgram

FOLDER = Path(__file__).parents[1] / "data" / "run"
CTX_SIZES = {ProgType.XDP: 24}
_OUT = MapSpec("out", MapType.ARRAY, 4, 8, 1)
_EPILOGUE = "r6 = r0\nr1 = out.value ll\n*(u64 *)(r1 + 0) = r6\nr0 = 0\nexit\n"
_WIDTHS = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}


@dataclass(frozen=True)
class Vector:
    """One program and one run of it. ``*_ctx`` are (offset, size, value)."""

    name: str
    prog_type: ProgType = ProgType.SOCKET_FILTER
    maps: tuple[MapSpec, ...] = ()
    before: tuple[tuple[str, bytes, bytes], ...] = ()
    slots: tuple[tuple[str, bytes, str], ...] = ()
    programs: tuple[tuple[str, str], ...] = ()
    packet: bytes = bytes(64)
    ctx: tuple[tuple[int, int, int], ...] = ()
    text: str = ""
    returns: int = 0
    packet_after: bytes | None = None
    ctx_after: tuple[tuple[int, int, int], ...] = ()
    after: tuple[tuple[str, bytes, bytes | None], ...] = ()
    trace: tuple[str, ...] = ()
    fault: str = ""
    kernel: str = "yes"
    cases: tuple[tuple[str, int], ...] = field(default=(), repr=False)

    @property
    def ctx_bytes(self) -> bytes:
        """The context as a test run takes it; b'' where the vector sets none."""
        if not self.ctx:
            return b""
        data = bytearray(CTX_SIZES.get(self.prog_type, 192))
        for offset, size, value in self.ctx:
            data[offset : offset + size] = value.to_bytes(size, "little")
        return bytes(data)

    def linked(self) -> LinkedProgram:
        """The program, its map references resolved to indexes."""
        return _linked(self)

    def others(self) -> tuple[LinkedProgram, ...]:
        """The programs for slots."""
        return tuple(
            replace(_linked(replace(self, name=name, text=text, programs=())), name=name)
            for name, text in self.programs
        )


@cache
def vector_files() -> tuple[tuple[Vector, ...], ...]:
    """Every file of the folder: one vector, or one for each case."""
    return tuple(tuple(expand(parse(path))) for path in sorted(FOLDER.glob("*.vec")))


def expand(vector: Vector) -> list[Vector]:
    """The vector itself, or one for each of its cases."""
    if not vector.cases:
        return [vector]
    made = []
    for number, (inputs, result) in enumerate(vector.cases):
        prologue = "".join(f"{register} = {value} ll\n" for register, value in re.findall(r"(r\d)=(\S+)", inputs))
        out = result.to_bytes(8, "little")
        made.append(
            replace(
                vector,
                name=f"{vector.name}-{number}",
                maps=(*vector.maps, _OUT),
                text=f"{prologue}{vector.text}{_EPILOGUE}",
                after=(("out", bytes(4), out),),
                cases=(),
            )
        )
    return made


def parse(path: Path) -> Vector:
    """A file as one vector."""
    lines = iter(path.read_text().splitlines())
    fields: dict[str, object] = {"name": path.stem}
    lists: dict[str, list[object]] = {
        name: [] for name in ("maps", "before", "slots", "programs", "after", "trace", "cases")
    }
    for line in lines:
        if line.split()[:1] == ["code"]:
            text = "".join(f"{code}\n" for code in iter(lambda: next(lines), "end"))
            if name := line.strip()[5:]:
                lists["programs"].append((name, text))
            else:
                fields["text"] = text
        elif line.strip() and not line.startswith("#"):
            _statement(line, fields, lists)
    known = {name: tuple(values) for name, values in lists.items()}
    return Vector(**fields, **known)  # type: ignore[arg-type]


def _statement(line: str, fields: dict[str, object], lists: dict[str, list[object]]) -> None:
    if line.startswith("case "):
        inputs, _, result = line.removeprefix("case ").partition("->")
        lists["cases"].append((inputs, int(result, 0) & (1 << 64) - 1))
        return
    left, _, right = (part.strip() for part in line.partition("="))
    match left.split():
        case ["type"]:
            fields["prog_type"] = ProgType[right.upper()]
        case ["map", name]:
            lists["maps"].append(_map(name, right, lists["maps"]))
        case ["set", name, key]:
            lists["before"].append((name, bytes.fromhex(key), bytes.fromhex(right)))
        case ["slot", name, key]:
            lists["slots"].append((name, bytes.fromhex(key), right))
        case ["get", name, key]:
            lists["after"].append((name, bytes.fromhex(key), None if right == "-" else bytes.fromhex(right)))
        case [("packet" | "packet-after") as name]:
            fields[name.replace("-", "_")] = bytes.fromhex(right)
        case [("ctx" | "ctx-after") as name]:
            fields[name.replace("-", "_")] = tuple(_ctx_field(each) for each in right.split())
        case ["returns"]:
            fields["returns"] = int(right, 0) & 0xFFFFFFFF
        case ["trace"]:
            lists["trace"].append(right)
        case ["faults"]:
            fields["fault"] = right
        case ["kernel"]:
            fields["kernel"] = right
        case _:
            raise ValueError(f"no statement of a run vector: {line}")


def _map(name: str, text: str, known: list[object]) -> MapSpec:
    kind, *options = text.split()
    numbers = dict(option.partition("=")[::2] for option in options)
    sizes = (int(numbers[key], 0) for key in ("key", "value", "entries"))
    flags = int(numbers.get("flags", "0"), 0)
    inner = next((each for each in known if isinstance(each, MapSpec) and each.name == numbers.get("inner")), None)
    return MapSpec(name, MapType[kind.upper()], *sizes, map_flags=flags, is_frozen="frozen" in numbers, inner=inner)


def _ctx_field(text: str) -> tuple[int, int, int]:
    place, _, value = text.partition("=")
    offset, _, width = place.partition(":")
    return int(offset, 0), _WIDTHS[width], int(value, 0)


@cache
def _linked(vector: Vector) -> LinkedProgram:
    data = {name: value for name, key, value in vector.before if not any(key)}
    maps = tuple(replace(spec, data=data[spec.name]) if spec.is_frozen else spec for spec in vector.maps)
    return LinkedProgram(vector.name, "test", vector.prog_type, _code(vector), maps, licence="GPL")


def _code(vector: Vector) -> bytes:
    obj = assemble_text(vector.text, vector.name)
    text = next(section for section in obj.sections if section.name == ".text")
    names = {reloc.offset // 8: obj.symbols[reloc.symbol].name for reloc in text.relocations}
    indexes = {spec.name: index for index, spec in enumerate(vector.maps)}
    slot = 0
    insns: list[Insn] = []
    for insn in decode(text.data):
        if slot in names:
            name, _, part = names[slot].partition(".")
            kind = PseudoSrc.MAP_IDX_VALUE if part == "value" else PseudoSrc.MAP_IDX
            insn = insn._replace(src=int(kind), imm=indexes[name], imm_high=insn.imm if part else 0)
        slot += insn.slot_count
        insns.append(insn)
    return encode(insns)

"""UserProgram: a live program of the user runtime.

    StoredObject (pin/)   the file: id, name, lock, pins, and edges that keep the maps alive
      data                4 bytes: size of the JSON text; the text; the code, 8 bytes a slot; run counts (run_count.py)
    Code (engine.py)      what runs, made at the first run

A file is never believed: a program that comes from one, however it got there, is verified again before it runs, against
the definitions of the maps as they are. That costs about a millisecond, and only who runs the program pays.
"""

from __future__ import annotations

import errno
import json
import struct
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Self

from toolchain.errors import PinError, PinPlace, Rejected, Where
from toolchain.isa.map_types import MapType
from toolchain.isa.program_types import ProgType
from toolchain.pin.store import ObjectStore
from toolchain.pin.stored import StoredObject
from toolchain.spec.maps import MapSpec
from toolchain.spec.runtime import ProgInfo, RunResult
from toolchain.spec.stages import BoundProgram, FunctionInfo, LineInfo, LinkedProgram, MapBinding, VerifiedProgram
from toolchain.vm import run_count
from toolchain.vm.clock import boot_time_of
from toolchain.vm.engine import Code
from toolchain.vm.maps import Map, open_map
from toolchain.vm.slots import owner_of
from toolchain.vm.tag import tag_of
from toolchain.vm.targets import Targets

MAX_PROGRAM_SIZE = 1 << 26
"""Bytes of a stored program: a million instructions and a source line for each."""
_TEXTS = ("section", "attach_target", "licence", "path")
_NUMBERS = ("expected_attach_type", "prog_flags", "kernel_version")


def encode_program(program: LinkedProgram, map_ids: Sequence[int]) -> bytes:
    """The data of a program's file."""
    fields = {
        "type": int(program.prog_type),
        "maps": list(map_ids),
        "counts": True,
        **{name: getattr(program, name) for name in (*_TEXTS, *_NUMBERS)},
        "functions": [[each.slot, each.name, each.type_id, each.is_global] for each in program.functions],
        "lines": [[each.slot, each.path, each.line, each.column, each.text] for each in program.line_info],
    }
    text = json.dumps(fields, separators=(",", ":")).encode("utf-8", "surrogateescape")
    return struct.pack("<I", len(text)) + text + program.code + bytes(run_count.SIZE)


def decode_program(name: str, data: bytes, btf: bytes, where: Where) -> tuple[LinkedProgram, tuple[int, ...], bool]:
    """The program, without its maps' definitions, its maps' ids, and whether run counts are at the end of the data.

    Raises: PinError EINVAL for any other bytes.
    """
    try:
        (text_size,) = struct.unpack_from("<I", data)
        fields = json.loads(data[4 : 4 + text_size])
        has_counts = fields.get("counts") is True
        code = data[4 + text_size : len(data) - (run_count.SIZE if has_counts else 0)]
        if not code or len(code) % 8:
            raise ValueError("no code")
        program = LinkedProgram(
            name=name,
            section="",
            prog_type=ProgType(fields["type"]),
            code=code,
            functions=tuple(
                FunctionInfo(_number(slot), str(label), _number(type_id), bool(is_global))
                for slot, label, type_id, is_global in fields["functions"]
            ),
            line_info=tuple(
                LineInfo(_number(slot), str(path), _number(line), _number(column), str(text))
                for slot, path, line, column, text in fields["lines"]
            ),
            btf=_type_information(btf),
        )
        others: dict[str, Any] = {key: str(fields[key]) for key in _TEXTS}
        others |= {key: _number(fields[key]) for key in _NUMBERS}
        program = replace(program, **others)
        return program, tuple(_number(each) for each in fields["maps"]), has_counts
    except (ValueError, KeyError, TypeError, AttributeError, struct.error, RecursionError) as error:
        raise PinError("stored program damaged", errno.EINVAL, where) from error


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value < 1 << 64:
        raise ValueError(f"not a number: {value!r}")
    return value


def _type_information(btf: bytes) -> Any:
    if not btf:
        return None
    from toolchain.btf import Btf

    return Btf.decode(btf)


class UserProgram:
    """A handle on a program. Owns: the object's fd, and handles on its maps; ``close`` lets them go."""

    def __init__(
        self,
        store: ObjectStore,
        stored: StoredObject,
        program: LinkedProgram,
        maps: Sequence[Map],
        code: Code | None = None,
        has_counts: bool = True,
    ) -> None:
        self._store = store
        self.stored = stored
        self.program = program
        self.maps = tuple(maps)
        self._code = code
        self._runs = run_count.RunCount(stored, has_counts)

    @classmethod
    def load(cls, store: ObjectStore, verified: VerifiedProgram, maps: Sequence[Map]) -> UserProgram:
        """Store a verified program and make it ready to run.

        Shape: ``maps`` are parallel to the program's; the handle opens its own, and keeps them alive.
        Raises: Unsupported (program type, helper, instruction), LoadError, RuntimeUnavailable.
        """
        program = verified.program
        with ExitStack() as stack:
            own = _open_maps(store, [handle.id for handle in maps], stack)
            for handle in own:
                handle.adopt(owner_of(program))
            code = _code_of(store, verified, own)
            data = encode_program(program, [handle.id for handle in own])
            stored = store.create(
                "prog",
                program.name,
                owner_of(program).to_bytes(4, "little"),
                len(data),
                [handle.stored for handle in own],
                program.btf.encode() if program.btf else b"",
                prepare=lambda made: made.write(data),
            )
            stack.pop_all()
            return cls(store, stored, program, own, code)

    @classmethod
    def open(cls, store: ObjectStore, stored: StoredObject, where: Where) -> UserProgram:
        """The program in a stored object, which the handle takes over. Raises PinError where it is damaged."""
        with ExitStack() as stack:
            stack.enter_context(stored)
            if stored.data_size > MAX_PROGRAM_SIZE:
                raise PinError(f"stored program of {stored.data_size} bytes ({MAX_PROGRAM_SIZE})", errno.EINVAL, where)
            program, map_ids, has_counts = decode_program(stored.name, stored.read(), stored.btf(), where)
            maps = _open_maps(store, map_ids, stack)
            stack.pop_all()
            return cls(store, stored, program, maps, has_counts=has_counts)

    @property
    def id(self) -> int:
        """Unique among all programs that this pin tree ever had."""
        return self.stored.id

    def fileno(self) -> int:
        """The object's fd."""
        return self.stored.fileno()

    def info(self) -> ProgInfo:
        """What the program says of itself."""
        header, program = self.stored.header, self.program
        runs, time_ns = self._runs.read()
        return ProgInfo(
            header.id,
            program.name,
            int(program.prog_type),
            tag_of(program.code),
            program.slot_count,
            tuple(handle.id for handle in self.maps),
            program.is_gpl_compatible,
            header.uid,
            boot_time_of(header.created_ns),
            memory_size=header.file_size,
            run_time_ns=time_ns,
            run_count=runs,
        )

    @property
    def code(self) -> Code:
        """What runs; valid until ``close``. Raises Rejected or Unsupported where a stored program does not verify."""
        if self._code is None:
            self._code = _code_of(self._store, self.verified(), self.maps)
        return self._code

    def verified(self) -> VerifiedProgram:
        """The program, verified again. Raises Rejected, Unsupported."""
        from toolchain.verifier import verify

        specs = tuple(_as_verified(handle) for handle in self.maps)
        program = replace(self.program, maps=specs)
        bindings = tuple(MapBinding(spec, map_id=handle.id) for spec, handle in zip(specs, self.maps, strict=True))
        try:
            return verify(BoundProgram(program, bindings))
        except Rejected as error:
            error.hint = error.hint or "the stored program was altered, or made by another version; load it again"
            raise

    def run(self, data: bytes, ctx: bytes = b"", repeat: int = 1) -> RunResult:
        """Run on one packet, ``repeat`` times, each on what the one before left. Raises LoadError (packet, context)."""
        result = self.code.run(data, ctx, repeat)
        self._runs.add(repeat, repeat * result.duration_ns)
        return result

    def run_batch(self, packets: Iterable[bytes], ctx: bytes = b"") -> tuple[RunResult, ...]:
        """Run on each packet in turn, in one call into C. Raises LoadError (packet, context)."""
        results = self.code.run_batch(packets, ctx)
        self._runs.add(len(results), sum([each.duration_ns for each in results]))
        return results

    def close(self) -> None:
        """Let go. Twice is once."""
        self._runs.write()
        if self._code is not None:
            self._code.close()
        for handle in self.maps:
            handle.close()
        self.stored.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<UserProgram {self.stored!r}>"


def check_program(stored: StoredObject) -> list[str]:
    """What is wrong with a stored program's bytes; [] if they are one. Closes ``stored``."""
    try:
        with stored:
            if stored.data_size > MAX_PROGRAM_SIZE:
                return [f"stored program of {stored.data_size} bytes ({MAX_PROGRAM_SIZE})"]
            decode_program(stored.name, stored.read(), stored.btf(), PinPlace(stored.header.anchor))
    except PinError as error:
        return [error.message]
    return []


def program_maps(stored: StoredObject) -> tuple[int, ...]:
    """The ids of the maps that a stored program uses. Raises PinError where it is damaged."""
    return decode_program(stored.name, stored.read(), b"", PinPlace(stored.header.anchor))[1]


def _as_verified(handle: Map) -> MapSpec:
    """The map as the verifier met it: of one that nobody can change any more, with its content."""
    spec, info = handle.spec, handle.info()
    if info.is_frozen and spec.is_read_only_for_programs and spec.map_type is MapType.ARRAY and spec.max_entries == 1:
        return replace(spec, data=handle.lookup(bytes(4)), is_frozen=True)
    return spec


def _code_of(store: ObjectStore, verified: VerifiedProgram, maps: Sequence[Map]) -> Code:
    targets = Targets(store, verified.program, maps, UserProgram.open)
    pointers = [handle.pointer for handle in maps]
    return Code(verified.program, pointers, verified, targets=targets if targets.has_slots else None)


def _open_maps(store: ObjectStore, ids: Iterable[int], stack: ExitStack) -> list[Map]:
    """New handles on live maps, closed with the stack. Raises PinError ENOENT, or EINVAL where one is damaged."""
    maps = [stack.enter_context(open_map(store.by_id("map", id))) for id in ids]
    for handle in maps:
        if handle.spec.map_type is MapType.PROG_ARRAY:  # a program's use does not keep its slots
            handle.stored.let_live()
    return maps

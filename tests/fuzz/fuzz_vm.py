"""Fuzzes the C core: whatever the code is, the checked interpreter ends within its budget, with a result or a Fault.

What the verifier accepts must do more: it never faults, and the plain interpreter gives the same result, packet,
context, map contents and trace. Inputs are the run vectors, changed at random places, and random instructions.

    python tests/fuzz/fuzz_vm.py --seconds 60 [--seed N] [--first N]

A failure prints the seed and the input's number: `--seed S --first N` runs that one again. Should the process crash,
the number of the last input stands in the file fuzz-vm-SEED.last.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.vm.engines import Observed  # noqa: E402
from tests.vm.vectors import Vector, vector_files  # noqa: E402
from toolchain.errors import Rejected, Unsupported  # noqa: E402
from toolchain.isa.codec import decode, encode  # noqa: E402
from toolchain.isa.forms import FORMS, Form  # noqa: E402
from toolchain.isa.insn import Insn  # noqa: E402
from toolchain.isa.opcodes import CALL, LDDW  # noqa: E402
from toolchain.pin.store import ObjectStore  # noqa: E402
from toolchain.spec.stages import BoundProgram, LinkedProgram, VerifiedProgram  # noqa: E402
from toolchain.verifier import verify  # noqa: E402
from toolchain.vm.engine import Code, Fault  # noqa: E402
from toolchain.vm.maps import create_map  # noqa: E402

BUDGET = 20_000
NUMBERS = (
    0,
    1,
    2,
    4,
    7,
    8,
    14,
    31,
    32,
    63,
    64,
    -1,
    -2,
    -4,
    -8,
    -16,
    -512,
    255,
    0x7FFF,
    -0x8000,
    0x7FFFFFFF,
    -0x80000000,
)
HELPERS = (
    1,
    2,
    3,
    5,
    6,
    7,
    8,
    9,
    10,
    11,
    23,
    26,
    28,
    32,
    39,
    42,
    44,
    54,
    65,
    68,
    125,
    182,
    188,
    189,
    190,
    195,
    12,
    25,
    0,
)
CLOCKS = {5, 125, 160, 208}


def mutate(rng: random.Random, vector: Vector) -> LinkedProgram:
    """The vector's program, changed in one to four places; or random instructions with its maps."""
    program = vector.linked()
    insns = list(decode(program.code))
    if rng.random() < 0.2:
        insns = [random_insn(rng) for _ in range(rng.randrange(1, 40))] + [Insn(0x95)]
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(insns))
        choice = rng.randrange(6)
        if choice == 0:
            insns[at] = random_insn(rng)
        elif choice == 1:
            insns.insert(at, random_insn(rng))
        elif choice == 2 and len(insns) > 1:
            del insns[at]
        elif choice == 3:
            insns[at] = insns[at]._replace(**{rng.choice(("dst", "src")): rng.randrange(12)})
        elif choice == 4:
            insns[at] = insns[at]._replace(off=rng.choice((*NUMBERS[:20], rng.randrange(-20, 20))))
        else:
            insns[at] = insns[at]._replace(imm=rng.choice((*NUMBERS, rng.randrange(-64, 64))))
    code = bytearray(encode(insns))
    if rng.random() < 0.1:
        code[rng.randrange(len(code))] ^= 1 << rng.randrange(8)
    return replace(program, code=bytes(code), functions=(), line_info=())


def random_insn(rng: random.Random) -> Insn:
    """One of any form, operands mostly small."""
    form: Form = rng.choice(FORMS)
    src = rng.randrange(11) if form.src is None else form.src
    off = rng.choice((*NUMBERS[:18], -24, -32)) if form.off is None else form.off
    imm = rng.choice(NUMBERS) if form.imm is None else form.imm
    if form.opcode == CALL and form.src == 0:
        imm = rng.choice(HELPERS)
    return Insn(form.opcode, rng.choice((0, 1, 2, 3, 6, 7, 10)), src, off, imm, 0 if form.opcode == LDDW else None)


def run(program: LinkedProgram, vector: Vector, store: ObjectStore, verified: VerifiedProgram | None) -> Observed:
    """One run with maps of its own. All elements are observed."""
    with ExitStack() as stack:
        maps = [stack.enter_context(create_map(store, spec)) for spec in program.maps]
        for name, key, value in vector.before:
            next(each for each in maps if each.spec.name == name).update(key, value)
        code = Code(program, [handle.pointer for handle in maps], verified, seed=1, takes_anything=True)
        stack.callback(code.close)
        try:
            result = code.run(vector.packet, vector.ctx_bytes, budget=BUDGET)
        except Fault as fault:
            if fault.insn_count > BUDGET:
                raise AssertionError("more instructions than the budget") from fault
            return Observed(fault=str(fault))
        elements = {(each.spec.name, key): value for each in maps for key, value in each.items()}
        assert not any(each.check() for each in maps)
        return Observed(result.retval, result.data_out, result.ctx_out, elements, tuple(result.trace.splitlines()))


def examine(program: LinkedProgram, vector: Vector, store: ObjectStore) -> str:
    """What came of one program. Raises AssertionError where an invariant is broken."""
    checked = run(program, vector, store, None)
    try:
        verified = verify(BoundProgram.unpinned(program))
    except (Rejected, Unsupported):
        return "faulted" if checked.fault else "ran"
    try:
        plain = run(program, vector, store, verified)
    except Unsupported:
        return "accepted, not supported"
    if "budget" in checked.fault:
        return "accepted, long"
    assert not checked.fault, f"accepted, but: {checked.fault}"
    if any(insn.opcode == CALL and insn.src == 0 and insn.imm in CLOCKS for insn in decode(program.code)):
        return "accepted, with clocks"
    if checked != plain:
        assert checked != run(program, vector, store, None), f"checked {checked}, plain {plain}"
        return "accepted, returns an address"
    return "accepted"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--first", type=int, default=1, help="skip the inputs before this one")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().getrandbits(32)
    print(f"seed {seed}", flush=True)
    vectors = [vector for file in vector_files() for vector in file[:2]]
    outcomes: Counter[str] = Counter()
    last = Path(tempfile.gettempdir()) / f"fuzz-vm-{seed}.last"
    end = time.monotonic() + options.seconds
    number = options.first - 1
    with tempfile.TemporaryDirectory() as folder, last.open("w") as progress:
        store = ObjectStore(folder)
        while time.monotonic() < end:
            number += 1
            progress.seek(0)
            progress.write(str(number))
            progress.flush()
            rng = random.Random(f"{seed} {number}")
            vector = rng.choice(vectors)
            program = mutate(rng, vector)
            try:
                outcomes[examine(program, vector, store)] += 1
            except Exception:
                traceback.print_exc()
                print(f"input {number} of seed {seed}, from {vector.name}: {program.code.hex()}")
                return 1
            if number % 256 == 0:
                store.reap()
    last.unlink()
    print(f"{number} inputs, {dict(outcomes)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

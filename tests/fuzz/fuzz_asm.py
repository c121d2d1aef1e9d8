"""The assembler on texts that mean nothing: any text gives an ObjectFile or an AsmError, in bounded time.

    python tests/fuzz/fuzz_asm.py [--seconds N] [--seed S]

Texts are mutations of a corpus: tokens swapped between lines, lines cut, doubled and shuffled, bytes replaced.
What does assemble is also written, disassembled and assembled again; sections must come back byte for byte.
The seed is printed; a failing text is written to a file that the last line names.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from toolchain.asm.api import assemble, parse  # noqa: E402
from toolchain.asm.disassemble import disassemble  # noqa: E402
from toolchain.asm.options import AsmOptions  # noqa: E402
from toolchain.asm.shapes import Shapes  # noqa: E402
from toolchain.elf import write  # noqa: E402
from toolchain.errors import AsmError, ToolchainError  # noqa: E402

DATA = ROOT / "tests" / "data" / "asm"
TOKEN = re.compile(r"[\w.$]+|\s+|[^\w\s]")
ODD = [
    "r11", "r-1", "0x", "08", "99999999999999999999999", "-", "+", "(", ")", '"', "'", "\\", "/*", "*/", "//",
    "#", ";", ":", "1f", "1b", "0b", ".", "..", "%r1", "%fp", "@function", "ll", "skb[", ".rept 3", ".endr",
    ".macro m a", ".endm", "m", "\\a", "\\@", ".if 1", ".endif", ".else", ".org", ".fill", ".uleb128", ".align",
    ".section", ".map", ".reloc 0, 1, x", ".set x, y", ".set y, x", ".cfi_startproc", ".loc 1 1",
    ".file 1 \"a\"", ".bss", ".popsection", "\t", "\x00", "\x02", "\udc80", "\u2028", "é",
    ".include \"/dev/zero\"", ".incbin \"/etc/passwd\"", ".comm a,1", ".lcomm a,8,8", ".zero 70000000", "<<",
    ">>", "~", "!", "&&", "||", "=", "==", "s>", "=-", "0xffffffffffffffff", "-9223372036854775808", "nan",
    "1e999",
]  # fmt: skip


def corpus() -> list[str]:
    """Lines of all test texts, and of every form and syntax case."""
    import json

    texts = [path.read_text() for folder in ("golden", "faulty", "compiler") for path in (DATA / folder).glob("*.s")]
    lines = [line for text in texts for line in text.splitlines()]
    lines += [
        row["text"] for name in ("forms.json", "syntax.json") for row in json.loads((DATA / name).read_text())[::7]
    ]
    return sorted(set(lines))


def mutate(lines: list[str], chance: random.Random) -> str:
    """A text of some lines of the corpus, damaged."""
    chosen = [chance.choice(lines) for _ in range(chance.randrange(1, 12))]
    for _ in range(chance.randrange(0, 6)):
        index = chance.randrange(len(chosen))
        tokens = TOKEN.findall(chosen[index]) or [""]
        place = chance.randrange(len(tokens))
        action = chance.randrange(6)
        if action == 0:
            tokens[place] = chance.choice(ODD)
        elif action == 1:
            tokens[place] = chance.choice(TOKEN.findall(chance.choice(lines)) or [""])
        elif action == 2:
            del tokens[place:]
        elif action == 3:
            tokens.insert(place, chance.choice(tokens))
        elif action == 4:
            tokens.insert(place, chance.choice(ODD))
        else:
            tokens[place] = chance.choice("()[]{}%,;:\"'\\#@=+-*&|^<>!~ .") + tokens[place]
        chosen[index] = "".join(tokens)
    return chance.choice(["\n", "\n", ";"]).join(chosen)


def check(text: str, shapes: Shapes, options: AsmOptions, back_shapes: Shapes) -> bool:
    """The invariant for one text; gives whether it assembled. Raises AssertionError, or whatever a bug raises."""
    try:
        object_file = assemble(parse(text, "fuzz.s", options, shapes), options)
    except AsmError as error:
        if not error.faults or not all(str(fault) for fault in error.faults):
            raise AssertionError("an AsmError lists its faults") from error
        return False
    try:
        write(object_file)
    except ToolchainError:
        return False
    back = disassemble(object_file)
    plain = AsmOptions(endian=options.endian)
    again = assemble(parse(back, "back.s", plain, back_shapes), plain)
    before = {each.name: each.data for each in object_file.sections}
    after = {each.name: each.data for each in again.sections}
    assert before == after, f"disassembled text gives other bytes:\n{back}"
    return True


def run(seconds: float, seed: int) -> tuple[int, int]:
    """Fuzzes for so long; gives how many texts were tried and how many assembled."""
    chance = random.Random(seed)
    lines = corpus()
    shapes = {dialect: Shapes(dialect) for dialect in ("auto", "pseudoc", "normal")}
    tried = assembled = 0
    end = time.monotonic() + seconds
    while tried < 50 or time.monotonic() < end:
        text = mutate(lines, chance)
        dialect = chance.choice(["auto", "auto", "pseudoc", "normal"])
        options = AsmOptions(
            endian=chance.choice(["little", "big"]), cpu=chance.choice(["", "v1", "v3", "v4"]), dialect=dialect,
            debug=chance.random() < 0.3, may_read_files=False,
        )  # fmt: skip
        try:
            assembled += check(text, shapes[dialect], options, shapes["auto"])
        except Exception:
            with tempfile.NamedTemporaryFile("wb", prefix="fuzz-asm-", suffix=".s", delete=False) as file:
                file.write(text.encode("utf-8", "surrogateescape"))
            print(f"seed {seed}, text {tried}: {options}\n{file.name}", file=sys.stderr)
            raise
        tried += 1
        if tried % 2000 == 0:
            shapes[dialect] = Shapes(dialect)
    return tried, assembled


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    tried, assembled = run(arguments.seconds, arguments.seed)
    print(f"{tried} texts, {assembled} assembled")


if __name__ == "__main__":
    main()

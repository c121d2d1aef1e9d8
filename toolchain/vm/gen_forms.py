"""Writes core/forms.h, the C core's copy of the opcode table: ``python -m toolchain.vm.gen_forms``.

One row of isa/forms.py becomes one line of an X-macro list, sorted by opcode, so that the decoder finds the rows of
an opcode by one table lookup and the interpreter has one handler for each row. A test fails where the file is stale.
"""

from __future__ import annotations

from pathlib import Path

from toolchain.isa.forms import FORMS, Form

FORMS_HEADER = Path(__file__).parent / "core" / "forms.h"
_ANY = "ANY"

_HEAD = """\
/* Generated from toolchain/isa/forms.py by toolchain/vm/gen_forms.py: do not edit. */
/* FORM(name, opcode, src, off, imm): a field is ANY where the instruction may hold any value. */
#pragma once
/* clang-format off */

#define FORM_LIST(FORM) \\
"""


def _row(form: Form) -> str:
    # The kernel never looks at an exit's off: kernel/bpf/verifier.c, do_check(), Linux 6.12.
    off = None if form.name == "exit" else form.off
    fields = ", ".join(_ANY if value is None else str(int(value)) for value in (form.src, off, form.imm))
    return f"    FORM({form.name}, 0x{form.opcode:02x}, {fields})"


def forms_header() -> str:
    """The text of core/forms.h."""
    rows = [_row(form) for form in sorted(FORMS, key=lambda form: form.opcode)]
    return _HEAD + " \\\n".join(rows) + "\n"


if __name__ == "__main__":
    FORMS_HEADER.write_text(forms_header())

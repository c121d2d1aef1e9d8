"""The arrows of this folder: parse, assemble."""

from __future__ import annotations

from toolchain.asm.assembler import Assembled, assemble_unit
from toolchain.asm.options import AsmOptions
from toolchain.asm.shapes import Shapes
from toolchain.asm.unit import Unit
from toolchain.spec.objects import ObjectFile


def parse(text: str, path: str = "<stdin>", options: AsmOptions | None = None, shapes: Shapes | None = None) -> Unit:
    """The statements of ``text``.

    Macros, conditions and included files are done here; faults of single statements are kept in the unit, so that
    ``assemble`` can report all of a file together. ``shapes`` may carry plans from earlier texts (cache.py).
    """
    from toolchain.asm.preprocess import preprocess

    options = options or AsmOptions()
    shapes = shapes or Shapes(options.dialect)
    return preprocess(text, path, options, shapes)


def assemble(unit: Unit, options: AsmOptions | None = None) -> ObjectFile:
    """The object of a unit. Raises AsmError, whose ``faults`` are all faults of the text."""
    return assemble_unit(unit, options or AsmOptions()).object_file


def assemble_text(text: str, path: str = "<stdin>", options: AsmOptions | None = None) -> ObjectFile:
    """``assemble(parse(text))``."""
    options = options or AsmOptions()
    return assemble(parse(text, path, options), options)


__all__ = ["Assembled", "assemble", "assemble_text", "assemble_unit", "parse"]

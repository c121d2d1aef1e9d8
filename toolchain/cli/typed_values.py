"""Bytes as values of their type, as bpftool writes them.

One walk over the type (btf/values.py), two ways of writing what it finds:

                       for people (typed_value)          for scripts (bpftool_value)
    bitfield           5, -1                             "0x5": hex digits without a sign
    __int128           a number                          "0x..."
    pointer            0xffff8880..                      a number
    bool               true, or the byte that is none    true, whatever is not 0
    char[8] "eth0"     string                            string, if a zero ends it
    .data, .bss        {counter: 7}                      {".data": [{"counter": 7}]}

The latter is what ``bpftool -j map dump`` writes under "formatted", key by key, so that a script need not know which
of the two it reads. Where bpftool's text is no JSON, there is a value all the same: floating point numbers (it breaks
off), members without a name (it gives several the name ""; here their fields stand in the structure around them).

Source of bpftool's forms: tools/bpf/bpftool/btf_dumper.c of Linux 6.12, btf_dumper_int(), btf_dumper_bitfield(),
btf_dumper_enum(), is_str_array(), btf_dumper_datasec(); and its own output (tests/kernel/test_map_dump.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolchain.btf.values import Formatter, hex_list, number_of, typed_value

if TYPE_CHECKING:
    from toolchain.btf import Btf
    from toolchain.btf.types import Datasec, Int

__all__ = ["bpftool_value", "hex_list", "typed_value"]


def bpftool_value(btf: Btf, type_id: int, data: bytes) -> Any:
    """``data`` as a value of the type, in bpftool's forms, ready for JSON. Bounded as typed_value is."""
    return _BpftoolFormatter(btf).value(type_id, data, 0)


class _BpftoolFormatter(Formatter):
    """bpftool's forms."""

    def integer(self, each: Int, data: bytes) -> Any:
        if each.is_bool:
            return any(data)
        if each.size > 8 and each.bits == 8 * each.size:
            return f"0x{number_of(data):x}"
        return super().integer(each, data)

    def bits(self, whole: int, width: int, is_signed: bool) -> Any:
        return f"0x{whole & ((1 << width) - 1):x}"

    def unnamed(self, data: bytes, number: int) -> int:
        return number_of(data, is_signed=True)

    def pointer(self, number: int) -> Any:
        return number

    def is_text(self, data: bytes) -> bool:
        text, end, _ = data.partition(b"\0")
        return bool(end) and all(0x1F < byte < 0x7F for byte in text)

    def section(self, each: Datasec, data: bytes, depth: int) -> Any:
        values = super().section(each, data, depth)
        return {each.name: [{name: value} for name, value in values.items()]}

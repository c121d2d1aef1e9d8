"""Qdiscs and filters as tc prints them, so that what reads tc's output reads this too.

    qdisc clsact ffff: parent ffff:fff1
    filter protocol all pref 49152 bpf chain 0 handle 0x1 a.o:[tc] direct-action not_in_hw id 7 name count tag .. jited

tc leaves out what was asked for: the device, a filter's protocol and pref. Each line ends in a space, as tc's do. Of
qdiscs and filters of other kinds their places are shown, not their options.

Source: iproute2 tc/tc_qdisc.c print_qdisc(), tc/tc_filter.c print_filter(), tc/f_bpf.c, lib/bpf_legacy.c.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, NamedTuple

from toolchain.cli.tc_words import PROTOCOL_NAMES
from toolchain.spec.maps import MAP_NAME_SIZE

if TYPE_CHECKING:
    from toolchain.kernel.netlink import Filter, Qdisc
    from toolchain.spec.runtime import ProgInfo

_FLAGS = {"skip_hw": 1, "skip_sw": 2, "in_hw": 4, "not_in_hw": 8}
"""TCA_CLS_FLAGS_*, in the order in which tc prints them. Source: include/uapi/linux/pkt_cls.h."""

_ROOT = 0xFFFFFFFF
"""TC_H_ROOT. Source: include/uapi/linux/pkt_sched.h."""


class Asked(NamedTuple):
    """What a list of filters was asked for, 0: for any. ``has_details``: -details."""

    protocol: int = 0
    pref: int = 0
    has_details: bool = False


_ANYTHING = Asked()


def array_text(rows: list[dict[str, Any]], *, is_pretty: bool) -> str:
    """Rows as ``tc -j`` writes them: an array and nothing around it."""
    import json

    return json.dumps(rows, indent=4) if is_pretty else json.dumps(rows, separators=(",", ":"))


def qdisc_line(each: Qdisc, names_device: bool) -> str:
    """A qdisc as text."""
    return " ".join(["qdisc", *(_word(*pair) for pair in qdisc_document(each, names_device).items() if pair[1])]) + " "


def _word(key: str, value: object) -> str:
    if key == "root":
        return key
    return f"{value}" if key in ("kind", "handle") else f"{key} {value}"


def qdisc_document(each: Qdisc, names_device: bool) -> dict[str, Any]:
    """A qdisc as ``tc -j`` has it."""
    document: dict[str, Any] = {"kind": each.kind, "handle": f"{each.handle >> 16:x}:"}
    if names_device:
        document["dev"] = _device(each.ifindex)
    if each.parent == _ROOT:
        document["root"] = True
    elif each.parent:
        document["parent"] = _class(each.parent)
    if each.ref_count != 1:
        document["refcnt"] = each.ref_count
    return {**document, "options": {}}


def _device(ifindex: int) -> str:
    try:
        return socket.if_indextoname(ifindex)
    except OSError:  # gone meanwhile
        return f"if{ifindex}"


def _class(number: int) -> str:
    """TC_H_MAJ:TC_H_MIN."""
    major, minor = number >> 16, number & 0xFFFF
    return f"{major:x}:" if major and not minor else f"{major:x}:{minor:x}" if major else f":{minor:x}"


def _protocol(number: int) -> str:
    return PROTOCOL_NAMES.get(number, f"[{number}]")


def filter_line(each: Filter, program: ProgInfo | None, asked: Asked = _ANYTHING) -> str:
    """A filter as text."""
    words = ["filter"]
    words += ["protocol", _protocol(each.protocol)] if each.protocol != asked.protocol else []
    words += ["pref", str(each.pref)] if each.pref != asked.pref else []
    words += [each.kind, "chain", str(each.chain)]
    if not each.is_place:
        words += ["handle", f"0x{each.handle:x}"]
        words += ["flowid", _class(each.classid)] if each.classid else []
        words += [each.name] if each.name else []
        words += ["direct-action"] if each.is_direct else []
        words += [name for name, bit in _FLAGS.items() if each.flags & bit]
        words += ["id", str(each.prog_id)] if each.prog_id else []
        words += ["name", program.name[:MAP_NAME_SIZE]] if program and program.name else []
        words += ["tag", each.tag] if each.tag else []
        words += ["jited"] if program and program.jited_size else []
        if program and asked.has_details:
            words += [f"{name} {value}" for name, value in _details(program).items()]
    return " ".join(words) + " "


def filter_document(each: Filter, program: ProgInfo | None, asked: Asked = _ANYTHING) -> dict[str, Any]:
    """A filter as ``tc -j`` has it."""
    row: dict[str, Any] = {
        **({"protocol": _protocol(each.protocol)} if each.protocol != asked.protocol else {}),
        **({"pref": each.pref} if each.pref != asked.pref else {}),
        "kind": each.kind,
        "chain": each.chain,
    }
    if each.is_place:
        return row
    options: dict[str, Any] = {"handle": f"0x{each.handle:x}"}
    if each.classid:
        options["flowid"] = _class(each.classid)
    if each.name:
        options["bpf_name"] = each.name
    if each.is_direct:
        options["direct-action"] = True
    options |= {name: True for name, bit in _FLAGS.items() if each.flags & bit}
    if each.prog_id:
        name = {"name": program.name[:MAP_NAME_SIZE]} if program and program.name else {}
        jited = {"jited": int(bool(program.jited_size))} if program else {}
        details = _details(program) if program and asked.has_details else {}
        options["prog"] = {"id": each.prog_id, **name, "tag": each.tag, **jited, **details}
    return {**row, "options": options}


def _details(program: ProgInfo) -> dict[str, int]:
    btf_id = {"btf_id": program.btf_id} if program.btf_id else {}
    return {"load_time": program.load_time_ns, "created_by_uid": program.owner_uid, **btf_id}

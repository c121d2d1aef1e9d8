"""Names of the target's types and symbols, as an object writes them."""

from __future__ import annotations


def essential_name(name: str) -> str:
    """``task_struct___old`` -> ``task_struct``: the suffix only tells declarations apart.

    Source: libbpf.c, bpf_core_essential_name_len().
    """
    at = name.rfind("___")
    return name[:at] if at > 0 and name[at + 3 :] else name

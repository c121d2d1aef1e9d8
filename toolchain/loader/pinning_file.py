"""The file ``bpf_pinning`` of iproute2: which directory a classic map's pinning id from 3 means.

    # id   directory, below the root of the pin tree
    4      foo/bar

The first file that is there counts. A line that is none of these forms is passed over, as iproute2 does.

Source: iproute2 lib/bpf_legacy.c, bpf_hash_init() and bpf_pinning_read().
"""

from __future__ import annotations

import re
from collections.abc import Sequence

FILES = (
    "/etc/iproute2/bpf_pinning",
    "/usr/share/iproute2/bpf_pinning",
    "/usr/lib/iproute2/bpf_pinning",
)
_LINE = re.compile(r"\s*(0[xX][0-9a-fA-F]+|\d+)\s+([^\s#]+)\s*(?:#.*)?$")
_SIZE_LIMIT = 1 << 20
_RESERVED = (0, 1, 2)
"""None, by object, global: ids that have their own meaning."""


def read_places(files: Sequence[str] = FILES) -> dict[int, str]:
    """Pinning id -> directory relative to the pin root. Empty where no file can be read."""
    for path in files:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return parse_places(file.read(_SIZE_LIMIT))
        except OSError:
            continue
    return {}


def parse_places(text: str) -> dict[int, str]:
    """The ids of a file's text. Of an id that stands twice the last line counts."""
    found = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        number = int(match[1], 0 if match[1][:2] in ("0x", "0X") else 10) if match else 0
        if match and number not in _RESERVED and (place := match[2].strip("/")):
            found[number] = place
    return found

"""tc's own options, which stand before its words: how rows look. Those that mean more are Unsupported, by name.

Options of bpf-load may stand among them and stay where they are; ``-r``, ``-v`` and ``-h`` are bpf-load's. Words may be
cut short, as all of tc's.

Source: iproute2 tc/tc.c main().
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from toolchain.cli.tc_words import match_word
from toolchain.errors import Unsupported


class Display(NamedTuple):
    """tc's options of how rows look: ``-json``, an array of rows and nothing around it; ``-pretty``; ``-details``."""

    is_json: bool = False
    is_pretty: bool = False
    has_details: bool = False


_OPTIONS = (
    "-graph", "-statistics", "-stats", "-details", "-raw", "-pretty", "-Version", "-iec", "-help", "-force", "-batch",
    "-netns", "-Numeric", "-names", "-nm", "-conf", "-cf", "-timestamp", "-tshort", "-color", "-json", "-oneline",
    "-brief",
)  # fmt: skip
"""In the order in which tc matches them."""
_OPTIONS_OF_LOOKS = {
    "-json": {"is_json": True}, "-pretty": {"is_pretty": True}, "-details": {"has_details": True},
    "-statistics": {}, "-stats": {}, "-iec": {}, "-color": {}, "-graph": {}, "-timestamp": {}, "-tshort": {},
}  # fmt: skip
"""Those that are taken; bpf filters look the same with most of them."""
_OWN_OPTIONS = ("-r", "-v", "-h")

_OPTION_HINTS = {
    "-batch": "begin each of the file's lines with 'bpf-load tc'",
    "-force": "begin each of the file's lines with 'bpf-load tc'",
    "-netns": "ip netns exec NAME bpf-load tc ..",
}


def take_display(words: Sequence[str]) -> tuple[Display, list[str]]:
    """tc's options at the beginning, and the words without them; options of this command stay.

    Raises: Unsupported for an option of tc's that is not taken.
    """
    display, kept, rest = Display(), [], list(words)
    while rest and rest[0].startswith("-") and len(rest[0]) > 1:
        word = rest.pop(0)
        option = "" if word.startswith(("--", *_OWN_OPTIONS)) else match_word(word, _OPTIONS)
        if option in _OPTIONS_OF_LOOKS:
            display = display._replace(**_OPTIONS_OF_LOOKS[option])
        elif option:
            raise Unsupported(f"tc {option}", None, _OPTION_HINTS.get(option, "use tc itself"))
        else:
            kept.append(word)
            if rest and word in ("-r", "--runtime", "--pin-root"):
                kept.append(rest.pop(0))
    return display, kept + rest

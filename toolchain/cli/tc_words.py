"""tc's grammar for clsact and bpf filters, as values. Pure: words in, a request or a UsageError that names the word.

    qdisc   add|replace|delete   dev DEV [handle ffff:] clsact
    qdisc   show [dev DEV] [clsact]
    filter  add|replace|change|delete|show   dev DEV  ingress|egress|parent ffff:fff2|ffff:fff3
            [pref N] [handle H] [protocol P] [chain 0]
            bpf  [direct-action] object-file F [section S] [program P] [classid X:Y] [skip_hw|skip_sw] [verbose]
            bpf  [direct-action] object-pinned PATH ...
            ... object-file F ... export SOCKET
    exec    bpf graft MAP  key N  [type T] object-file F [section S] | object-pinned PATH
    exec    bpf import SOCKET [run CMD ...]

Words may be cut short where tc takes that: the first row of a table that begins with the word is meant. Numbers are
C's (0x.., 0..), class ids hexadecimal. A word that tc knows and this does not is Unsupported, with its name. Before
them stand tc's own options (tc_options.py).

Source: iproute2 tc/tc.c, tc/tc_filter.c, tc/tc_qdisc.c, tc/f_bpf.c, tc/e_bpf.c, lib/bpf_legacy.c bpf_do_parse().
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from toolchain.errors import Unsupported, UsageError

ETHERTYPES = {
    "all": 0x0003, "ip": 0x0800, "ipv4": 0x0800, "ipv6": 0x86DD, "arp": 0x0806, "rarp": 0x8035, "802.1Q": 0x8100,
    "802.1ad": 0x88A8, "mpls_uc": 0x8847, "mpls_mc": 0x8848, "ppp_disc": 0x8863, "ppp_ses": 0x8864, "loop": 0x0060,
    "lldp": 0x88CC, "802_3": 0x0001, "802_2": 0x0004,
}  # fmt: skip
"""Source: iproute2 lib/ll_proto.c."""
PROTOCOL_NAMES = {number: name for name, number in reversed(ETHERTYPES.items())}

DEFAULT_COMMAND = "/bin/sh"
"""What runs with imported maps where nothing is said. Source: iproute2 tc/e_bpf.c."""

_PARENTS = {"ffff:fff2": "ingress", "ffff:fff3": "egress"}
_OTHER_PLACES = ("root", "parent", "block", "classid", "estimator", "chain", "dev")


class Source(NamedTuple):
    """Where a program comes from: an object and which of its programs, or a pin. ``export``: where its maps go."""

    object_path: str = ""
    section: str = ""
    program: str = ""
    pin: str = ""
    prog_type: str = ""
    is_verbose: bool = False
    export: str = ""


class QdiscRequest(NamedTuple):
    """``verb`` is add, replace, delete or show. Of show: ``device`` may be '', ``clsact_only`` leaves out others."""

    verb: str
    device: str
    clsact_only: bool = False


class FilterRequest(NamedTuple):
    """``verb`` is add, replace, change, delete or show. 0: not said. ``kind`` is '' or 'bpf'."""

    verb: str
    device: str
    direction: str
    protocol: int = 0
    pref: int = 0
    handle: int = 0
    kind: str = ""
    source: Source = Source()
    is_direct: bool = False
    classid: int = 0
    flags: tuple[str, ...] = ()


class GraftRequest(NamedTuple):
    """Put a program into a slot of a pinned prog array."""

    map_path: str
    slot: int
    source: Source


class ImportRequest(NamedTuple):
    """Await maps at a socket and run a command with them."""

    path: str
    command: tuple[str, ...]


class Words:
    """The words that are left."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = list(words)

    def __bool__(self) -> bool:
        return bool(self._words)

    def take(self, what: str) -> str:
        """The next word. Raises UsageError where there is none."""
        if not self._words:
            raise UsageError(f"{what} is missing")
        return self._words.pop(0)

    def take_all(self) -> tuple[str, ...]:
        """All words that are left."""
        words, self._words = tuple(self._words), []
        return words


def match_word(word: str, table: Sequence[str]) -> str:
    """The first row that begins with ``word``, as tc's matches(); '' where none does."""
    return next((row for row in table if word and row.startswith(word)), "")


def _number(text: str, what: str, limit: int) -> int:
    """C's strtoul with base 0. Raises UsageError outside of 0..limit."""
    digits = text.lower()
    try:
        octal = len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567"
        value = int(digits, 8 if octal else 0)
    except ValueError:
        value = -1
    if not 0 <= value <= limit or not text.isalnum():
        raise UsageError(f"{what} is no number from 0 to {limit}: {text}")
    return value


Request = QdiscRequest | FilterRequest | GraftRequest | ImportRequest


def parse(words: Sequence[str]) -> Request:
    """The request that the words make. Raises UsageError, Unsupported."""
    rest = Words(words)
    word = rest.take("what to do (qdisc, filter or exec)")
    match match_word(word, ("qdisc", "class", "filter", "chain", "actions", "monitor", "exec")):
        case "qdisc":
            return _qdisc(rest)
        case "filter":
            return _filter(rest)
        case "exec":
            return _exec(rest)
        case "":
            raise UsageError(f"unknown word: {word} (qdisc, filter, exec)")
        case other:
            raise Unsupported(f"tc {other}", None, "use tc itself")


_SHOW = ("list", "show", "lst")


def _qdisc(rest: Words) -> QdiscRequest:
    word = rest.take("the verb of qdisc") if rest else "show"
    verb = match_word(word, ("add", "change", "replace", "link", "delete", *_SHOW))
    if not verb:
        raise UsageError(f"unknown word: {word} (add, replace, del, show)")
    if verb in ("change", "link"):
        raise Unsupported(f"tc qdisc {verb}", None, "use tc itself")
    device = kind = ""
    is_named = False
    while rest:
        word = rest.take("a word")
        if word == "dev":
            device = rest.take("the device after dev")
        elif word in ("handle", "parent"):
            _require_own(word, rest.take(f"the value after {word}"))
            is_named = True
        elif word == "clsact":
            kind = word
        elif word == "ingress":
            raise Unsupported("tc qdisc ingress", None, "use tc itself, or clsact, which has an ingress too")
        elif word in ("root", "ingress_block", "egress_block", "estimator", "stab", "invisible") or kind:
            raise Unsupported(f"tc qdisc {word}", None, "use tc itself")
        else:
            raise UsageError(f"unknown word: {word} (dev, clsact)")
    if verb in _SHOW:
        return QdiscRequest("show", device, bool(kind) or is_named)
    if not device:
        raise UsageError("dev DEV is missing")
    if not kind and not (verb == "delete" and is_named):
        raise UsageError("clsact is missing")
    return QdiscRequest(verb, device)


def _require_own(word: str, value: str) -> None:
    if value not in (("ffff:", "ffff:0") if word == "handle" else ("ffff:fff1", "clsact")):
        raise UsageError(f"{word} of clsact is another: {value} (ffff: for handle, ffff:fff1 for parent)")


def _filter(rest: Words) -> FilterRequest:
    word = rest.take("the verb of filter (add, replace, change, del, show)")
    verb = match_word(word, ("add", "change", "replace", "delete", "get", *_SHOW))
    if not verb:
        raise UsageError(f"unknown word: {word} (add, replace, change, del, show)")
    if verb == "get":
        raise Unsupported(f"tc filter {verb}", None, "use tc itself")
    request = FilterRequest("show" if verb in _SHOW else verb, "", "")
    while rest and not request.kind:
        request = _filter_word(request, rest.take("a word"), rest)
    if not request.device:
        raise UsageError("dev DEV is missing")
    if not request.direction:
        raise UsageError("ingress or egress is missing")
    if request.kind:
        request = _bpf_options(request, rest)
    return _checked(request)


def _filter_word(request: FilterRequest, word: str, rest: Words) -> FilterRequest:
    if word == "dev":
        return request._replace(device=rest.take("the device after dev"))
    if word in ("ingress", "egress"):
        return request._replace(direction=word)
    if word == "parent":
        text = rest.take("the value after parent")
        if text not in _PARENTS:
            raise Unsupported(f"tc filter parent {text}", None, "name ingress or egress of clsact, or use tc itself")
        return request._replace(direction=_PARENTS[text])
    if word == "handle":
        return request._replace(handle=_number(rest.take("the number after handle"), "handle", 0xFFFFFFFF))
    if (match_word(word, ("preference", "priority")) and len(word) > 2) or word == "pref":
        return request._replace(pref=_number(rest.take("the number after pref"), "pref", 0xFFFF))
    if match_word(word, ("protocol",)) and len(word) > 2:
        return request._replace(protocol=_protocol(rest.take("the name after protocol")))
    if word == "chain":
        if _number(rest.take("the number after chain"), "chain", 0xFFFFFFFF):
            raise Unsupported("tc filter chain other than 0", None, "use tc itself")
        return request
    if word == "bpf":
        return request._replace(kind=word)
    if word in ("root", "block", "estimator", "basic", "cgroup", "flow", "flower", "fw", "matchall", "route", "u32"):
        raise Unsupported(f"tc filter {word}", None, "use tc itself")
    raise UsageError(f"unknown word: {word} (dev, ingress, egress, pref, handle, protocol, bpf)")


def _protocol(text: str) -> int:
    if text in ETHERTYPES:
        return ETHERTYPES[text]
    by_name = {name.lower(): number for name, number in ETHERTYPES.items()}
    if text.lower() in by_name:
        return by_name[text.lower()]
    if text[:1].isdigit():
        return _number(text, "protocol", 0xFFFF)
    raise UsageError(f"unknown protocol: {text} (all, ip, ipv6, arp, .. or a number)")


_BPF_WORDS = ("object-file", "object-pinned", "section", "program", "verbose", "direct-action", "export")
_BPF_ALIASES = {"obj": "object-file", "pinned": "object-pinned", "pin": "object-pinned", "sec": "section",
                "prog": "program", "verb": "verbose", "da": "direct-action", "object": "object-file"}  # fmt: skip
_BPF_FOREIGN = ("bytecode", "bytecode-file", "bc", "bcf", "police", "action", "skip_sw_hw")


def _bpf_word(word: str) -> str:
    return _BPF_ALIASES.get(word) or (match_word(word, _BPF_WORDS) if len(word) > 2 else "")


def _bpf_options(request: FilterRequest, rest: Words) -> FilterRequest:
    source = request.source
    while rest:
        word = rest.take("a word")
        if word == "run":  # what else would be done with it
            continue
        if _bpf_word(word) == "direct-action":
            request = request._replace(is_direct=True)
        elif word in ("classid", "flowid"):
            request = request._replace(classid=_classid(rest.take(f"the class after {word}")))
        elif word in ("skip_hw", "skip_sw"):
            request = request._replace(flags=(*request.flags, word))
        else:
            source = _source_word(
                source, word, rest, "direct-action, object-file, object-pinned, section, verbose, export"
            )
    return request._replace(source=source)


def _source_word(source: Source, word: str, rest: Words, allowed: str) -> Source:
    match _bpf_word(word):
        case "object-file":
            return source._replace(object_path=rest.take("the file after object-file"))
        case "object-pinned":
            return source._replace(pin=rest.take("the path after object-pinned"))
        case "section":
            return source._replace(section=rest.take("the name after section"))
        case "program":
            return source._replace(program=rest.take("the name after program"))
        case "verbose":
            return source._replace(is_verbose=True)
        case "export" if "export" in allowed:
            return source._replace(export=rest.take("the socket after export"))
    if word in _BPF_FOREIGN:
        raise Unsupported(f"tc filter bpf {word}", None, "use tc itself")
    raise UsageError(f"unknown word: {word} ({allowed})")


def _classid(text: str) -> int:
    major, colon, minor = text.partition(":")
    try:
        high, low = int(major or "0", 16), int(minor or "0", 16)
    except ValueError:
        high = low = -1
    if not colon or not 0 <= high <= 0xFFFF or not 0 <= low <= 0xFFFF:
        raise UsageError(f"no class id: {text} (MAJOR:MINOR, hexadecimal)")
    return high << 16 | low


def _checked(request: FilterRequest) -> FilterRequest:
    """A request that the kernel can answer; the protocol of a new filter is ``all`` where nothing is said."""
    source = request.source
    if source.object_path and source.pin:
        raise UsageError("object-file and object-pinned exclude each other")
    if request.verb in ("add", "replace", "change"):
        if not request.kind:
            raise UsageError("the kind of filter is missing (bpf)")
        if not source.object_path and not source.pin:
            raise UsageError("object-file or object-pinned is missing")
        return request._replace(protocol=request.protocol or ETHERTYPES["all"])
    if request.verb == "delete" and request.handle and not (request.pref and request.kind):
        raise UsageError("handle needs pref N before it and bpf after it")
    return request


def _exec(rest: Words) -> GraftRequest | ImportRequest:
    word = rest.take("the word bpf")
    if word != "bpf":
        raise UsageError(f"unknown word: {word} (bpf)")
    word = rest.take("the word graft or import")
    match match_word(word, ("run", "import", "debug", "dbg", "graft")):
        case "import":
            return _import(rest)
        case "graft":
            return _graft(rest)
        case "debug" | "dbg":
            raise Unsupported("tc exec bpf debug", None, "use tc itself, or 'bpf-load run'")
    raise UsageError(f"unknown word: {word} (graft, import)")


def _import(rest: Words) -> ImportRequest:
    path = rest.take("the socket after import")
    if not rest:
        return ImportRequest(path, (DEFAULT_COMMAND,))
    word = rest.take("the word run")
    if match_word(word, ("run",)) != "run":
        raise UsageError(f"unknown word: {word} (run)")
    command = rest.take_all()
    if not command:
        raise UsageError("the command after run is missing")
    return ImportRequest(path, command)


def _graft(rest: Words) -> GraftRequest:
    path = rest.take("the path of the prog array")
    slot = -1
    source = Source()
    while rest:
        word = rest.take("a word")
        if word == "key":
            slot = _number(rest.take("the number after key"), "key", 0xFFFFFFFF)
        elif word == "type":
            source = source._replace(prog_type=rest.take("the name after type"))
        else:
            source = _source_word(source, word, rest, "key, type, object-file, object-pinned, section, verbose")
    if bool(source.object_path) == bool(source.pin):
        raise UsageError("one of object-file and object-pinned is needed")
    if slot < 0:
        from toolchain.spec.sections import tail_slot

        found = tail_slot(source.section)
        if found is None:
            raise UsageError("key N is missing")
        slot = found[1]
    return GraftRequest(path, slot, source)

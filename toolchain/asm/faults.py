"""A fault inside one statement, before it has a place in a file."""

from __future__ import annotations


class Fault(Exception):
    """What is wrong with a statement.

    ``start`` and ``end`` are offsets into the statement's text; -1 where the whole statement is at fault.
    ``refs`` names the placeholders at fault instead, where only they are known (shapes.py).
    ``token`` is a text to look for in the line, where nothing better is known.
    """

    def __init__(
        self, message: str, start: int = -1, end: int = -1, hint: str = "", refs: tuple[int, ...] = (), token: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end
        self.hint = hint
        self.refs = refs
        self.token = token

    def copy(self) -> Fault:
        """The same fault without the traceback, which would keep a parser's state alive."""
        return Fault(self.message, self.start, self.end, self.hint, self.refs, self.token)

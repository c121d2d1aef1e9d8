"""Values: what crosses a folder's border, cheap to define and cheap to make.

    @value_type
    class Point(Value):
        x: int
        y: int = 0

is a dataclass with slots, compared and hashed by its class and fields. Nobody assigns to a field once it is made: the
type checker refuses it. It is not refused at run time, because that is what ``dataclass(frozen=True)`` costs: 0.6 ms
for each class at every start of a command (its six methods are compiled anew; here it is one), and twice the time to
make a value.
"""

from __future__ import annotations

from dataclasses import Field, dataclass
from typing import Any, ClassVar, TypeVar, dataclass_transform


class Value:
    """What all values share: equal when of one class and equal in every field that is compared."""

    __slots__: ClassVar[tuple[str, ...]] = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def _compared(self) -> tuple[object, ...]:
        return tuple([getattr(self, name) for name, each in self.__dataclass_fields__.items() if each.compare])

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._compared()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__dataclass_fields__)
        return f"{type(self).__name__}({fields})"


_C = TypeVar("_C", bound=type)


@dataclass_transform(frozen_default=True)
def value_type(cls: _C) -> _C:
    """Make a class of annotated fields a value; the class derives from Value."""
    return dataclass(slots=True, eq=False, repr=False)(cls)  # type: ignore[return-value]

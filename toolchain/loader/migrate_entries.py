"""One entry of the old map as an entry of the new one: key, value, the values of all CPUs, what a slot names.

Shape: keys and values are as the runtimes give them, so a per-CPU value is all CPUs' values, each padded to 8 bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from toolchain.isa.map_types import PERCPU_TYPES
from toolchain.loader.migrate_plan import MapPlan, Spread
from toolchain.loader.migrate_steps import Conversion, Misfit
from toolchain.spec.maps import MapSpec

Entry = tuple[bytes, bytes]


def entry_converter(plan: MapPlan, cpu_count: int) -> Callable[[bytes, bytes], Entry]:
    """A function from an old entry to the new one; it raises Misfit, naming the part that does not fit."""
    to_key = key_converter(plan)
    to_value = value_converter(plan, cpu_count)
    if plan.key.is_identity:
        return lambda key, value: (key, to_value(value))
    return lambda key, value: (to_key(key), to_value(value))


def key_converter(plan: MapPlan) -> Callable[[bytes], bytes]:
    """A function from an old key to the new one. Raises Misfit."""
    return _named("key", plan.key)


def value_converter(plan: MapPlan, cpu_count: int) -> Callable[[bytes], bytes]:
    """A function from an old value to the new one. Raises Misfit."""
    one = _named("value", plan.value)
    is_percpu = plan.old.spec.map_type in PERCPU_TYPES
    if plan.spread is Spread.SAME and (not is_percpu or plan.value.is_identity):
        return one
    stride, new_stride = -(-plan.value.size // 8) * 8, -(-plan.value.new_size // 8) * 8
    if plan.spread is Spread.FIRST:
        rest = bytes(new_stride * cpu_count - plan.value.new_size)
        return lambda value: one(value) + rest

    def parts(value: bytes) -> list[bytes]:
        return [one(value[at : at + plan.value.size]) for at in range(0, len(value), stride)]

    if plan.spread is Spread.SUM:
        return lambda value: _summed(plan, parts(value))
    pad = bytes(new_stride - plan.value.new_size)
    return lambda value: b"".join(part + pad for part in parts(value))


def cpu_parts(spec: MapSpec, value: bytes) -> list[bytes]:
    """The values of the CPUs, without their padding; one value of any other map."""
    if spec.map_type not in PERCPU_TYPES:
        return [value]
    stride = -(-spec.value_size // 8) * 8
    return [value[at : at + spec.value_size] for at in range(0, len(value), stride)]


def _named(what: str, convert: Conversion) -> Callable[[bytes], bytes]:
    if convert.is_identity:
        return lambda data: data
    apply = convert.compiled()
    if apply != convert.apply:
        return apply

    def named(data: bytes) -> bytes:
        try:
            return apply(data)
        except Misfit as error:
            raise Misfit(f"{what}: {error}") from None

    return named


def _summed(plan: MapPlan, parts: list[bytes]) -> bytes:
    """The values of all CPUs as one: integers added up, all else from the one CPU that has it."""
    used = [part for part in parts if any(part)]
    if len(used) < 2:
        return used[0] if used else bytes(plan.value.new_size)
    made = bytearray(plan.value.new_size)
    for offset, size in plan.counters:
        total = sum(int.from_bytes(part[offset : offset + size], sys.byteorder) for part in used)
        if total >> size * 8:
            raise Misfit(f"value: the sum of all CPUs at byte {offset} does not fit in {size} bytes: {total}")
        made[offset : offset + size] = total.to_bytes(size, sys.byteorder)
    covered = bytearray(plan.value.new_size)
    for offset, size in plan.counters:
        covered[offset : offset + size] = b"\1" * size
    for at, is_covered in enumerate(covered):
        if not is_covered:
            found = {part[at] for part in used} - {0}
            if len(found) > 1 or (found and sum(1 for part in used if part[at]) > 1):
                raise Misfit(f"value: several CPUs have something at byte {at}, which is no integer to add up")
            made[at] = found.pop() if found else 0
    return bytes(made)

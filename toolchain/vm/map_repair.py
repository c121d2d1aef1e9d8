"""Repair of a map's data, by one who has the map for himself: what its file says beyond doubt is kept.

    1  the data's own header and its locks are made anew, from the definition in the object's header; the seed, the
       frozen mark and a prog array's owner are taken over as they are
    2  lists and counters are computed from the chains, an array's unfinished update is finished: what a kill leaves
    3  is a hash not sound then, its elements are read as far as they can be, and put into the emptied map again

An array has nothing but values behind its header, so step 3 is never needed there. Killed in step 3, elements are lost:
those of a map that was damaged already, by something else than a kill.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from itertools import islice

from toolchain.pin.root import write_at
from toolchain.pin.stored import DATA_OFFSET, StoredObject
from toolchain.vm.maps import Map, open_map, stored_definition
from toolchain.vm.native import ffi, lib

_SEED_OFFSET, _FROZEN_OFFSET, _FROZEN_SIZE = 40, 56, 4
"""In the data's header. Source: toolchain/vm/core/map_internal.h, struct map_header."""
_CONTENT_OFFSET = 128
"""Where, in the data, the header ends: behind it are the journal, locks, lists and elements."""
_CHUNK = bytes(1 << 20)


def rebuild_map(stored: StoredObject) -> bool:
    """Make a map's data sound; whether it is now. Nobody else may use it. ``stored`` stays the caller's.

    Raises: PinError where its definition is none; OSError.
    """
    _, definition = stored_definition(stored)
    seed = int.from_bytes(os.pread(stored.fileno(), 8, DATA_OFFSET + _SEED_OFFSET), "little")
    size = ffi.new("uint64_t *")
    if lib.vm_map_size(definition, size) or os.fstat(stored.fileno()).st_size < DATA_OFFSET + size[0]:
        return False
    if lib.vm_map_format(stored.fileno(), DATA_OFFSET, definition, seed):
        return False
    with _opened(stored) as opened:
        lib.vm_map_reset_locks(opened.pointer)
        if not opened.check():
            return True
        limit = 4 * opened.spec.max_entries  # a chain that is a circle is read as often as the map has elements
        elements = dict(islice(opened.items(), limit))
    with thawed(stored):
        for offset in range(_CONTENT_OFFSET, size[0], len(_CHUNK)):
            write_at(stored.fileno(), _CHUNK[: size[0] - offset], DATA_OFFSET + offset)
        lib.vm_map_format(stored.fileno(), DATA_OFFSET, definition, seed)
        with _opened(stored) as opened:
            for key, value in elements.items():
                lib.vm_map_write(opened.pointer, ffi.from_buffer(key), ffi.from_buffer(value), 0)
            return not opened.check()


@contextlib.contextmanager
def thawed(stored: StoredObject) -> Iterator[None]:
    """Let a frozen map be changed in the block."""
    mark = os.pread(stored.fileno(), _FROZEN_SIZE, DATA_OFFSET + _FROZEN_OFFSET)
    write_at(stored.fileno(), bytes(_FROZEN_SIZE), DATA_OFFSET + _FROZEN_OFFSET)
    try:
        yield
    finally:
        write_at(stored.fileno(), mark, DATA_OFFSET + _FROZEN_OFFSET)


def _opened(stored: StoredObject) -> Map:
    return open_map(StoredObject(os.dup(stored.fileno()), stored.header, is_writable=True))

"""The object store under the user runtime: files, ids, liveness, paths. See store.py."""

from toolchain.pin.root import resolve_pin_root
from toolchain.pin.store import ObjectStore
from toolchain.pin.stored import StoredObject

__all__ = ["ObjectStore", "StoredObject", "resolve_pin_root"]

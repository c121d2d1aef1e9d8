"""Type information: the ``.BTF`` and ``.BTF.ext`` sections as values. See types.py, codec.py, ext.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolchain.lazy import lazy_names

if TYPE_CHECKING:
    from toolchain.btf.builder import BtfBuilder
    from toolchain.btf.codec import Btf
    from toolchain.btf.ext import BtfExt, CoreKind, CoreRelocation, FuncRecord, LineRecord, encode_both
    from toolchain.btf.types import BtfType, Kind

_HOMES = {
    "Btf": "toolchain.btf.codec",
    "BtfBuilder": "toolchain.btf.builder",
    "BtfExt": "toolchain.btf.ext",
    "BtfType": "toolchain.btf.types",
    "CoreKind": "toolchain.btf.ext",
    "CoreRelocation": "toolchain.btf.ext",
    "FuncRecord": "toolchain.btf.ext",
    "Kind": "toolchain.btf.types",
    "LineRecord": "toolchain.btf.ext",
    "encode_both": "toolchain.btf.ext",
}

__all__ = [
    "Btf",
    "BtfBuilder",
    "BtfExt",
    "BtfType",
    "CoreKind",
    "CoreRelocation",
    "FuncRecord",
    "Kind",
    "LineRecord",
    "encode_both",
]
__getattr__ = lazy_names(__name__, _HOMES)

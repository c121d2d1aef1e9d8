"""Type information: the ``.BTF`` and ``.BTF.ext`` sections as values. See types.py, codec.py, ext.py."""

from toolchain.btf.builder import BtfBuilder
from toolchain.btf.codec import Btf
from toolchain.btf.ext import BtfExt, CoreKind, CoreRelocation, FuncRecord, LineRecord, encode_both
from toolchain.btf.types import BtfType, Kind

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

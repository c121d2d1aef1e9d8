"""Data types on the arrows between folders. Pure values; see maps.py, objects.py, stages.py and runtime.py."""

from toolchain.spec.maps import InitialValue, MapSpec, MapStyle, Pinning
from toolchain.spec.objects import (
    DataSpec,
    ExternSpec,
    FunctionSpec,
    Linkage,
    ObjectFile,
    ObjectSpec,
    ProgramSpec,
    Reference,
    ReferenceKind,
    Relocation,
    RelocationType,
    Section,
    Symbol,
    SymbolBind,
    SymbolType,
)
from toolchain.spec.runtime import Handle, MapHandle, MapInfo, PinEntry, ProgHandle, ProgInfo, RunResult, Runtime
from toolchain.spec.stages import (
    BindAction,
    BoundProgram,
    CtxAccess,
    FunctionInfo,
    LinkedProgram,
    LineInfo,
    MapBinding,
    VerifiedProgram,
    VerifierStats,
)

__all__ = [
    "BindAction", "BoundProgram", "CtxAccess", "DataSpec", "ExternSpec", "FunctionInfo", "FunctionSpec", "Handle",
    "InitialValue", "LineInfo", "Linkage", "LinkedProgram", "MapBinding", "MapHandle", "MapInfo", "MapSpec", "MapStyle",
    "ObjectFile", "ObjectSpec", "PinEntry", "Pinning", "ProgHandle", "ProgInfo", "ProgramSpec", "Reference", "ReferenceKind",
    "Relocation", "RelocationType", "RunResult", "Runtime", "Section", "Symbol", "SymbolBind", "SymbolType",
    "VerifiedProgram", "VerifierStats",
]

"""Plans and results of migrations, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolchain.cli import render
from toolchain.errors import MigrationRefused
from toolchain.isa.map_types import MapType

if TYPE_CHECKING:
    from toolchain.cli.common import Settings
    from toolchain.loader.dry_run import MapPreview, Preview
    from toolchain.loader.loaded import Loaded
    from toolchain.loader.migrate import Migrated
    from toolchain.loader.migrate_plan import MapPlan
    from toolchain.loader.migrate_recover import Recovered
    from toolchain.loader.migrate_steps import Conversion
    from toolchain.spec.maps import MapSpec


def show_preview(settings: Settings, runtime_name: str, preview: Preview, is_lossy: bool) -> int:
    """Show what a load or a resize would do; the exit status."""
    if settings.as_json:
        render.write(render.json_text(preview_document(runtime_name, preview, is_lossy)))
    else:
        for line in preview_lines(preview):
            render.write(render.printable(line))
    return MigrationRefused.exit_status if preview.is_refused(is_lossy) else 0


def preview_lines(preview: Preview) -> list[str]:
    """What a load would do, on lines."""
    lines = [
        f"program {program.name}: {program.prog_type.label}, would be loaded"
        + ("" if preview.is_verified else " if the kernel accepts it")
        + (f", pinned at {pin}" if pin else "")
        for program, pin in preview.programs
    ]
    return lines + [line for each in preview.maps for line in map_lines(each)]


_WORDS = {
    "create": "would be created",
    "reuse": "would be used as it is",
    "keep": "would be used as it is, though it differs",
    "replace": "would give way to a new, empty map",
    "migrate": "would give way to a new map",
}


def map_lines(each: MapPreview) -> list[str]:
    """What would become of one map: differences, then fields, then entries."""
    old = f" id {each.old.id}" if each.old is not None else ""
    pin = f", pinned at {each.pin}" if each.pin else ""
    lines = [f"map {each.name}:{old} {_WORDS[each.action]}{pin}"]
    lines += [f"    {field}: {pinned} -> {declared}" for field, declared, pinned in each.differences]
    if each.plan is None:
        return lines
    for what, conversion in (("key", each.plan.key), ("value", each.plan.value)):
        lines += _field_lines(what, conversion)
    if not each.plan.faults:
        lines.append(f"    {entries_text(each.plan, each.entries)}")
    lines += [f"    refused: {fault}" for fault in each.faults]
    if each.left_out > len(each.faults):
        lines.append(f"    refused: {each.left_out - len(each.faults)} more entries")
    return lines


def entries_text(plan: MapPlan, count: int) -> str:
    """How many entries go over."""
    if plan.content.value == "nothing":
        return "constants: the object's own, none are carried over"
    noun = {"entries": ("entry", "entries"), "slots": ("slot", "slots")}[plan.content.value]
    return f"{count} {noun[count != 1]} to carry over"


def _field_lines(what: str, conversion: Conversion) -> list[str]:
    lines = []
    for row in conversion.rows:
        name = f"{what} {row.path}".rstrip()
        change = " -> ".join(filter(None, (row.before, row.after)))
        lines.append(f"    {name}: {change}, {row.how}")
    return lines


def preview_document(runtime_name: str, preview: Preview, is_lossy: bool) -> dict[str, Any]:
    """What a load would do, as JSON."""
    return {
        "schema": "bpf-load.plan/1",
        "runtime": runtime_name,
        "refused": preview.is_refused(is_lossy),
        "verified": preview.is_verified,
        "programs": [
            {"section": each.section, "program": each.name, "type": each.prog_type.label, "pin": pin or None}
            for each, pin in preview.programs
        ],
        "maps": [map_plan_document(each) for each in preview.maps],
    }


def map_plan_document(each: MapPreview) -> dict[str, Any]:
    """What would become of one map."""
    document: dict[str, Any] = {
        "name": each.name,
        "pin": each.pin or None,
        "action": each.action,
        "old_id": each.old.id if each.old is not None else None,
        "differences": [
            {"field": field, "declared": _plain(declared), "pinned": _plain(pinned)}
            for field, declared, pinned in each.differences
        ],
    }
    if each.plan is not None:
        document |= {
            "new": _definition(each.plan.new),
            "content": each.plan.content.value,
            "fields": [
                {"of": what, "field": row.path, "from": row.before or None, "to": row.after or None, "how": row.how}
                for what, conversion in (("key", each.plan.key), ("value", each.plan.value))
                for row in conversion.rows
            ],
            "entries": each.entries,
            "left_out": each.left_out,
            "refused": list(each.faults),
        }
    return document


def _definition(spec: MapSpec) -> dict[str, Any]:
    return {
        "type": spec.map_type.label,
        "flags": spec.map_flags,
        "bytes_key": spec.key_size,
        "bytes_value": spec.value_size,
        "max_entries": spec.max_entries,
    }


def migrated_lines(each: Migrated) -> list[str]:
    """What became of a map that migrated."""
    counts = [f"{each.entries} {'entry' if each.entries == 1 else 'entries'} carried over"]
    if each.again:
        counts.append(f"{each.again} of them twice")
    if each.late:
        counts.append(f"{each.late} merged that were written after the copy")
    if each.kept:
        counts.append(f"{each.kept} that both maps had changed left as the new one has them")
    if each.left_out:
        counts.append(f"{each.left_out} left behind")
    lines = [f"    from map id {each.old_id}: {', '.join(counts)}"]
    lines += [f"    left behind: {misfit}" for misfit in each.misfits]
    if each.left_out > len(each.misfits):
        lines.append(f"    left behind: {each.left_out - len(each.misfits)} more entries")
    return lines


def migration_warnings(each: Migrated) -> list[str]:
    """What the operator has to know after a migration."""
    found = []
    if each.used_by is None:
        found.append(f"cannot see whether programs still use the old map (id {each.old_id}) of {each.name}: it takes"
                     " CAP_SYS_ADMIN")  # fmt: skip
    if each.used_by:
        names = ", ".join(map(str, each.used_by[:10])) + (" .." if len(each.used_by) > 10 else "")
        found.append(
            f"programs that still use the old map (id {each.old_id}) of {each.name}: prog id {names}. What they write"
            " from now on is not in the new one: replace them, or migrate with --drain SECONDS while you do"
        )
    if each.used_by and each.map_type is MapType.PROG_ARRAY:
        found.append(
            f"their tail calls end: the slots of the old map (id {each.old_id}) are emptied with its last user"
        )
    if each.elsewhere:
        pins = ", ".join(each.elsewhere[:5])
        found.append(
            f"the old map (id {each.old_id}) of {each.name} is still pinned at {pins}: who reads there sees it"
        )
    if not each.is_exact:
        found.append(
            f"map {each.name}: late writes were merged without a program; what was counted meanwhile may be lost"
        )
    return found


def warn_of(loaded: Loaded) -> None:
    """Say on stderr what the operator has to know after a load in which maps migrated."""
    for each in loaded.maps:
        for text in migration_warnings(each.migrated) if each.migrated else ():
            render.complain(render.printable(f"bpf-load: warning: {text}"))
    for found in loaded.recovered:
        for text in _recovery_lines(found):
            render.complain(render.printable(f"bpf-load: {found.path}: {text}"))


def _recovery_lines(each: Recovered) -> list[str]:
    """What a migration that was killed still brought, or still holds."""
    lines = [f"a migration was interrupted here: {each.late} entries merged that were written after its copy"]
    if each.kept:
        lines.append(f"{each.kept} that both maps had changed left as the new one has them")
    lines += [f"warning: not merged: {misfit}" for misfit in each.misfits]
    if each.used_by:
        names = ", ".join(map(str, each.used_by[:10])) + (" .." if len(each.used_by) > 10 else "")
        lines.append(f"programs still use the old map (id {each.old_id}): prog id {names}. Replace them, and the rest"
                     " is merged")  # fmt: skip
    return lines


def recovery_documents(loaded: Loaded) -> dict[str, Any]:
    """The same as JSON; nothing where nothing was interrupted."""
    rows = [
        {"pin": each.path, "old_id": each.old_id, "late": each.late, "kept": each.kept,
         "not_merged": list(each.misfits), "used_by": None if each.used_by is None else list(each.used_by)}
        for each in loaded.recovered
    ]  # fmt: skip
    return {"recovered": rows} if rows else {}


def migrated_document(each: Migrated) -> dict[str, Any]:
    """What became of a map that migrated, as JSON."""
    return {
        "old_id": each.old_id,
        "entries": each.entries,
        "again": each.again,
        "late": each.late,
        "kept": each.kept,
        "left_out": each.left_out,
        "left_behind": list(each.misfits),
        "used_by": None if each.used_by is None else list(each.used_by),
        "elsewhere": list(each.elsewhere),
        "exact": each.is_exact,
    }


def _plain(value: object) -> object:
    return value if isinstance(value, int | str | bool) or value is None else str(value)

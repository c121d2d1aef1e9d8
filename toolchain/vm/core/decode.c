/*
 * Code to cells, once, at load: finds each instruction's handler, puts map pointers, value addresses and
 * helper functions into its immediate, and turns the context accesses that the verifier listed into accesses
 * of struct vm_state.
 *
 * Verified code is taken at its word, but for what the verifier knows nothing of (is there such a helper
 * here?). Unverified code may be anything: what cannot be executed becomes a trap, an instruction that faults
 * when it is reached.
 *
 * Linear; some 10 ns an instruction.
 */
#include "state.h"

#include <stdlib.h>

#define ANY INT64_MIN
#define OPCODE_LDDW 0x18
#define HELPER_TAIL_CALL 12
#define SLOT_SIZE 8
#define FORM_SECOND_SLOT 0xffff /* the rest of a wide instruction */

struct form {
    uint8_t opcode;
    int64_t src;
    int64_t off;
    int64_t imm;
};

#define FORM_ROW(name, opcode, src, off, imm) {opcode, src, off, imm},
/* Sorted by opcode. */
static const struct form forms[] = {FORM_LIST(FORM_ROW)};
#define FORM_COUNT (sizeof(forms) / sizeof(forms[0]))

struct slot {
    uint8_t opcode;
    uint8_t dst;
    uint8_t src;
    int16_t off;
    int32_t imm;
};

/* Which variants a form has: handlers, 0 for none (which is a form, and so no variant). */
struct variants {
    uint16_t d;
    uint16_t s;
};
#define VARIANT_ROW(form, letter) [FORM_##form].letter = VARIANT_##form##_##letter,
static const struct variants variants[FORM_COUNT] = {VARIANT_LIST(VARIANT_ROW)};

struct decoder {
    const struct vm_source *source;
    struct vm_prog *prog;
    const int32_t *handlers;
    struct vm_problem *problem;
    uint16_t *slot_forms;     /* of each slot: its form, HANDLER_trap where it was not decoded */
    uint8_t *is_target;       /* of each slot: somebody jumps or calls to it */
    uint16_t first_form[257]; /* forms of opcode x: first_form[x] .. first_form[x + 1] - 1 */
};

static struct slot slot_at(const struct vm_source *source, uint32_t index) {
    const uint8_t *at = source->code + (size_t)index * SLOT_SIZE;
    struct slot slot = {.opcode = at[0], .off = (int16_t)load16(at + 2), .imm = (int32_t)load32(at + 4)};

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    slot.dst = at[1] & 15;
    slot.src = at[1] >> 4;
#else
    slot.dst = at[1] >> 4;
    slot.src = at[1] & 15;
#endif
    return slot;
}

static void index_forms(struct decoder *decoder) {
    size_t form = 0;

    for (unsigned int opcode = 0; opcode < 257; opcode++) {
        while (form < FORM_COUNT && forms[form].opcode < opcode)
            form++;
        decoder->first_form[opcode] = (uint16_t)form;
    }
}

/* The form of an instruction, HANDLER_trap where it has none. */
static unsigned int find_form(const struct decoder *decoder, const struct slot *slot) {
    for (unsigned int at = decoder->first_form[slot->opcode]; at < decoder->first_form[slot->opcode + 1];
         at++) {
        const struct form *form = &forms[at];

        if ((form->src == ANY || form->src == slot->src) && (form->off == ANY || form->off == slot->off) &&
            (form->imm == ANY || form->imm == slot->imm))
            return at;
    }
    return HANDLER_trap;
}

/* The register that an instruction writes, or -1. */
static int written_register(const struct slot *slot) {
    const unsigned int class = slot->opcode & 7;
    const unsigned int mode = slot->opcode & 0xe0;
    const bool is_atomic = class == 3 && mode == 0xc0;

    if (class == 4 || class == 7 || class == 1 || slot->opcode == OPCODE_LDDW)
        return slot->dst;
    if (is_atomic && slot->imm == 0x100)
        return slot->dst;
    if (is_atomic && (slot->imm & 1) && slot->imm != 0xf1)
        return slot->src;
    return -1;
}

static enum vm_status fail(const struct decoder *decoder, uint32_t slot, uint32_t value,
                           enum vm_status status) {
    decoder->problem->slot = slot;
    decoder->problem->value = value;
    return status;
}

/* A wide load of a map or of an address in its value: *imm becomes the pointer. */
static enum vm_status resolve_map(const struct decoder *decoder, unsigned int form, uint32_t index,
                                  uint32_t addend, int64_t *imm) {
    const struct vm_source *source = decoder->source;
    const struct vm_map *map;

    if (index >= source->map_count)
        return VM_BAD_MAP;
    map = source->maps[index];
    if (form == FORM_lddw_src5) {
        *imm = (int64_t)(uintptr_t)map;
        return VM_OK;
    }
    /* kernel/bpf/arraymap.c, array_map_direct_value_addr() */
    if (!map->values || map->holds != 0 || map->cpu_count != 1 || map->def.max_entries != 1 ||
        addend >= map->def.value_size)
        return VM_BAD_MAP;
    *imm = (int64_t)(uintptr_t)(map->values + addend);
    return VM_OK;
}

/* What this core cannot execute though it is a valid instruction. */
static bool is_unsupported(unsigned int form) {
    switch (form) {
    case FORM_lddw_src1:
    case FORM_lddw_src2:
    case FORM_lddw_src3:
    case FORM_lddw_src4:
    case FORM_call_kfunc:
    case FORM_callx:
    case FORM_gotox:
    case FORM_addr_space_cast:
        return true;
    default:
        return false;
    }
}

static enum vm_status decode_slot(struct decoder *decoder, uint32_t index, struct vm_cell *cell) {
    const struct vm_source *source = decoder->source;
    const struct slot slot = slot_at(source, index);
    unsigned int form = find_form(decoder, &slot);
    enum vm_status status;

    if (slot.dst > 10 || slot.src > 10 || form == HANDLER_trap)
        return fail(decoder, index, slot.opcode, VM_BAD_INSN);
    if (is_unsupported(form))
        return fail(decoder, index, slot.opcode, VM_UNSUPPORTED_INSN);
    if (written_register(&slot) == 10)
        return fail(decoder, index, slot.opcode, VM_FAULT_FRAME_POINTER);
    cell->dst = slot.dst;
    cell->src = slot.src;
    cell->off = slot.off;
    cell->imm = slot.imm;
    if (slot.opcode == OPCODE_LDDW) {
        struct slot second;

        if (index + 1 >= source->slot_count)
            return fail(decoder, index, slot.opcode, VM_BAD_INSN);
        second = slot_at(source, index + 1);
        if (second.opcode || second.dst || second.src || second.off)
            return fail(decoder, index, slot.opcode, VM_BAD_INSN);
        cell->imm = (int64_t)((uint64_t)(uint32_t)second.imm << 32 | (uint32_t)slot.imm);
        if (form != FORM_lddw) {
            status = resolve_map(decoder, form, (uint32_t)slot.imm, (uint32_t)second.imm, &cell->imm);
            if (status)
                return fail(decoder, index, (uint32_t)slot.imm, status);
        }
    } else if (form == FORM_call_helper) {
        helper_fn helper = vm_helper((uint32_t)slot.imm, source->prog_type);

        if (!helper)
            return fail(decoder, index, (uint32_t)slot.imm, VM_UNSUPPORTED_HELPER);
        cell->off = (int16_t)slot.imm;
        cell->imm = (int64_t)(uintptr_t)helper;
    }
    cell->handler = decoder->handlers[form];
    if (form == FORM_call_helper && slot.imm == HELPER_TAIL_CALL)
        cell->handler = decoder->handlers[HANDLER_tail_call];
    decoder->slot_forms[index] = (uint16_t)form;
    return VM_OK;
}

static void mark_target(const struct decoder *decoder, uint32_t index) {
    const struct slot slot = slot_at(decoder->source, index);
    const unsigned int form = decoder->slot_forms[index];
    const unsigned int class = slot.opcode & 7;
    const bool is_long = form == FORM_gotol || form == FORM_call_local;
    int64_t target;

    if ((class != 5 && class != 6) || form == HANDLER_trap || form == FORM_call_helper || form == FORM_exit)
        return;
    target = (int64_t)index + 1 + (is_long ? slot.imm : slot.off);
    if (target >= 0 && target < decoder->source->slot_count)
        decoder->is_target[target] = 1;
}

/* The register that the instruction leaves in the interpreters' `acc`, -1 where it leaves none. */
static int acc_register(const struct decoder *decoder, uint32_t index) {
    const struct slot slot = slot_at(decoder->source, index);
    const unsigned int class = slot.opcode & 7;

    if (decoder->slot_forms[index] == HANDLER_trap)
        return -1;
    return class == 1 || class == 4 || class == 7 || slot.opcode == OPCODE_LDDW ? slot.dst : -1;
}

/* Gives each instruction whose operand the one before it has just written the handler that takes it from
 * there. */
static void choose_variants(const struct decoder *decoder) {
    const uint32_t slot_count = decoder->source->slot_count;
    uint32_t before = 0;

    for (uint32_t index = 0; index < slot_count; index++)
        mark_target(decoder, index);
    for (uint32_t index = 1; index < slot_count; index++) {
        struct vm_cell *cell = &decoder->prog->cells[index];
        const unsigned int form = decoder->slot_forms[index];
        int acc;

        if (form == FORM_SECOND_SLOT)
            continue;
        acc = decoder->is_target[index] ? -1 : acc_register(decoder, before);
        before = index;
        if (form == HANDLER_trap || acc < 0)
            continue;
        if (variants[form].s && cell->src == acc)
            cell->handler = decoder->handlers[variants[form].s];
        else if (variants[form].d && cell->dst == acc)
            cell->handler = decoder->handlers[variants[form].d];
    }
}

static void make_trap(const struct decoder *decoder, struct vm_cell *cell, enum vm_status status) {
    decoder->slot_forms[cell - decoder->prog->cells] = HANDLER_trap;
    *cell = (struct vm_cell){.handler = decoder->handlers[HANDLER_trap], .imm = status};
}

static enum vm_status fault_of(enum vm_status load_status) {
    if (load_status == VM_UNSUPPORTED_HELPER)
        return VM_FAULT_HELPER;
    return load_status >= VM_FAULT_FIRST ? load_status : VM_FAULT_INSN;
}

static enum vm_status decode_all(struct decoder *decoder) {
    const struct vm_source *source = decoder->source;
    struct vm_problem first_unknown = {0};

    for (uint32_t index = 0; index < source->slot_count; index++) {
        struct vm_cell *cell = &decoder->prog->cells[index];
        enum vm_status status;

        if (source->dead_slots && source->dead_slots[index]) {
            make_trap(decoder, cell, VM_FAULT_INSN);
            continue;
        }
        status = decode_slot(decoder, index, cell);
        if (status == VM_OK) {
            if (source->code[(size_t)index * SLOT_SIZE] == OPCODE_LDDW) {
                make_trap(decoder, cell + 1, VM_FAULT_INSN);
                decoder->slot_forms[++index] = FORM_SECOND_SLOT;
            }
            continue;
        }
        if (!source->is_checked)
            return status;
        if (status == VM_UNSUPPORTED_HELPER && first_unknown.value == 0)
            first_unknown = *decoder->problem;
        make_trap(decoder, cell, fault_of(status));
    }
    make_trap(decoder, &decoder->prog->cells[source->slot_count], VM_FAULT_END);
    *decoder->problem = first_unknown;
    return VM_OK;
}

/* A store of the context: three fields are narrower in the kernel than programs see them. */
static void rewrite_store(const struct decoder *decoder, const struct vm_ctx_access *access,
                          struct vm_cell *cell) {
    const bool is_imm = (decoder->source->code[(size_t)access->slot * SLOT_SIZE] & 7) == 2;

    if (decoder->source->prog_type == VM_PROG_XDP)
        return;
    if (access->offset == SKB_QUEUE_MAPPING)
        cell->handler = decoder->handlers[is_imm ? HANDLER_ctx_queue_imm : HANDLER_ctx_queue_reg];
    if (access->offset == SKB_TC_INDEX || access->offset == SKB_TC_CLASSID) {
        cell->handler = decoder->handlers[is_imm ? FORM_sth : FORM_stxh];
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        cell->off = (int16_t)(cell->off + 2);
#endif
    }
}

/* Fields whose value would be a kernel pointer. */
static bool is_unsupported_field(uint32_t prog_type, uint32_t offset) {
    return prog_type != VM_PROG_XDP && ((offset >= SKB_FLOW_KEYS && offset < SKB_FLOW_KEYS + 8) ||
                                        (offset >= SKB_SK && offset < SKB_SK + 8));
}

static enum vm_status rewrite_accesses(const struct decoder *decoder) {
    const struct vm_source *source = decoder->source;

    for (uint32_t index = 0; index < source->access_count; index++) {
        const struct vm_ctx_access *access = &source->accesses[index];
        struct vm_cell *cell;
        int32_t pointer;

        if (access->slot >= source->slot_count || access->offset > VM_CTX_SIZE ||
            access->size > VM_CTX_SIZE - access->offset)
            return fail(decoder, access->slot, access->offset, VM_UNSUPPORTED_FIELD);
        if (is_unsupported_field(source->prog_type, access->offset))
            return fail(decoder, access->slot, access->offset, VM_UNSUPPORTED_FIELD);
        cell = &decoder->prog->cells[access->slot];
        pointer = vm_ctx_pointer(source->prog_type, access->offset, access->size);
        if (access->is_write) {
            rewrite_store(decoder, access, cell);
        } else if (pointer >= 0) {
            /* The base may be the context plus a constant, so the change is relative. */
            cell->off = (int16_t)(cell->off + pointer - (int32_t)access->offset);
            cell->handler = decoder->handlers[FORM_ldxdw];
        }
    }
    return VM_OK;
}

static struct vm_prog *prog_alloc(const struct vm_source *source) {
    struct vm_prog *prog = calloc(1, sizeof(*prog));

    if (!prog)
        return NULL;
    prog->cells = calloc((size_t)source->slot_count + 1, sizeof(*prog->cells));
    prog->maps = calloc((size_t)source->map_count + 1, sizeof(struct vm_map *));
    if (!prog->cells || !prog->maps) {
        vm_prog_destroy(prog);
        return NULL;
    }
    for (uint32_t index = 0; index < source->map_count; index++)
        prog->maps[index] = source->maps[index];
    prog->slot_count = source->slot_count;
    prog->map_count = source->map_count;
    prog->prog_type = source->prog_type;
    prog->id = source->id;
    prog->is_checked = source->is_checked != 0;
    prog->ctx_readable = source->ctx_readable;
    prog->ctx_writable = source->ctx_writable;
    return prog;
}

static enum vm_status decode(struct decoder *decoder) {
    enum vm_status status;

    index_forms(decoder);
    status = decode_all(decoder);
    if (status)
        return status;
    choose_variants(decoder);
    return decoder->source->is_checked ? VM_OK : rewrite_accesses(decoder);
}

enum vm_status vm_prog_create(const struct vm_source *source, struct vm_prog **prog,
                              struct vm_problem *problem) {
    struct decoder decoder = {.source = source, .problem = problem};
    enum vm_status status;

    *prog = NULL;
    *problem = (struct vm_problem){0};
    if (source->slot_count == 0 || source->slot_count > 1000000)
        return VM_BAD_INSN;
    decoder.prog = prog_alloc(source);
    decoder.slot_forms = calloc((size_t)source->slot_count + 1, sizeof(*decoder.slot_forms));
    decoder.is_target = calloc((size_t)source->slot_count + 1, 1);
    decoder.handlers = source->is_checked ? vm_handlers_checked() : vm_handlers_plain();
    status = decoder.prog && decoder.slot_forms && decoder.is_target ? decode(&decoder) : VM_NO_MEMORY;
    free(decoder.slot_forms);
    free(decoder.is_target);
    if (status)
        vm_prog_destroy(decoder.prog);
    else
        *prog = decoder.prog;
    return status;
}

void vm_prog_destroy(struct vm_prog *prog) {
    if (!prog)
        return;
    free(prog->cells);
    free(prog->maps);
    free(prog);
}

/*
 * The interpreter, compiled twice: interp_plain.c includes this file with CHECKED 0, interp_checked.c with
 * CHECKED 1.
 *
 *   plain     for verified programs: repeats none of the verifier's checks
 *   checked   for all others, and the oracle of the tests: every load, store, call, jump and frame is
 * checked, every instruction is paid from a budget, so it ends whatever the code is; a fault is a status,
 * slot and address
 *
 * Both execute cells by computed goto: a handler ends by fetching the next cell and jumping to that cell's
 * handler, so each handler has an indirect branch of its own. The checked build differs only in what the
 * macros NEXT, LOAD and STORE expand to.
 *
 * Semantics are RFC 9669's: registers are 64 bits wide, 32-bit operations clear the upper half of their
 * result, shift counts are taken modulo the width, x / 0 is 0, x % 0 is x, and the smallest integer divided
 * by -1 is itself.
 */
#include "state.h"

#include <string.h>

struct frame {
    const struct vm_cell *return_to;
    const struct vm_prog *prog; /* that return_to is in */
    uint64_t saved[5];          /* R6..R10 */
    uint32_t may_goto;
};

#define DST regs[cell->dst]
#define SRC regs[cell->src]
#define IMM cell->imm

#define JUMP_TO(where)                                     \
    do {                                                   \
        cell = (where);                                    \
        goto *((const char *) && op_base + cell->handler); \
    } while (0)

#if CHECKED
#define FAULT(why, what)            \
    do {                            \
        status = (why);             \
        address = (uint64_t)(what); \
        goto fault;                 \
    } while (0)
#define ENTER_PROG()                          \
    do {                                      \
        cells = state->prog->cells;           \
        slot_count = state->prog->slot_count; \
    } while (0)
#define PAY()                                 \
    do {                                      \
        if (__builtin_expect(budget == 0, 0)) \
            FAULT(VM_FAULT_BUDGET, 0);        \
        budget--;                             \
    } while (0)
#define NEXT_BY(slots)                                                \
    do {                                                              \
        int64_t distance_ = (slots);                                  \
        int64_t target_ = (cell - cells) + distance_;                 \
        PAY();                                                        \
        if (__builtin_expect(target_ < 0 || target_ > slot_count, 0)) \
            FAULT(VM_FAULT_JUMP, target_);                            \
        JUMP_TO(cells + target_);                                     \
    } while (0)
/* The cell behind the last one traps, so a step needs no check of where it leads. */
#define NEXT()             \
    do {                   \
        PAY();             \
        JUMP_TO(cell + 1); \
    } while (0)
/* Nearly all accesses are to the stack, so that is asked here. */
#define IS_STACK(where, size)                           \
    ((where) - (uint64_t)(uintptr_t)state->stack_low <= \
     (uint64_t)(state->stack_high - state->stack_low) - (size))
#define CHECK(why, where, size, is_write)                                                 \
    do {                                                                                  \
        if (!IS_STACK(where, size) && !vm_may_access(state, (where), (size), (is_write))) \
            FAULT((why), (where));                                                        \
    } while (0)
#define CHECK_ALIGN(where, size)            \
    do {                                    \
        if ((where) & ((size) - 1))         \
            FAULT(VM_FAULT_ALIGN, (where)); \
    } while (0)
#else
#define ENTER_PROG() ((void)0)
#define NEXT_BY(slots) JUMP_TO(cell + (slots))
#define NEXT() JUMP_TO(cell + 1)
#define CHECK(why, where, size, is_write) ((void)0)
#define CHECK_ALIGN(where, size) ((void)0)
#endif

/*
 * A register written by one instruction and read by the next would go through memory, five cycles away on
 * most processors. So the last value written is also in `acc`, and where the decoder sees that an operand is
 * that value (and that nobody jumps in between) it takes the handler's variant _d or _s, whose destination or
 * source operand is acc.
 */
#define WRITE(value)   \
    do {               \
        acc = (value); \
        DST = acc;     \
    } while (0)

/* Arithmetic: `a` is the old destination and `b` the operand, both of type `type`; the result is stored
 * unsigned. */
#define ALU_HANDLER(label, bits, type, left, right, expression) \
    label: {                                                    \
        const type a = (type)(left);                            \
        const type b = (type)(right);                           \
        (void)a;                                                \
        WRITE((uint##bits##_t)(expression));                    \
        NEXT();                                                 \
    }
#define ALU_BOTH(name, bits, type, expression)                             \
    ALU_HANDLER(op_##name##bits##_reg, bits, type, DST, SRC, expression)   \
    ALU_HANDLER(op_##name##bits##_reg_d, bits, type, acc, SRC, expression) \
    ALU_HANDLER(op_##name##bits##_reg_s, bits, type, DST, acc, expression) \
    ALU_HANDLER(op_##name##bits##_imm, bits, type, DST, IMM, expression)   \
    ALU_HANDLER(op_##name##bits##_imm_d, bits, type, acc, IMM, expression)

#define ALU_OP(name, expression)             \
    ALU_BOTH(name, 64, uint64_t, expression) \
    ALU_BOTH(name, 32, uint32_t, expression)

/* Signed: b == -1 is taken apart, for the smallest integer divided by -1 overflows. */
#define ALU_SIGNED(name, bits, at_zero, at_minus_one, expression) \
    ALU_BOTH(name, bits, int##bits##_t, b == 0 ? (at_zero) : b == -1 ? (at_minus_one) : (expression))

#define COMPARE_HANDLER(label, type, left, right, condition) \
    label: {                                                 \
        const type a = (type)(left);                         \
        const type b = (type)(right);                        \
        if (condition)                                       \
            NEXT_BY((int64_t)cell->off + 1);                 \
        NEXT();                                              \
    }
#define COMPARE_BOTH(name, bits, type, condition)                       \
    COMPARE_HANDLER(op_##name##bits##_reg, type, DST, SRC, condition)   \
    COMPARE_HANDLER(op_##name##bits##_reg_d, type, acc, SRC, condition) \
    COMPARE_HANDLER(op_##name##bits##_reg_s, type, DST, acc, condition) \
    COMPARE_HANDLER(op_##name##bits##_imm, type, DST, IMM, condition)   \
    COMPARE_HANDLER(op_##name##bits##_imm_d, type, acc, IMM, condition)

#define COMPARE(name, unsigned_or_signed, condition)            \
    COMPARE_BOTH(name, 64, unsigned_or_signed##64_t, condition) \
    COMPARE_BOTH(name, 32, unsigned_or_signed##32_t, condition)

#define ADDRESS(base) const uint64_t where = (base) + (uint64_t)(int64_t)cell->off

/* Only an unverified program meets its context by address; the decoder has rewritten a verified one's
 * accesses. */
#if CHECKED
#define IS_CTX(where) ((where) - (uint64_t)(uintptr_t)state < VM_CTX_SIZE)
#define CTX_LOAD(type, result_type)                                                                  \
    if (IS_CTX(where)) {                                                                             \
        uint64_t wide;                                                                               \
        bool is_pointer;                                                                             \
        if (!vm_ctx_load(state, (uint32_t)(where - (uint64_t)(uintptr_t)state), sizeof(type), &wide, \
                         &is_pointer))                                                               \
            FAULT(VM_FAULT_LOAD, where);                                                             \
        WRITE(is_pointer ? wide : (uint64_t)(result_type)(type)wide);                                \
        NEXT();                                                                                      \
    }
#define CTX_STORE(type, value)                                                                           \
    if (IS_CTX(where)) {                                                                                 \
        if (!vm_ctx_store(state, (uint32_t)(where - (uint64_t)(uintptr_t)state), sizeof(type), (value))) \
            FAULT(VM_FAULT_STORE, where);                                                                \
        NEXT();                                                                                          \
    }
#else
#define CTX_LOAD(type, result_type)
#define CTX_STORE(type, value)
#endif

#define LOAD_HANDLER(label, type, result_type, base)                   \
    label: {                                                           \
        type value;                                                    \
        ADDRESS(base);                                                 \
        CTX_LOAD(type, result_type)                                    \
        CHECK(VM_FAULT_LOAD, where, sizeof(type), false);              \
        memcpy(&value, (const void *)(uintptr_t)where, sizeof(value)); \
        WRITE((uint64_t)(result_type)value);                           \
        NEXT();                                                        \
    }
#define LOAD_OP(name, type, result_type)            \
    LOAD_HANDLER(op_##name, type, result_type, SRC) \
    LOAD_HANDLER(op_##name##_s, type, result_type, acc)

#define STORE_HANDLER(label, type, base, operand)                \
    label: {                                                     \
        const type value = (type)(operand);                      \
        ADDRESS(base);                                           \
        CTX_STORE(type, value)                                   \
        CHECK(VM_FAULT_STORE, where, sizeof(type), true);        \
        memcpy((void *)(uintptr_t)where, &value, sizeof(value)); \
        NEXT();                                                  \
    }
#define STORE_OP(letter, type)                        \
    STORE_HANDLER(op_stx##letter, type, DST, SRC)     \
    STORE_HANDLER(op_stx##letter##_s, type, DST, acc) \
    STORE_HANDLER(op_st##letter, type, DST, IMM)

#define ATOMIC_ADDRESS(base, type)                                            \
    type *where = (type *)(uintptr_t)((base) + (uint64_t)(int64_t)cell->off); \
    CHECK(VM_FAULT_STORE, (uint64_t)(uintptr_t)where, sizeof(type), true);    \
    CHECK_ALIGN((uint64_t)(uintptr_t)where, sizeof(type))

#define ATOMIC_OP(name, function, bits)                               \
    op_a##name##bits : {                                              \
        ATOMIC_ADDRESS(DST, uint##bits##_t);                          \
        (void)function(where, (uint##bits##_t)SRC, __ATOMIC_RELAXED); \
        NEXT();                                                       \
    }                                                                 \
    op_af##name##bits : {                                             \
        ATOMIC_ADDRESS(DST, uint##bits##_t);                          \
        SRC = function(where, (uint##bits##_t)SRC, __ATOMIC_SEQ_CST); \
        NEXT();                                                       \
    }

#define ATOMIC_OPS(bits)                                                                            \
    ATOMIC_OP(add, __atomic_fetch_add, bits)                                                        \
    ATOMIC_OP(or, __atomic_fetch_or, bits)                                                          \
    ATOMIC_OP(and, __atomic_fetch_and, bits)                                                        \
    ATOMIC_OP(xor, __atomic_fetch_xor, bits)                                                        \
    op_axchg##bits : {                                                                              \
        ATOMIC_ADDRESS(DST, uint##bits##_t);                                                        \
        SRC = __atomic_exchange_n(where, (uint##bits##_t)SRC, __ATOMIC_SEQ_CST);                    \
        NEXT();                                                                                     \
    }                                                                                               \
    op_acmpxchg##bits : {                                                                           \
        ATOMIC_ADDRESS(DST, uint##bits##_t);                                                        \
        uint##bits##_t expected = (uint##bits##_t)regs[0];                                          \
        __atomic_compare_exchange_n(where, &expected, (uint##bits##_t)SRC, false, __ATOMIC_SEQ_CST, \
                                    __ATOMIC_SEQ_CST);                                              \
        regs[0] = expected;                                                                         \
        NEXT();                                                                                     \
    }

#define ORDERED_OPS(letter, type)                                                          \
    op_load_acquire_##letter : {                                                           \
        const type *where = (const type *)(uintptr_t)(SRC + (uint64_t)(int64_t)cell->off); \
        CHECK(VM_FAULT_LOAD, (uint64_t)(uintptr_t)where, sizeof(type), false);             \
        CHECK_ALIGN((uint64_t)(uintptr_t)where, sizeof(type));                             \
        DST = __atomic_load_n(where, __ATOMIC_ACQUIRE);                                    \
        NEXT();                                                                            \
    }                                                                                      \
    op_store_release_##letter : {                                                          \
        ATOMIC_ADDRESS(DST, type);                                                         \
        __atomic_store_n(where, (type)SRC, __ATOMIC_RELEASE);                              \
        NEXT();                                                                            \
    }

#define PACKET_OPS(letter, size)                                                                  \
    op_ldabs##letter : if (!vm_packet_load(state, (int32_t)IMM, size, &regs[0])) goto packet_end; \
    NEXT();                                                                                       \
    op_ldind##letter : if (!vm_packet_load(state, (int32_t)((uint32_t)SRC + (uint32_t)IMM), size, \
                                           &regs[0])) goto packet_end;                            \
    NEXT();

#define VARIANT_LABEL(form, letter) [VARIANT_##form##_##letter] = (int)(&&op_##form##_##letter - &&op_base),
#define FORM_LABEL(name, opcode, src, off, imm) [FORM_##name] = (int)(&&op_##name - &&op_base),

/* With *state NULL it fills *handlers in and runs nothing: label addresses are only known inside of the
 * function. */
static enum vm_status interpret(struct vm_state *state, uint64_t *result, const int32_t **handlers) {
    static const int32_t table[HANDLER_COUNT] = {
        FORM_LIST(FORM_LABEL) VARIANT_LIST(VARIANT_LABEL)[HANDLER_ctx_queue_reg] =
            (int)(&&op_ctx_queue_reg - &&op_base),
        [HANDLER_ctx_queue_imm] = (int)(&&op_ctx_queue_imm - &&op_base),
        [HANDLER_tail_call] = (int)(&&op_tail_call - &&op_base),
        [HANDLER_trap] = (int)(&&op_trap - &&op_base),
    };
    uint64_t regs[11];
    uint64_t acc = 0;
    struct frame frames[TOTAL_FRAMES];
    uint32_t depth = 0;
    uint32_t tail_calls = 0;
    const struct vm_cell *cell;
    enum vm_status status = VM_OK;
#if CHECKED
    uint64_t address = 0;
    uint64_t budget;
    const struct vm_cell *cells;
    int64_t slot_count;
#endif

    if (!state) {
        *handlers = table;
        return VM_OK;
    }
#if CHECKED
    memset(regs, 0, sizeof(regs));
    budget = state->budget;
    ENTER_PROG();
    state->stack_high = state->machine->stack + sizeof(state->machine->stack);
    state->stack_low = state->stack_high - STACK_SIZE;
#endif
    /* trace_printk takes R3 to R5 whether a program has set them or not. */
    regs[2] = regs[3] = regs[4] = regs[5] = 0;
    regs[1] = (uint64_t)(uintptr_t)state;
    regs[10] = (uint64_t)(uintptr_t)(state->machine->stack + sizeof(state->machine->stack));
    frames[0].may_goto = MAX_MAY_GOTO;
    JUMP_TO(state->prog->cells);

op_base:
    ALU_OP(add, a + b)
    ALU_OP(sub, a - b)
    ALU_OP(mul, a * b)
    ALU_OP(or, a | b)
    ALU_OP(and, a & b)
    ALU_OP(xor, a ^ b)
    ALU_OP(mov, b)
    ALU_OP(div, b ? a / b : 0)
    ALU_OP(mod, b ? a % b : a)
    ALU_OP(lsh, a << (b & (sizeof(a) * 8 - 1)))
    ALU_OP(rsh, a >> (b & (sizeof(a) * 8 - 1)))
    ALU_BOTH(arsh, 64, int64_t, a >> (b & 63))
    ALU_BOTH(arsh, 32, int32_t, a >> (b & 31))
    ALU_SIGNED(sdiv, 64, 0, (int64_t)-(uint64_t)a, a / b)
    ALU_SIGNED(sdiv, 32, 0, (int32_t)-(uint32_t)a, a / b)
    ALU_SIGNED(smod, 64, a, 0, a % b)
    ALU_SIGNED(smod, 32, a, 0, a % b)

#define UNARY(name, expression)        \
    op_##name : {                      \
        WRITE((uint64_t)(expression)); \
        NEXT();                        \
    }
    UNARY(neg64, -DST)
    UNARY(neg32, (uint32_t)-(uint32_t)DST)
    UNARY(movsx8_64, (int64_t)(int8_t)SRC)
    UNARY(movsx16_64, (int64_t)(int16_t)SRC)
    UNARY(movsx32_64, (int64_t)(int32_t)SRC)
    UNARY(movsx8_32, (uint32_t)(int8_t)SRC)
    UNARY(movsx16_32, (uint32_t)(int16_t)SRC)

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define FROM_LE(bits, value) (uint##bits##_t)(value)
#define FROM_BE(bits, value) __builtin_bswap##bits((uint##bits##_t)(value))
#else
#define FROM_LE(bits, value) __builtin_bswap##bits((uint##bits##_t)(value))
#define FROM_BE(bits, value) (uint##bits##_t)(value)
#endif
#define SWAP(bits)                          \
    UNARY(le##bits, FROM_LE(bits, DST))     \
    UNARY(be##bits, FROM_BE(bits, DST))     \
    UNARY(be##bits##_d, FROM_BE(bits, acc)) \
    UNARY(bswap##bits, __builtin_bswap##bits((uint##bits##_t)DST))
    SWAP(16)
    SWAP(32)
    SWAP(64)

op_lddw:
op_lddw_src5:
op_lddw_src6:
    WRITE((uint64_t)IMM);
    NEXT_BY(2);

    COMPARE(jeq, uint, a == b)
    COMPARE(jne, uint, a != b)
    COMPARE(jgt, uint, a > b)
    COMPARE(jge, uint, a >= b)
    COMPARE(jlt, uint, a < b)
    COMPARE(jle, uint, a <= b)
    COMPARE(jset, uint, a & b)
    COMPARE(jsgt, int, a > b)
    COMPARE(jsge, int, a >= b)
    COMPARE(jslt, int, a < b)
    COMPARE(jsle, int, a <= b)

op_ja:
    NEXT_BY((int64_t)cell->off + 1);
op_gotol:
    NEXT_BY(IMM + 1);
op_may_goto:
    if (frames[depth].may_goto == 0)
        NEXT_BY((int64_t)cell->off + 1);
    frames[depth].may_goto--;
    NEXT();

op_call_local: {
    struct frame *frame = &frames[depth];
#if CHECKED
    if (depth + 1 == MAX_FRAMES * (tail_calls + 1))
        FAULT(VM_FAULT_FRAMES, depth + 1);
    state->stack_low -= STACK_SIZE;
#endif
    frame->return_to = cell + 1;
    frame->prog = state->prog;
    memcpy(frame->saved, &regs[6], sizeof(frame->saved));
    depth++;
    frames[depth].may_goto = MAX_MAY_GOTO;
    regs[10] -= STACK_SIZE;
    NEXT_BY(IMM + 1);
}

packet_end:
    regs[0] = 0;
op_exit:
    if (depth == 0)
        goto done;
    depth--;
#if CHECKED
    state->stack_low += STACK_SIZE;
    PAY();
#endif
    memcpy(&regs[6], frames[depth].saved, sizeof(frames[depth].saved));
    state->prog = frames[depth].prog;
    ENTER_PROG();
    JUMP_TO(frames[depth].return_to);

    /* A jump to another program, on this one's frame: its callers stay. */
op_tail_call: {
    const struct vm_prog *target = NULL;
#if CHECKED
    if (!vm_helper_arguments(state, cell->off & 0xffff, regs))
        FAULT(VM_FAULT_ARGUMENT, state->fault_address);
#endif
    if (tail_calls < MAX_TAIL_CALLS)
        target = vm_tail_target(state, (const struct vm_map *)(uintptr_t)regs[2], (uint32_t)regs[3]);
    if (target == NULL)
        NEXT();
#if CHECKED
    PAY();
#endif
    tail_calls++;
    state->prog = target;
    frames[depth].may_goto = MAX_MAY_GOTO;
    ENTER_PROG();
    JUMP_TO(target->cells);
}

op_call_helper:
#if CHECKED
    if (!vm_helper_arguments(state, cell->off & 0xffff, regs))
        FAULT(VM_FAULT_ARGUMENT, state->fault_address);
#endif
    /* The decoder put the helper's address here. */
    regs[0] = ((helper_fn)(uintptr_t)IMM)(regs[1], regs[2], regs[3], regs[4], regs[5], state);
    NEXT();

    LOAD_OP(ldxb, uint8_t, uint8_t)
    LOAD_OP(ldxh, uint16_t, uint16_t)
    LOAD_OP(ldxw, uint32_t, uint32_t)
    LOAD_OP(ldxdw, uint64_t, uint64_t)
    LOAD_OP(ldxsb, int8_t, int64_t)
    LOAD_OP(ldxsh, int16_t, int64_t)
    LOAD_OP(ldxsw, int32_t, int64_t)
    STORE_OP(b, uint8_t)
    STORE_OP(h, uint16_t)
    STORE_OP(w, uint32_t)
    STORE_OP(dw, uint64_t)
    ATOMIC_OPS(64)
    ATOMIC_OPS(32)
    ORDERED_OPS(b, uint8_t)
    ORDERED_OPS(h, uint16_t)
    ORDERED_OPS(w, uint32_t)
    ORDERED_OPS(dw, uint64_t)
    PACKET_OPS(b, 1)
    PACKET_OPS(h, 2)
    PACKET_OPS(w, 4)

    /* queue_mapping is 16 bits wide in the kernel, and a store of 65535 or more changes nothing. */
op_ctx_queue_reg:
    if ((uint32_t)SRC < UINT16_MAX)
        store32((uint8_t *)(uintptr_t)(DST + (uint64_t)(int64_t)cell->off), (uint32_t)SRC);
    NEXT();
op_ctx_queue_imm:
    if ((uint32_t)IMM < UINT16_MAX)
        store32((uint8_t *)(uintptr_t)(DST + (uint64_t)(int64_t)cell->off), (uint32_t)IMM);
    NEXT();

    /* What the decoder refuses in a plain program and turns into a trap in a checked one. */
op_lddw_src1:
op_lddw_src2:
op_lddw_src3:
op_lddw_src4:
op_call_kfunc:
op_callx:
op_gotox:
op_addr_space_cast:
op_trap:
#if CHECKED
    FAULT((enum vm_status)IMM, 0);

fault:
    state->fault_slot = (uint32_t)(cell - cells);
    state->fault_address = address;
    state->budget = budget;
    *result = 0;
    return status;
#else
    status = VM_FAULT_INSN;
#endif

done:
#if CHECKED
    state->budget = budget;
#endif
    *result = regs[0];
    return status;
}

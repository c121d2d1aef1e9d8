/*
 * Machines, and runs of a program on them: a batch goes through its packets without coming back to the
 * caller.
 */
#define _GNU_SOURCE
#include "state.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static uint64_t clock_ns(clockid_t clock) {
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint32_t current_cpu(void) {
    const int cpu = sched_getcpu();

    return cpu < 0 ? 0 : (uint32_t)cpu;
}

enum vm_status vm_machine_create(uint64_t seed, struct vm_machine **machine) {
    struct vm_machine *made = calloc(1, sizeof(*made));

    *machine = NULL;
    if (!made)
        return VM_NO_MEMORY;
    if (seed == 0 && getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
        seed = clock_ns(CLOCK_MONOTONIC);
    made->random = seed ? seed : 1;
    made->state.machine = made;
    *machine = made;
    return VM_OK;
}

void vm_machine_destroy(struct vm_machine *machine) {
    vm_machine_forget(machine);
    free(machine);
}

const uint8_t *vm_trace_text(const struct vm_machine *machine, uint32_t *size, uint64_t *dropped) {
    *size = machine->trace_used;
    *dropped = machine->trace_dropped;
    return machine->trace;
}

void vm_trace_clear(struct vm_machine *machine) {
    machine->trace_used = 0;
    machine->trace_dropped = 0;
}

/* Executes the program `repeat` times on the state as it is. */
static enum vm_status run_rounds(struct vm_state *state, struct vm_run *run, uint32_t repeat,
                                 uint64_t budget) {
    const bool is_checked = state->machine->prog->is_checked;
    enum vm_status status = VM_OK;
    uint64_t result = 0;
    const uint64_t start = clock_ns(CLOCK_MONOTONIC);

    run->insn_count = 0;
    for (uint32_t round = 0; round < repeat && status == VM_OK; round++) {
        state->budget = budget;
        state->prog = state->machine->prog;
        status = is_checked ? vm_interp_checked(state, &result) : vm_interp_plain(state, &result);
        run->insn_count += is_checked ? budget - state->budget : 0;
    }
    run->duration_ns = (clock_ns(CLOCK_MONOTONIC) - start) / repeat;
    run->retval = (uint32_t)result;
    run->status = status;
    run->fault_slot = status ? state->fault_slot : 0;
    run->fault_address = status ? state->fault_address : 0;
    run->fault_prog = status ? state->prog->id : 0;
    vm_packet_end(state, run);
    return status;
}

static enum vm_status run_one(struct vm_state *state, struct vm_run *run, uint64_t budget) {
    state->prog = state->machine->prog;
    run->status = vm_packet_begin(state, run);
    if (run->status)
        return (enum vm_status)run->status;
    state->redirect_ifindex = 0;
    state->redirect_flags = 0;
    state->cpu = current_cpu();
    state->stack_low = state->machine->stack;
    state->stack_high = state->machine->stack + sizeof(state->machine->stack);
    return run_rounds(state, run, 1, budget);
}

static void settle(const struct vm_prog *prog) {
    for (uint32_t index = 0; index < prog->map_count; index++)
        vm_map_settle(prog->maps[index]);
}

static void settle_target(const struct vm_target *target) {
    if (target->what == NULL)
        return;
    if (target->holder->holds == VM_HOLDS_PROGS)
        settle(target->what);
    else
        vm_map_settle(target->what);
}

enum vm_status vm_run_batch(struct vm_machine *machine, const struct vm_prog *prog, struct vm_run *runs,
                            uint32_t count, uint64_t budget) {
    enum vm_status first = VM_OK;

    machine->prog = prog;
    if (prog->is_checked)
        memset(machine->stack, 0, sizeof(machine->stack));
    settle(prog);
    for (uint32_t index = 0; index < machine->target_space; index++)
        settle_target(&machine->targets[index]);
    for (uint32_t index = 0; index < count; index++) {
        const enum vm_status status = run_one(&machine->state, &runs[index], budget);

        if (first == VM_OK)
            first = status;
    }
    return first;
}

enum vm_status vm_run_again(struct vm_machine *machine, struct vm_run *run, uint32_t repeat,
                            uint64_t budget) {
    return run_rounds(&machine->state, run, repeat, budget);
}

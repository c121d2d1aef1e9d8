/*
 * Tail calls and inner maps: from the id in a slot to what this process has opened for it.
 *
 *     slot of a prog array or map of maps    holds an id, in memory shared with others
 *     machine->targets                       (holder, id) -> struct vm_prog or struct vm_map of this process
 *     machine->resolve                       asked the first time; opens, checks, and for a program verifies
 *
 * The holder is part of the key because a map is only fit for the outer map whose inner maps are like it. An
 * id is never given twice, so an answer stays right; a slot is read anew at each use, so changes by others
 * count at once. Only the first use of an id allocates and calls out.
 */
#include "state.h"

#include <stdlib.h>

#define FIRST_SPACE 16

void vm_machine_set_resolver(struct vm_machine *machine, vm_resolve_fn resolve, void *resolver) {
    machine->resolve = resolve;
    machine->resolver = resolver;
}

uint32_t vm_machine_target_count(const struct vm_machine *machine) {
    return machine->target_count;
}

void vm_machine_forget(struct vm_machine *machine) {
    if (machine == NULL)
        return;
    free(machine->targets);
    machine->targets = NULL;
    machine->target_count = 0;
    machine->target_space = 0;
}

/* Where this id is in the table, or would be. */
static struct vm_target *place_of(struct vm_target *targets, uint32_t space, const struct vm_map *holder,
                                  uint32_t id) {
    uint64_t hash = ((uint64_t)(uintptr_t)holder >> 4 ^ id) * 0x9e3779b97f4a7c15u;
    uint32_t at = (uint32_t)(hash >> 32) & (space - 1);

    while (targets[at].what && (targets[at].holder != holder || targets[at].id != id))
        at = (at + 1) & (space - 1);
    return &targets[at];
}

static bool make_space(struct vm_machine *machine) {
    const uint32_t space = machine->target_space ? machine->target_space * 2 : FIRST_SPACE;
    struct vm_target *targets;

    if ((machine->target_count + 1) * 2 <= machine->target_space)
        return true;
    targets = calloc(space, sizeof(*targets));
    if (targets == NULL)
        return false;
    for (uint32_t index = 0; index < machine->target_space; index++) {
        const struct vm_target *old = &machine->targets[index];

        if (old->what)
            *place_of(targets, space, old->holder, old->id) = *old;
    }
    free(machine->targets);
    machine->targets = targets;
    machine->target_space = space;
    return true;
}

static void *resolve(struct vm_machine *machine, const struct vm_map *holder, uint32_t id) {
    struct vm_target *place;
    void *what;

    if (machine->target_space) {
        place = place_of(machine->targets, machine->target_space, holder, id);
        if (place->what)
            return place->what;
    }
    if (!machine->resolve || !make_space(machine))
        return NULL;
    what = machine->resolve(machine->resolver, (uint64_t)(uintptr_t)holder, id);
    if (what == NULL)
        return NULL;
    place = place_of(machine->targets, machine->target_space, holder, id);
    *place = (struct vm_target){.holder = holder, .what = what, .id = id};
    machine->target_count++;
    return what;
}

static uint32_t id_in(const void *value) {
    return value ? __atomic_load_n((const uint32_t *)value, __ATOMIC_ACQUIRE) : 0;
}

const struct vm_prog *vm_tail_target(struct vm_state *state, const struct vm_map *array, uint32_t index) {
    uint32_t id;

    if (index >= array->def.max_entries)
        return NULL;
    id = id_in(array->values + index * array->elem_stride);
    return id ? resolve(state->machine, array, id) : NULL;
}

void *vm_inner_map(struct vm_state *state, const struct vm_map *outer, const void *value) {
    const uint32_t id = id_in(value);

    return id ? resolve(state->machine, outer, id) : NULL;
}

/* The interpreter of unverified programs. */
#define CHECKED 1
#include "interp.h"

const int32_t *vm_handlers_checked(void) {
    const int32_t *handlers = NULL;

    interpret(NULL, NULL, &handlers);
    return handlers;
}

enum vm_status vm_interp_checked(struct vm_state *state, uint64_t *result) {
    return interpret(state, result, NULL);
}

/* The interpreter of verified programs. */
#define CHECKED 0
#include "interp.h"

const int32_t *vm_handlers_plain(void) {
    const int32_t *handlers = NULL;

    interpret(NULL, NULL, &handlers);
    return handlers;
}

enum vm_status vm_interp_plain(struct vm_state *state, uint64_t *result) {
    return interpret(state, result, NULL);
}

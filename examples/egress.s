# egress.s: count what goes out, by protocol, in the shared map acc (see count.inc).
    .license "GPL"
    .section tc, "ax", @progbits
    .globl egress
    .type egress, @function
egress:
    r9 = 8                          # first slot of this direction
    .include "count.inc"
    .size egress, . - egress

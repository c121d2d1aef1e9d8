# ingress.s: count what comes in, by protocol, in the shared map acc (see count.inc).
    .license "GPL"
    .section tc, "ax", @progbits
    .globl ingress
    .type ingress, @function
ingress:
    r9 = 0                          # first slot of this direction
    .include "count.inc"
    .size ingress, . - ingress

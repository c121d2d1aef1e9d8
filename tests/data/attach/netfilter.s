# netfilter.s: accepts everything
    .license "GPL"
    .section netfilter, "ax", @progbits
    .globl accept
    .type accept, @function
accept:
    r0 = 1                          # NF_ACCEPT
    exit
    .size accept, . - accept

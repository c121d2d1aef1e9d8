# xdp.s: passes everything; -D FRAGS=1 in fragments too
    .license "GPL"
    .ifdef FRAGS
    .section xdp.frags, "ax", @progbits
    .else
    .section xdp, "ax", @progbits
    .endif
    .globl pass
    .type pass, @function
pass:
    r0 = 2                          # XDP_PASS
    exit
    .size pass, . - pass

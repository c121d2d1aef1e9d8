# A helper that may move the packet makes every packet pointer worthless.
.section tc, "ax"
.globl prog
prog:
    r6 = r1
    r7 = *(u32 *)(r1 + 76)
    r8 = *(u32 *)(r1 + 80)
    r9 = r7
    r9 += 14
    r0 = 0
    if r9 > r8 goto out
    r2 = 64
    call 39
    r0 = *(u8 *)(r7 + 0)   # reject: R7 invalid mem access 'scalar'
out:
    exit
.license "GPL"

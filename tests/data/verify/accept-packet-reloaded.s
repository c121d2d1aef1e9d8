# accept
# After a helper that may move the packet its pointers are loaded anew.
.section tc, "ax"
.globl prog
prog:
    r6 = r1
    r2 = 64
    call 39
    r7 = *(u32 *)(r6 + 76)
    r8 = *(u32 *)(r6 + 80)
    r0 = 0
    r9 = r7
    r9 += 1
    if r9 > r8 goto out
    r0 = *(u8 *)(r7 + 0)
out:
    exit
.license "GPL"

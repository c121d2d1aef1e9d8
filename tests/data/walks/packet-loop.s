# kernel: accept processed=101 total_states=4 peak_states=4 max_states_per_insn=1
.section tc,"ax"
main:
r6 = *(u32 *)(r1 + 76)
r7 = *(u32 *)(r1 + 80)
r8 = 0
again:
r2 = r6
r2 += 4
if r2 > r7 goto out
r3 = *(u8 *)(r6 + 3)
r6 = r2
r8 += 1
if r8 < 12 goto again
out:
r0 = 0
exit
.license "GPL"

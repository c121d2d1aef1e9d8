# kernel: accept processed=20 total_states=2 peak_states=2 max_states_per_insn=0
.section tc,"ax"
main:
r1 = r10
r1 += -8
call fill
r1 = *(u64 *)(r10 - 8)
r0 = 0
if r1 > 10 goto out
r2 = r10
r2 += -32
r2 += r1
r3 = 0
*(u8 *)(r2 + 0) = r3
out:
r0 = 0
exit
fill:
r6 = r1
call 7
*(u64 *)(r6 + 0) = r0
r0 = 0
exit
.license "GPL"

# kernel: accept processed=18 total_states=1 peak_states=1 max_states_per_insn=0
.section tc,"ax"
main:
call 7
r6 = r0
r7 = r6
r7 += 4
r8 = r6
if r6 > 8 goto out
r1 = r10
r1 += -32
r1 += r7
r2 = 0
*(u8 *)(r1 + 0) = r2
r1 = r10
r1 += -32
r1 += r8
*(u8 *)(r1 + 0) = r2
out:
r0 = 0
exit
.license "GPL"

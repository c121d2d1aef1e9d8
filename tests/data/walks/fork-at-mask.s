# kernel: accept processed=18 total_states=0 peak_states=0 max_states_per_insn=0
.section tc,"ax"
main:
call 7
r0 s>>= 63
r0 &= 8
r1 = r10
r1 += -16
r1 += r0
r2 = 0
*(u64 *)(r1 + 0) = r2
r0 = 0
exit
.license "GPL"

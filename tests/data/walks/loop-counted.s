# kernel: accept processed=304 total_states=6 peak_states=6 max_states_per_insn=4
.section tc,"ax"
main:
r6 = 0
r7 = 0
again:
r7 += r6
r6 += 1
if r6 < 100 goto again
r0 = 0
exit
.license "GPL"

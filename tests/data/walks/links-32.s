# kernel: accept processed=13 total_states=1 peak_states=1 max_states_per_insn=0
.section tc,"ax"
main:
call 7
w6 = w0
w7 = w6
w7 += 4
if w6 > 8 goto out
r1 = r10
r1 += -32
r1 += r7
r2 = 0
*(u8 *)(r1 + 0) = r2
out:
r0 = 0
exit
.license "GPL"

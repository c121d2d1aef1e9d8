# kernel: accept processed=30 total_states=2 peak_states=2 max_states_per_insn=0
.section tc,"ax"
main:
call 7
r6 = r0
r1 = 1
call pick
r7 = r0
if r6 > 3 goto a
r1 = 2
call pick
r7 += r0
a:
r1 = r10
r1 += -16
r1 += r7
r2 = 0
*(u8 *)(r1 + 0) = r2
r0 = 0
exit
pick:
r0 = r1
if r1 > 1 goto big
r0 += 1
big:
exit
.license "GPL"

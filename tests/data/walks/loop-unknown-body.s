# kernel: accept processed=1290 total_states=80 peak_states=32 max_states_per_insn=16
.section tc,"ax"
main:
r6 = 0
again:
call 7
if r0 > 5 goto odd
r8 = 1
goto next
odd:
r8 = 2
next:
r6 += 1
if r6 < 50 goto again
r0 = 0
exit
.license "GPL"

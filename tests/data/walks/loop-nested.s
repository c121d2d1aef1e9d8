# kernel: accept processed=1641 total_states=109 peak_states=38 max_states_per_insn=15
.section tc,"ax"
main:
r6 = 0
outer:
r7 = 0
inner:
call 7
if r0 == 3 goto skip
r8 = r0
skip:
r7 += 1
if r7 < 10 goto inner
r6 += 1
if r6 < 10 goto outer
r0 = 0
exit
.license "GPL"

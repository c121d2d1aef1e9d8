# kernel: accept processed=22 total_states=2 peak_states=2 max_states_per_insn=0
.section tc,"ax"
main:
call 7
r6 = 1
if r0 > 5 goto a
r6 = 2
a:
*(u64 *)(r10 - 8) = r6
call 7
if r0 > 6 goto b
call 7
b:
call 7
if r0 > 7 goto c
call 7
c:
r0 = 0
exit
.license "GPL"

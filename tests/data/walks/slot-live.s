# kernel: accept processed=56 total_states=5 peak_states=5 max_states_per_insn=1
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
r1 = *(u64 *)(r10 - 8)
r2 = r10
r2 += -32
r2 += r1
r3 = 0
*(u8 *)(r2 + 0) = r3
r0 = 0
exit
.license "GPL"

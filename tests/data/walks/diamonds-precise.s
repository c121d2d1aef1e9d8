# kernel: accept processed=58 total_states=5 peak_states=5 max_states_per_insn=1
.section tc,"ax"
main:
call 7
r6 = r0
r7 = 0
if r6 > 1 goto a
r7 += 1
a:
if r6 > 2 goto b
r7 += 1
b:
if r6 > 3 goto c
r7 += 1
c:
if r6 > 4 goto d
r7 += 1
d:
r8 = r10
r8 += -16
r8 += r7
r1 = 0
*(u8 *)(r8 + 0) = r1
r0 = 0
exit
.license "GPL"

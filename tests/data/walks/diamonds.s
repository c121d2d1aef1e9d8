# kernel: accept processed=53 total_states=6 peak_states=6 max_states_per_insn=2
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
if r6 > 5 goto e
r7 += 1
e:
if r6 > 6 goto f
r7 += 1
f:
r0 = 0
exit
.license "GPL"

# This type of program may answer 0 or 1.
.section cgroup/dev, "ax"
.globl prog
prog:
    r0 = 2
    exit   # reject: At program exit the register R0 has smin=2 smax=2 should have been in [0, 1]
.license "GPL"

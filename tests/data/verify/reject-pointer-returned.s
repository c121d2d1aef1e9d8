# This type of program answers 0 or 1, and gets an address.
.section cgroup/dev, "ax"
.globl prog
prog:
    r0 = r1
    exit   # reject: At program exit the register R0 is not a known value (ctx)
.license "GPL"

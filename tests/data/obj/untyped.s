# Functions without symbol type or size, as clang wrote them before version 7: global labels begin functions, local ones do not.
	.section "classifier","ax",@progbits
	.globl	first
first:
	r0 = 0
LBB0_1:
	if r1 == 0 goto LBB0_1
	exit
	.globl	second
second:
	r1 = table ll
	r0 = *(u32 *)(r1 + 0)
	exit
	.section "xdp","ax",@progbits
local:
	call first_text
	exit
	.text
first_text:
	r0 = 2
	exit
	.section ".rodata","a",@progbits
	.globl	table
table:
	.long 1
	.long 2
	.section "license","aw",@progbits
	.ascii "GPL"

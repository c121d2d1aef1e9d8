	.text
	.file	"p05_switch.c"
	.section	xdp.frags,"ax",@progbits
	.globl	sw                              # -- Begin function sw
	.p2align	3
	.type	sw,@function
sw:                                     # @sw
# %bb.0:
	r1 = *(u32 *)(r1 + 16)
	if r1 s> 4 goto LBB0_5
# %bb.1:
	if r1 s> 1 goto LBB0_9
# %bb.2:
	r0 = 2
	if r1 == 0 goto LBB0_24
# %bb.3:
	if r1 == 1 goto LBB0_4
	goto LBB0_22
LBB0_5:
	if r1 s> 6 goto LBB0_13
# %bb.6:
	if r1 == 5 goto LBB0_17
# %bb.7:
	if r1 == 6 goto LBB0_8
	goto LBB0_22
LBB0_8:
	r1 = 2
	goto LBB0_18
LBB0_9:
	if r1 == 2 goto LBB0_19
# %bb.10:
	if r1 == 3 goto LBB0_23
# %bb.11:
	if r1 == 4 goto LBB0_4
	goto LBB0_22
LBB0_4:
	r0 = r1
	goto LBB0_24
LBB0_13:
	if r1 == 7 goto LBB0_4
# %bb.14:
	if r1 == 8 goto LBB0_21
# %bb.15:
	if r1 == 9 goto LBB0_16
	goto LBB0_22
LBB0_16:
	r0 = 1
	goto LBB0_24
LBB0_17:
	r1 = 1
LBB0_18:
	r2 = 0
	call 23
	goto LBB0_24
LBB0_19:
	r0 = 3
	goto LBB0_24
LBB0_21:
	r0 = 99
	goto LBB0_24
LBB0_22:
	call 8
	r1 = r0
	r1 <<= 32
	r1 >>= 32
	r0 = 1
	if r1 == 0 goto LBB0_24
LBB0_23:
	r0 = 0
LBB0_24:
	exit
.Lfunc_end0:
	.size	sw, .Lfunc_end0-sw
                                        # -- End function
	.type	LICENSE,@object                 # @LICENSE
	.section	license,"aw",@progbits
	.globl	LICENSE
LICENSE:
	.asciz	"GPL"
	.size	LICENSE, 4

	.addrsig
	.addrsig_sym sw
	.addrsig_sym LICENSE

	.text
	.file	"p05_switch.c"
	.section	xdp.frags,"ax",@progbits
	.globl	sw                              # -- Begin function sw
	.p2align	3
	.type	sw,@function
sw:                                     # @sw
# %bb.0:
	w1 = *(u32 *)(r1 + 16)
	if w1 s> 4 goto LBB0_5
# %bb.1:
	if w1 s> 1 goto LBB0_9
# %bb.2:
	w0 = 2
	if w1 == 0 goto LBB0_24
# %bb.3:
	if w1 == 1 goto LBB0_4
	goto LBB0_22
LBB0_5:
	if w1 s> 6 goto LBB0_13
# %bb.6:
	if w1 == 5 goto LBB0_17
# %bb.7:
	if w1 == 6 goto LBB0_8
	goto LBB0_22
LBB0_8:
	w1 = 2
	goto LBB0_18
LBB0_9:
	if w1 == 2 goto LBB0_19
# %bb.10:
	if w1 == 3 goto LBB0_23
# %bb.11:
	if w1 == 4 goto LBB0_4
	goto LBB0_22
LBB0_4:
	w0 = w1
	goto LBB0_24
LBB0_13:
	if w1 == 7 goto LBB0_4
# %bb.14:
	if w1 == 8 goto LBB0_21
# %bb.15:
	if w1 == 9 goto LBB0_16
	goto LBB0_22
LBB0_16:
	w0 = 1
	goto LBB0_24
LBB0_17:
	w1 = 1
LBB0_18:
	r2 = 0
	call 23
	goto LBB0_24
LBB0_19:
	w0 = 3
	goto LBB0_24
LBB0_21:
	w0 = 99
	goto LBB0_24
LBB0_22:
	call 8
	w1 = w0
	w0 = 1
	if w1 == 0 goto LBB0_24
LBB0_23:
	w0 = 0
LBB0_24:
                                        # kill: def $w0 killed $w0 killed $r0
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

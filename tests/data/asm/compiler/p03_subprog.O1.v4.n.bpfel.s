	.text
	.file	"p03_subprog.c"
	.globl	gfun                            # -- Begin function gfun
	.p2align	3
	.type	gfun,@function
gfun:                                   # @gfun
# %bb.0:
	w0 = 0
	if r1 == 0 goto LBB0_6
# %bb.1:
	w0 = *(u32 *)(r1 + 68)
	if w2 s< 1 goto LBB0_5
# %bb.2:
	r6 = 0
	r7 = w2
	r8 = 0
LBB0_3:                                 # =>This Inner Loop Header: Depth=1
	r1 = r0
	r2 = r6
	call mix
	r8 += 1
	if r8 >= r7 goto LBB0_5
# %bb.4:                                #   in Loop: Header=BB0_3 Depth=1
	r1 = r6
	r6 = r8
	if r1 < 15 goto LBB0_3
LBB0_5:
	r0 >>= 32
LBB0_6:
                                        # kill: def $w0 killed $w0 killed $r0
	exit
.Lfunc_end0:
	.size	gfun, .Lfunc_end0-gfun
                                        # -- End function
	.p2align	3                               # -- Begin function mix
	.type	mix,@function
mix:                                    # @mix
# %bb.0:
	r0 = r2
	r2 = -7046029254386353131 ll
	r0 *= r2
	r0 ^= r1
	r1 = r0
	r1 >>= 33
	r0 <<= 31
	r0 |= r1
	r1 = -4658895280553007687 ll
	r0 *= r1
	exit
.Lfunc_end1:
	.size	mix, .Lfunc_end1-mix
                                        # -- End function
	.weak	wfun                            # -- Begin function wfun
	.p2align	3
	.type	wfun,@function
wfun:                                   # @wfun
# %bb.0:
	w0 = w1
	w0 *= 3
	exit
.Lfunc_end2:
	.size	wfun, .Lfunc_end2-wfun
                                        # -- End function
	.section	"tc/in","ax",@progbits
	.globl	ingress                         # -- Begin function ingress
	.p2align	3
	.type	ingress,@function
ingress:                                # @ingress
# %bb.0:
	w2 = 8
	call gfun
	w0 ^= -1
	w0 <<= 1
	w0 &= 2
	exit
.Lfunc_end3:
	.size	ingress, .Lfunc_end3-ingress
                                        # -- End function
	.section	"tc/out","ax",@progbits
	.globl	egress                          # -- Begin function egress
	.p2align	3
	.type	egress,@function
egress:                                 # @egress
# %bb.0:
	w2 = 4
	call gfun
	w1 = w0
	call wfun
	w0 ^= -1
	w0 <<= 1
	w0 &= 2
	exit
.Lfunc_end4:
	.size	egress, .Lfunc_end4-egress
                                        # -- End function
	.type	LICENSE,@object                 # @LICENSE
	.section	license,"aw",@progbits
	.globl	LICENSE
LICENSE:
	.asciz	"GPL"
	.size	LICENSE, 4

	.addrsig
	.addrsig_sym ingress
	.addrsig_sym egress
	.addrsig_sym LICENSE

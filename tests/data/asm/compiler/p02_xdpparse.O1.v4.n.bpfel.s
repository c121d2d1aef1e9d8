	.text
	.file	"p02_xdpparse.c"
	.section	xdp,"ax",@progbits
	.globl	parse                           # -- Begin function parse
	.p2align	3
	.type	parse,@function
parse:                                  # @parse
# %bb.0:
	w0 = 2
	w6 = *(u32 *)(r1 + 4)
	w7 = *(u32 *)(r1 + 0)
	r1 = r7
	r1 += 14
	if r1 > r6 goto LBB0_18
# %bb.1:
	w1 = *(u8 *)(r7 + 12)
	w2 = *(u8 *)(r7 + 13)
	w2 <<= 8
	w2 |= w1
	if w2 != 8 goto LBB0_18
# %bb.2:
	w0 = 1
	r1 = r7
	r1 += 34
	if r1 > r6 goto LBB0_18
# %bb.3:
	*(u64 *)(r10 - 8) = 0
	*(u64 *)(r10 - 16) = 0
	w1 = *(u32 *)(r7 + 26)
	*(u32 *)(r10 - 16) = w1
	w1 = *(u32 *)(r7 + 30)
	*(u32 *)(r10 - 12) = w1
	w0 = 0
	w1 = *(u8 *)(r7 + 23)
	*(u8 *)(r10 - 4) = w1
	w2 = *(u8 *)(r7 + 14)
	w2 &= 15
	if w2 != 5 goto LBB0_18
# %bb.4:
	if w1 == 17 goto LBB0_9
# %bb.5:
	if w1 != 6 goto LBB0_14
# %bb.6:
	r2 = r7
	r2 += 54
	w1 = 1
	if r2 > r6 goto LBB0_8
# %bb.7:
	w1 = 0
LBB0_8:
	if r2 > r6 goto LBB0_13
	goto LBB0_12
LBB0_9:
	r2 = r7
	r2 += 42
	w1 = 1
	if r2 > r6 goto LBB0_11
# %bb.10:
	w1 = 0
LBB0_11:
	if r2 > r6 goto LBB0_13
LBB0_12:
	w2 = *(u16 *)(r7 + 34)
	*(u16 *)(r10 - 8) = w2
	w2 = *(u16 *)(r7 + 36)
	*(u16 *)(r10 - 6) = w2
LBB0_13:
	w0 = 1
	w1 &= 1
	if w1 != 0 goto LBB0_18
LBB0_14:
	r2 = r10
	r2 += -16
	r1 = ct ll
	call 1
	if r0 == 0 goto LBB0_16
# %bb.15:
	r1 = 1
	lock *(u64 *)(r0 + 0) += r1
	r6 -= r7
	lock *(u64 *)(r0 + 8) += r6
	r6 = r0
	call 5
	*(u64 *)(r6 + 16) = r0
	goto LBB0_17
LBB0_16:
	r6 -= r7
	*(u64 *)(r10 - 32) = r6
	*(u64 *)(r10 - 40) = 1
	call 5
	*(u64 *)(r10 - 24) = r0
	r2 = r10
	r2 += -16
	r3 = r10
	r3 += -40
	r1 = ct ll
	r4 = 1
	call 2
LBB0_17:
	w0 = 2
LBB0_18:
	exit
.Lfunc_end0:
	.size	parse, .Lfunc_end0-parse
                                        # -- End function
	.type	LICENSE,@object                 # @LICENSE
	.section	license,"aw",@progbits
	.globl	LICENSE
LICENSE:
	.asciz	"GPL"
	.size	LICENSE, 4

	.type	ct,@object                      # @ct
	.section	.maps,"aw",@progbits
	.globl	ct
	.p2align	3, 0x0
ct:
	.zero	32
	.size	ct, 32

	.addrsig
	.addrsig_sym parse
	.addrsig_sym LICENSE
	.addrsig_sym ct

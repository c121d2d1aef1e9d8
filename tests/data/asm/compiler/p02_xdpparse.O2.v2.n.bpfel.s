	.text
	.file	"p02_xdpparse.c"
	.section	xdp,"ax",@progbits
	.globl	parse                           # -- Begin function parse
	.p2align	3
	.type	parse,@function
parse:                                  # @parse
# %bb.0:
	r0 = 2
	r6 = *(u32 *)(r1 + 4)
	r7 = *(u32 *)(r1 + 0)
	r1 = r7
	r1 += 14
	if r1 > r6 goto LBB0_13
# %bb.1:
	r1 = *(u8 *)(r7 + 12)
	r2 = *(u8 *)(r7 + 13)
	r2 <<= 8
	r2 |= r1
	if r2 != 8 goto LBB0_13
# %bb.2:
	r0 = 1
	r1 = r7
	r1 += 34
	if r1 > r6 goto LBB0_13
# %bb.3:
	r0 = 0
	*(u32 *)(r10 - 4) = r0
	*(u32 *)(r10 - 8) = r0
	r1 = *(u32 *)(r7 + 26)
	*(u32 *)(r10 - 16) = r1
	r1 = *(u32 *)(r7 + 30)
	*(u32 *)(r10 - 12) = r1
	r1 = *(u8 *)(r7 + 23)
	*(u8 *)(r10 - 4) = r1
	r2 = *(u8 *)(r7 + 14)
	r2 &= 15
	if r2 != 5 goto LBB0_13
# %bb.4:
	if r1 == 17 goto LBB0_7
# %bb.5:
	if r1 != 6 goto LBB0_9
# %bb.6:
	r0 = 1
	r1 = r7
	r1 += 54
	if r1 > r6 goto LBB0_13
	goto LBB0_8
LBB0_7:
	r0 = 1
	r1 = r7
	r1 += 42
	if r1 > r6 goto LBB0_13
LBB0_8:
	r1 = *(u16 *)(r7 + 34)
	*(u16 *)(r10 - 8) = r1
	r1 = *(u16 *)(r7 + 36)
	*(u16 *)(r10 - 6) = r1
LBB0_9:
	r2 = r10
	r2 += -16
	r1 = ct ll
	call 1
	if r0 == 0 goto LBB0_11
# %bb.10:
	r1 = 1
	lock *(u64 *)(r0 + 0) += r1
	r6 -= r7
	lock *(u64 *)(r0 + 8) += r6
	r6 = r0
	call 5
	*(u64 *)(r6 + 16) = r0
	goto LBB0_12
LBB0_11:
	r6 -= r7
	*(u64 *)(r10 - 32) = r6
	r1 = 1
	*(u64 *)(r10 - 40) = r1
	call 5
	*(u64 *)(r10 - 24) = r0
	r2 = r10
	r2 += -16
	r3 = r10
	r3 += -40
	r1 = ct ll
	r4 = 1
	call 2
LBB0_12:
	r0 = 2
LBB0_13:
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

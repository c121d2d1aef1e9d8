	.text
	.file	"p01_count.c"
	.section	tc,"ax",@progbits
	.globl	count                           # -- Begin function count
	.p2align	3
	.type	count,@function
count:                                  # @count
# %bb.0:
	r6 = r1
	w1 = *(u32 *)(r6 + 40)
	*(u32 *)(r10 - 4) = w1
	*(u64 *)(r10 - 16) = 1
	r2 = r10
	r2 += -4
	r1 = flows ll
	call 1
	if r0 == 0 goto LBB0_2
# %bb.1:
	w1 = *(u32 *)(r6 + 0)
	lock *(u64 *)(r0 + 0) += r1
	goto LBB0_3
LBB0_2:
	r2 = r10
	r2 += -4
	r3 = r10
	r3 += -16
	r1 = flows ll
	r4 = 0
	call 2
LBB0_3:
	w1 = *(u32 *)(r6 + 16)
	w1 &= 255
	*(u32 *)(r10 - 20) = w1
	r2 = r10
	r2 += -20
	r1 = protos ll
	call 1
	if r0 == 0 goto LBB0_5
# %bb.4:
	r1 = *(u64 *)(r0 + 0)
	r1 += 1
	*(u64 *)(r0 + 0) = r1
LBB0_5:
	w0 = 0
	exit
.Lfunc_end0:
	.size	count, .Lfunc_end0-count
                                        # -- End function
	.type	LICENSE,@object                 # @LICENSE
	.section	license,"aw",@progbits
	.globl	LICENSE
LICENSE:
	.asciz	"GPL"
	.size	LICENSE, 4

	.type	flows,@object                   # @flows
	.section	.maps,"aw",@progbits
	.globl	flows
	.p2align	3, 0x0
flows:
	.zero	40
	.size	flows, 40

	.type	protos,@object                  # @protos
	.globl	protos
	.p2align	3, 0x0
protos:
	.zero	32
	.size	protos, 32

	.addrsig
	.addrsig_sym count
	.addrsig_sym LICENSE
	.addrsig_sym flows
	.addrsig_sym protos

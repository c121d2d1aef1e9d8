	.text
	.file	"p06_ring.c"
	.section	"tracepoint/syscalls/sys_enter_openat","ax",@progbits
	.globl	tp                              # -- Begin function tp
	.p2align	3
	.type	tp,@function
tp:                                     # @tp
# %bb.0:
	r8 = 0
	r1 = rb ll
	r2 = 96
	r3 = 0
	call 131
	r6 = r0
	if r6 == 0 goto LBB0_2
# %bb.1:
	call 14
	r7 = r0
	r9 = r7
	r9 >>= 32
	call 5
	*(u32 *)(r6 + 12) = r9
	*(u32 *)(r6 + 8) = r7
	*(u64 *)(r6 + 0) = r0
	r1 = r6
	r1 += 16
	r2 = 16
	call 16
	*(u64 *)(r6 + 32) = r8
	*(u64 *)(r6 + 40) = r8
	*(u64 *)(r6 + 48) = r8
	*(u64 *)(r6 + 56) = r8
	*(u64 *)(r6 + 64) = r8
	*(u64 *)(r6 + 72) = r8
	*(u64 *)(r6 + 80) = r8
	*(u64 *)(r6 + 88) = r8
	r1 = r6
	r2 = 0
	call 132
LBB0_2:
	r0 = 0
	exit
.Lfunc_end0:
	.size	tp, .Lfunc_end0-tp
                                        # -- End function
	.type	LICENSE,@object                 # @LICENSE
	.section	license,"aw",@progbits
	.globl	LICENSE
LICENSE:
	.asciz	"GPL"
	.size	LICENSE, 4

	.type	rb,@object                      # @rb
	.section	.maps,"aw",@progbits
	.globl	rb
	.p2align	3, 0x0
rb:
	.zero	16
	.size	rb, 16

	.addrsig
	.addrsig_sym tp
	.addrsig_sym LICENSE
	.addrsig_sym rb

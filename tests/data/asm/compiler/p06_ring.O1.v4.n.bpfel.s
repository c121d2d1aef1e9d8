	.text
	.file	"p06_ring.c"
	.section	"tracepoint/syscalls/sys_enter_openat","ax",@progbits
	.globl	tp                              # -- Begin function tp
	.p2align	3
	.type	tp,@function
tp:                                     # @tp
# %bb.0:
	r1 = rb ll
	r2 = 96
	r3 = 0
	call 131
	r6 = r0
	if r6 == 0 goto LBB0_2
# %bb.1:
	call 14
	r7 = r0
	r8 = r7
	r8 >>= 32
	call 5
	*(u32 *)(r6 + 12) = w8
	*(u32 *)(r6 + 8) = w7
	*(u64 *)(r6 + 0) = r0
	r1 = r6
	r1 += 16
	w2 = 16
	call 16
	*(u64 *)(r6 + 32) = 0
	*(u64 *)(r6 + 40) = 0
	*(u64 *)(r6 + 48) = 0
	*(u64 *)(r6 + 56) = 0
	*(u64 *)(r6 + 64) = 0
	*(u64 *)(r6 + 72) = 0
	*(u64 *)(r6 + 80) = 0
	*(u64 *)(r6 + 88) = 0
	r1 = r6
	r2 = 0
	call 132
LBB0_2:
	w0 = 0
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

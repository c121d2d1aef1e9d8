	.text
	.file	"p08_ext.c"
	.section	tc,"ax",@progbits
	.globl	ext                             # -- Begin function ext
	.p2align	3
	.type	ext,@function
ext:                                    # @ext
# %bb.0:
	call bpf_rcu_read_lock
	call bpf_rcu_read_unlock
	w6 = 0
	r1 = bpf_prog_active ll
	w2 = 0
	call 153
	if r0 == 0 goto LBB0_2
# %bb.1:
	w6 = *(u32 *)(r0 + 0)
LBB0_2:
	r1 = LINUX_KERNEL_VERSION ll
	w0 = *(u32 *)(r1 + 0)
	w0 += w6
	r1 = CONFIG_BPF_SYSCALL ll
	w1 = *(u8 *)(r1 + 0)
	w0 += w1
	exit
.Lfunc_end0:
	.size	ext, .Lfunc_end0-ext
                                        # -- End function
	.type	LICENSE,@object                 # @LICENSE
	.section	license,"aw",@progbits
	.globl	LICENSE
LICENSE:
	.asciz	"GPL"
	.size	LICENSE, 4

	.weak	CONFIG_BPF_SYSCALL
	.addrsig
	.addrsig_sym ext
	.addrsig_sym LICENSE
	.addrsig_sym bpf_prog_active

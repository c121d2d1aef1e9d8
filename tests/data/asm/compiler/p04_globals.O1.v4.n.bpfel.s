	.text
	.file	"p04_globals.c"
	.section	socket,"ax",@progbits
	.globl	sk                              # -- Begin function sk
	.p2align	3
	.type	sk,@function
sk:                                     # @sk
# %bb.0:
	r2 = scounter ll
	w3 = *(u32 *)(r2 + 0)
	w3 += 2
	*(u32 *)(r2 + 0) = w3
	r2 = counter ll
	w4 = *(u32 *)(r2 + 0)
	w4 += 1
	*(u32 *)(r2 + 0) = w4
	w6 = *(u32 *)(r1 + 0)
	w2 = w6
	w2 &= 15
	r7 = table ll
	r3 = r2
	r3 <<= 3
	r5 = table ll
	r5 += r3
	r3 = cfg_limit ll
	r3 = *(s32 *)(r3 + 0)
	r0 = *(u64 *)(r5 + 0)
	r0 += r3
	*(u64 *)(r5 + 0) = r0
	w3 = w2
	w3 %= 5
	r5 = bytes ll
	r5 += r3
	w3 = *(u8 *)(r5 + 0)
	r5 = st ll
	r0 = *(u64 *)(r5 + 8)
	r0 += r3
	*(u64 *)(r5 + 8) = r0
	r2 <<= 2
	r3 = zero_arr ll
	r3 += r2
	*(u32 *)(r3 + 0) = 4660
	w3 = *(u32 *)(r1 + 0)
	r1 = sk.____fmt ll
	w2 = 12
	call 6
	w6 += 1
	w6 &= 15
	r6 <<= 3
	r7 += r6
	r1 = *(u64 *)(r7 + 0)
	r2 = ptr ll
	r2 = *(u64 *)(r2 + 0)
	w0 = *(u32 *)(r2 + 0)
	w0 += w1
	exit
.Lfunc_end0:
	.size	sk, .Lfunc_end0-sk
                                        # -- End function
	.type	LICENSE,@object                 # @LICENSE
	.section	license,"aw",@progbits
	.globl	LICENSE
LICENSE:
	.asciz	"GPL"
	.size	LICENSE, 4

	.type	table,@object                   # @table
	.data
	.globl	table
	.p2align	3, 0x0
table:
	.quad	1                               # 0x1
	.quad	2                               # 0x2
	.quad	3                               # 0x3
	.quad	5                               # 0x5
	.quad	8                               # 0x8
	.quad	13                              # 0xd
	.quad	21                              # 0x15
	.quad	34                              # 0x22
	.quad	55                              # 0x37
	.quad	89                              # 0x59
	.quad	144                             # 0x90
	.quad	233                             # 0xe9
	.quad	377                             # 0x179
	.quad	610                             # 0x262
	.quad	987                             # 0x3db
	.quad	1597                            # 0x63d
	.size	table, 128

	.type	cfg_limit,@object               # @cfg_limit
	.section	.rodata,"a",@progbits
	.globl	cfg_limit
	.p2align	2, 0x0
cfg_limit:
	.long	77                              # 0x4d
	.size	cfg_limit, 4

	.type	fmt,@object                     # @fmt
	.globl	fmt
fmt:
	.asciz	"v=%d\n"
	.size	fmt, 6

	.type	bytes,@object                   # @bytes
	.globl	bytes
bytes:
	.ascii	"\001\002\003\004\005"
	.size	bytes, 5

	.type	counter,@object                 # @counter
	.section	.bss,"aw",@nobits
	.globl	counter
	.p2align	2, 0x0
counter:
	.long	0                               # 0x0
	.size	counter, 4

	.type	ptr,@object                     # @ptr
	.data
	.globl	ptr
	.p2align	3, 0x0
ptr:
	.quad	counter
	.size	ptr, 8

	.type	st,@object                      # @st
	.globl	st
	.p2align	3, 0x0
st:
	.long	1                               # 0x1
	.byte	120                             # 0x78
	.zero	3
	.quad	-1                              # 0xffffffffffffffff
	.size	st, 16

	.type	scounter,@object                # @scounter
	.local	scounter
	.comm	scounter,4,4
	.type	zero_arr,@object                # @zero_arr
	.section	.bss,"aw",@nobits
	.globl	zero_arr
	.p2align	2, 0x0
zero_arr:
	.zero	4000
	.size	zero_arr, 4000

	.type	sk.____fmt,@object              # @sk.____fmt
	.section	.rodata,"a",@progbits
sk.____fmt:
	.asciz	"len %d c %d"
	.size	sk.____fmt, 12

	.addrsig
	.addrsig_sym sk
	.addrsig_sym LICENSE
	.addrsig_sym cfg_limit
	.addrsig_sym bytes
	.addrsig_sym counter
	.addrsig_sym sk.____fmt

	r1 = 0x100000000		# error: immediate does not fit in 32 bits: 4294967296
	r1 = -2147483649		# error: immediate does not fit in 32 bits: -2147483649
	r1 = 4294967295
	r1 = *(u8 *)(r2 + 32768)	# error: offset does not fit in 16 bits: 32768
	r1 = *(u8 *)(r2 - 32768)
	goto -32769			# error: offset does not fit in 16 bits: -32769
	r1 <<= 64			# error: shift out of range: 64 (0..63)
	w1 s>>= 32			# error: shift out of range: 32 (0..31)
	r1 = 18446744073709551616 ll	# error: immediate does not fit in 64 bits
	*(u64 *)(r1 + 0) = 0x100000000	# error: immediate does not fit in 32 bits
	call 0x100000000		# error: immediate does not fit in 32 bits
	ld_pseudo r1, 7, 0		# error: kind of a wide load: 7 (0..6)
	.byte 256			# error: number does not fit in 8 bits: 256
	.short -32769			# error: number does not fit in 16 bits
	r1 = 1 / 0			# error: division by zero
	.zero -1			# error: size below zero
	.zero 0x7fffffffffff		# error: grows too large
	.balign 3			# error: alignment is not a power of two: 3

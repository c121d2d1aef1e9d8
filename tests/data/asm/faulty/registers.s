	r11 = 5				# error: unknown register: r11 (r0..r10)
	r1 += w2			# error: registers of different widths
	w1 = *(u64 *)(r2 + 0)		# error: a load of u64 fills a 64-bit register
	*(u64 *)(r1 + 0) = w2		# error: a store of u64 takes a 64-bit register
	r1 = be16 r2			# error: be16 works in place
	r1 = -r2			# error: negation works in place
	if r1 == w2 goto +1		# error: registers of different widths
	r0 = *(u8 *)(w1 + 0)		# error: an address is a 64-bit register: w (r)
	r2 = *(u16 *)skb[5]		# error: a packet load fills r0: 2 (0)
	r1 = cmpxchg_64(r2 + 0, r1, r3)	# error: compares with, and returns in, register 0: 1 (0)
	r2 = atomic_fetch_add((u32 *)(r1 + 0), r2)	# error: atomic_fetch_add works on 32 bits: r (w)
	r2 = atomic_fetch_add((u64 *)(r1 + 0), r3)	# error: both must be the same: 2 and 3
	r0 = 0				; r99 = 1	# error: unknown register: r99
	exit

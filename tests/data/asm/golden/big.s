# options: -EB
	r1 = 0x1122334455667788 ll
	if r1 s> -1 goto +1
	*(u16 *)(r10 - 2) = r1
	.long 1, 0x12345678
	.quad -2
	exit

# options:
.data
start:
	.byte 1, -1, 'a', 0xff
	.short 0x1234, end - start
	.long 1 + 2 * 3, (1 << 4) | 3, ~0
	.quad start, end + 8
	.ascii "a\tb\"\\\101\x42"
	.asciz "one", "two" " three"
	.balign 8
	.zero 3, 0x55
	.fill 2, 2, 0x1122
	.uleb128 300, end - start, later - end
	.sleb128 -3, 64
	.float 1.5
	.double -2.25
	.base64 "aGk="
end:
	.uleb128 later - start
	.skip 200
later:
	.section .rodata.str1.1,"aMS",@progbits,1
	.string "text"
	.bss
	.comm shared, 16, 8
	.lcomm own, 4, 4
	.pushsection license
	.asciz "GPL"
	.popsection
	.zero 4
	.previous

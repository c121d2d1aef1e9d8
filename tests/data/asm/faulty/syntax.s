	foob r1, r2			# error: unknown instruction: foob
	r1 = 5ll			# error: not a number: 5ll
	r1 = 0x				# error: not a number: 0x
	r1 = 08				# error: not a number: 08
	r1 = *(u64 *)r2			# error: a register cannot stand here: r2
	r1 =				# error: statement ends too early
	if 5 == r1 goto +1		# error: unexpected 5
	lock *(u64 *)(r1 + 0) -= r2	# error: no atomic -= of u64
	call r1				# error: a register cannot stand here: r1
	r1 += r2 r3			# error: a register cannot stand here: r3
	1abc: exit			# error: unknown instruction: 1abc
	.xword 1			# error: unknown directive: .xword
	.ln 3				# error: unknown directive: .ln
	.type x, @nonsense		# error: unknown symbol type: nonsense
	.section a,"q"			# error: unknown section flag: q
	.popsection			# error: .popsection without .pushsection
	.err				# error: .err in the source
	.error "on purpose"		# error: .error in the source: on purpose
	.byte 1,,2			# error: unexpected ,
	.ascii "\q"			# error: unknown escape in a string: \q
	.byte 'ab'			# error: character without an end
	add %r1				# error: wrong operands of add: register (register, register or register, number)
	endle %r1, 24			# error: width of endle: 24 (16, 32, 64)
	.cfi_endproc			# error: .cfi_endproc without .cfi_startproc
	.loc 1 2 3			# error: file number is not declared by .file: 1
	exit

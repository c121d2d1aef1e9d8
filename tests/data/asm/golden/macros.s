# options: -DLIMIT=3
.set SIZE, 8
.macro store value, offset=-SIZE
	*(u64 *)(r10 + \offset) = \value
.endm
.macro fill to:req, rest:vararg
	.byte \to, \rest
.endm
	store 5
	store value=7, offset=-16
.rept LIMIT
	r0 += 1
.endr
.irp reg, r1, r2
	\reg = \reg
.endr
.if LIMIT > 2 && SIZE == 8
	r3 = LIMIT * SIZE
.elseif LIMIT
	.err
.else
	.error "not here"
.endif
.ifdef NOTHING
	.err
.endif
	exit
.data
	fill 1, 2, 3
	.irpc digit, 789
	.byte \digit
	.endr

	.macro needs a:req
	r0 = \a
	.endm
	needs					# error: argument of macro needs is missing: a
	needs 1, 2				# error: too many arguments of macro needs: 2 (1)
	needs 1
	.macro needs				# error: macro is defined twice: needs
	.endm
	.rept -1				# error: repeat count below zero
	.endr
	.rept UNKNOWN				# error: not a constant that is known here: UNKNOWN
	.endr
	.endif					# error: .endif without .if
	.endm					# error: .endm without .macro
	.include "no such file"			# error: no such file: no such file
	.if 1					# error: .if without .endif
	exit

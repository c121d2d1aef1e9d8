	goto nowhere			# error: undefined label: nowhere
	if r1 == 0 goto 1f		# error: no label 1 after this line
	goto 7b				# error: no label 7 before this line
	r0 = here			# error: this is an address: here
	r0 = unknown			# error: undefined symbol: unknown
here:
	exit
here:					# error: label is defined twice: here
	.set K, 5
K:					# error: label is a constant already: K
	.equiv K, 6			# error: symbol is defined already: K
	goto other			# error: target is in another section: other
	.quad other - here		# error: difference of two addresses that are not in one section
	.byte here			# error: an address takes 4 or 8 bytes
	goto here + 4			# error: target is not at an instruction
	.set X, X + 1			# error: symbol is defined by itself: X
	.set Y, Z
	.set Z, Y
	r1 = Y				# error: symbol is defined by itself
kept:	r1 = be16 r2			# error: be16 works in place
	goto kept
	.globl ""			# error: a name is wanted by .globl
	.quad ""			# error: a name is wanted, not an empty string
	call ""				# error: a name is wanted, not an empty string
	.data
other:
	.quad 0

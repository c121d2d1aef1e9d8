	.map a, array, key=4, value=8, entries=1
	.map a, array, key=4, value=8, entries=1	# error: label is defined twice: a
	.map b, nonsense, key=4			# error: unknown map type: nonsense
	.map c, hash, size=4			# error: unknown property of a map: size
	.map d, hash, key=4, key=8		# error: property of a map is given twice: key
	.map e, hash, key=4, pin=path		# error: pin is by name or none
	.map f, hash, key=-1			# error: property of a map is out of range: key=-1
	.license "GPL"
	.license "BSD"				# error: a second licence
	.func f1
	exit
	.endfunc
	.endfunc				# error: .endfunc without .func

# options: -mdialect=normal
	mov %r0, 0
	ldxw %r1, [%r1+4]
	jeq %r1, 5, out
	add32 %r0, 1
	lock fetch add [%r10-8], %r0
	endbe %r0, 16
out:	exit

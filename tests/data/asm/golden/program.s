# options:
# A program with a map, a licence, a function in .text and local labels.
.map acc, array, key=u32, value=u64, entries=2, pin=name
.map seen, lru_hash, key=16, value=8, entries=1<<10, flags=NO_COMMON_LRU|NUMA_NODE
.license "GPL"

.section tc/ingress,"ax",@progbits
.func ingress
	r6 = r1
	*(u32 *)(r10 - 4) = 0
	r1 = acc ll
	r2 = r10
	r2 += -4
	call 1
	if r0 == 0 goto 1f
	r1 = 1
	lock *(u64 *)(r0 + 0) += r1
	r1 = r6
	call helper
1:	r0 = 0
	exit
.endfunc

.text
helper:
	w0 = *(u32 *)(r1 + 0); w0 <<= 3	// two statements
	exit

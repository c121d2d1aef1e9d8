/* Variables of an arena, which stands where its object says, and a program that sets one and returns another. */
#include "maps.h"
enum { ARENA = 33, MMAPABLE = 1 << 10 };
#define __arena __attribute__((address_space(1), section(".addr_space.1")))

struct {
	__uint(type, ARENA);
	__uint(map_flags, MMAPABLE);
	__uint(max_entries, 2);
	enum { ADDRESS = 1ULL << 44 } map_extra;
} arena SEC(".maps");

int __arena unused = 7;
volatile int __arena answer = 42;
volatile int __arena seen;

SEC("syscall") int ask(void *ctx)
{
	seen = 1;
	return answer;
}
char _license[] SEC("license") = "GPL";

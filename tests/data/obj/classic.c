/* Classic tc records: struct bpf_elf_map with ids, pinning, an inner map in a slot, and a tail call into section "7/3". */
#include "maps.h"
struct bpf_elf_map {
	__u32 type, size_key, size_value, max_elem, flags, id, pinning, inner_id, inner_idx;
};
struct bpf_elf_map SEC("maps") counters = {
	.type = 2, .size_key = 4, .size_value = 16, .max_elem = 8, .id = 1, .pinning = 2,
};
struct bpf_elf_map SEC("maps") inner = { .type = 1, .size_key = 8, .size_value = 4, .max_elem = 32, .flags = 1, .id = 5, .inner_idx = 2 };
struct bpf_elf_map SEC("maps") outer = { .type = 12, .size_key = 4, .size_value = 4, .max_elem = 4, .inner_id = 5, .pinning = 1 };
struct bpf_elf_map SEC("maps") jumps = { .type = 3, .size_key = 4, .size_value = 4, .max_elem = 8, .id = 7, .pinning = 9 };

SEC("classifier") int count(void *ctx)
{
	__u32 key = 0;
	__u64 *value = map_lookup(&counters, &key);
	if (value)
		__sync_fetch_and_add(value, 1);
	map_lookup(&outer, &key);
	tail_call(ctx, &jumps, 3);
	return 0;
}
SEC("7/3") int next(void *ctx) { return 1; }
SEC("license") char licence[] = "GPL";
SEC("version") __u32 made_for = 0x40e00;

/* struct bpf_map_def of the kernel's old samples, 28 bytes; a map of maps by index, and one with a NUMA node. */
#include "maps.h"
struct bpf_map_def {
	__u32 type, key_size, value_size, max_entries, map_flags, inner_map_idx, numa_node;
};
struct bpf_map_def SEC("maps") first = { .type = 1, .key_size = 4, .value_size = 8, .max_entries = 64 };
struct bpf_map_def SEC("maps") nested = { .type = 12, .key_size = 4, .value_size = 4, .max_entries = 2, .inner_map_idx = 2 };
struct bpf_map_def SEC("maps") template = { .type = 2, .key_size = 4, .value_size = 4, .max_entries = 1 };
struct bpf_map_def SEC("maps") near = { .type = 1, .key_size = 4, .value_size = 4, .max_entries = 1, .map_flags = 4, .numa_node = 1 };

SEC("socket1") int filter(void *ctx)
{
	__u32 key = 1;
	return map_lookup(&first, &key) || map_lookup(&nested, &key) || map_lookup(&near, &key);
}

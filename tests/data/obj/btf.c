/* BTF maps with every field, globals of all sections, calls of all kinds, a callback, externs, weak and hidden functions. */
#include "maps.h"
#define __noinline __attribute__((noinline))
struct key { __u32 address; __u16 port; __u16 pad; };
struct { __uint(type, 1); __type(key, struct key); __type(value, __u64); __uint(max_entries, 100); __uint(map_flags, 1);
	 __uint(pinning, 1); __uint(numa_node, 3); } flows SEC(".maps");
struct inner { __uint(type, 2); __uint(key_size, 4); __uint(value_size, 8); __uint(max_entries, 5); };
struct inner one SEC(".maps"), two SEC(".maps");
struct { __uint(type, 13); __type(key, __u32); __uint(max_entries, 4); __array(values, struct inner); } nested SEC(".maps") = {
	.values = { [1] = &one, [3] = &two },
};
int tail(void *ctx);
struct { __uint(type, 3); __uint(key_size, 4); __uint(value_size, 4); __uint(max_entries, 2); __array(values, int(void *)); }
	jumps SEC(".maps") = { .values = { [1] = (void *)&tail } };
struct { __uint(type, 27); __uint(max_entries, 4096); __uint(novelty, 7); } ring SEC(".maps");

__u64 total = 5;
static volatile __u32 hits;
static volatile const __u32 limit = 9;
__u32 table[4] SEC(".data.wide") = { 1, 2, 3, 4 };
extern int CONFIG_HZ __attribute__((section(".kconfig"), weak));
extern void *kernel_thing __attribute__((section(".ksyms")));
extern void kfunc(int) __attribute__((section(".ksyms"), weak));

static __noinline int helper(int x) { return x + hits; }
__noinline int global(int x) { return x * 2 + helper(x); }
__attribute__((weak)) __noinline int soft(int x) { return x - 1; }
__attribute__((visibility("hidden"))) __noinline int hidden(int x) { return x ^ 3; }
static long each(__u32 index, void *ctx) { total += index; return 0; }
static __noinline int local(int x) { return x + limit; }

SEC("tc/ingress") int ingress(void *ctx)
{
	struct key key = { .port = 80 };
	__u64 *value = map_lookup(&flows, &key);
	trace_printk("seen %d", 8, CONFIG_HZ);
	hits++;
	loop(10, each, 0, 0);
	if (kfunc)
		kfunc(1);
	tail_call(ctx, &jumps, 1);
	return value ? global(hits) + soft(1) : hidden(2) + local(table[hits & 3]) + (long)&kernel_thing;
}
SEC("tc") int tail(void *ctx) { __u32 key = 1; return map_lookup(&nested, &key) ? local(1) : 0; }
SEC("?xdp.frags") int off(void *ctx) { map_update(&ring, &total, &total, 0); return 2; }
char licence[] SEC("license") = "Dual BSD/GPL";

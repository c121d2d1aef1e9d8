/* Operations of a kernel struct: two that every kernel has, one that none has, and a program that no struct names. */
#include "maps.h"
struct sock;
struct tcp_congestion_ops___own {
	__u32 flags;
	__u32 (*ssthresh)(struct sock *);
	__u32 (*undo_cwnd)(struct sock *);
	void (*no_such_operation)(struct sock *);
	char name[16];
};

SEC("struct_ops/limit") __u32 limit(__u64 *ctx) { return 2; }
SEC("struct_ops/undo") __u32 undo(__u64 *ctx) { return *(__u32 *)(long)ctx[9]; }
SEC("struct_ops/absent") __u32 absent(__u64 *ctx) { return 0; }
SEC("struct_ops/unused") __u32 unused(__u64 *ctx) { return 0; }

SEC(".struct_ops") struct tcp_congestion_ops___own padding = { .name = "none" };
SEC(".struct_ops") struct tcp_congestion_ops___own own = {
	.ssthresh = (void *)limit, .undo_cwnd = (void *)undo, .no_such_operation = (void *)absent, .name = "own",
};
char _license[] SEC("license") = "GPL";

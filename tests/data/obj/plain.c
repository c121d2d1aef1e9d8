/* One program, no map: the smallest object, built for every CPU version and for the other endian. */
#include "maps.h"
struct __sk_buff { __u32 len, pkt_type, mark; };
SEC("socket") int length(struct __sk_buff *skb)
{
	__s32 half = (__s32)skb->len / 2;
	return half > 100 ? half : (__s32)skb->mark;
}
char licence[] SEC("license") = "GPL";

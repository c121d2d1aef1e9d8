/* counter.c: ingress.s and egress.s in C. Built twice, with two ways to declare the shared map acc:
 *     cc -DCLASSIC_MAP     a record of section "maps" (struct bpf_elf_map), as tc has read it since 2015
 *     (nothing)            a variable of section ".maps" described by BTF, as libbpf reads it
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#define SEC(name) __attribute__((section(name), used))

static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;

struct counter {
	__u64 packets;
	__u64 bytes;
};

enum { SLOTS_PER_DIRECTION = 8, DIRECTIONS = 2 };
enum class { OTHER, ARP, ICMP, TCP, UDP, ICMPV6 };

#ifdef CLASSIC_MAP
struct bpf_elf_map {
	__u32 type;
	__u32 size_key;
	__u32 size_value;
	__u32 max_elem;
	__u32 flags;
	__u32 id;
	__u32 pinning;
	__u32 inner_id;
	__u32 inner_idx;
};

struct bpf_elf_map acc SEC("maps") = {
	.type = BPF_MAP_TYPE_ARRAY,
	.size_key = sizeof(__u32),
	.size_value = sizeof(struct counter),
	.max_elem = SLOTS_PER_DIRECTION * DIRECTIONS,
	.pinning = 2, /* global: tc/globals/acc */
};
#else
struct {
	int (*type)[BPF_MAP_TYPE_ARRAY];
	__u32 *key;
	struct counter *value;
	int (*max_entries)[SLOTS_PER_DIRECTION * DIRECTIONS];
	int (*pinning)[1]; /* by name */
} acc SEC(".maps");
#endif

struct ethernet {
	__u8 target[6], source[6];
	__be16 type;
};

struct vlan_tag {
	__be16 tag;
	__be16 type;
};

static __attribute__((always_inline)) enum class class_of(const void *data, const void *end)
{
	const struct ethernet *ethernet = data;
	const __u8 *network = (const __u8 *)(ethernet + 1);
	__u16 type;
	__u8 protocol;

	if (network > (const __u8 *)end)
		return OTHER;
	type = __builtin_bswap16(ethernet->type);
	if (type == 0x8100) {
		const struct vlan_tag *tag = (const void *)network;

		network = (const __u8 *)(tag + 1);
		if (network > (const __u8 *)end)
			return OTHER;
		type = __builtin_bswap16(tag->type);
	}
	if (type == 0x0806)
		return ARP;
	if (type == 0x0800) {
		if (network + 20 > (const __u8 *)end)
			return OTHER;
		protocol = network[9];
	} else if (type == 0x86dd) {
		if (network + 40 > (const __u8 *)end)
			return OTHER;
		protocol = network[6];
		if (protocol == 0) { /* hop-by-hop options */
			if (network + 48 > (const __u8 *)end)
				return OTHER;
			protocol = network[40];
		}
	} else {
		return OTHER;
	}
	switch (protocol) {
	case 1:
		return ICMP;
	case 6:
		return TCP;
	case 17:
		return UDP;
	case 58:
		return ICMPV6;
	default:
		return OTHER;
	}
}

static __attribute__((always_inline)) int count(struct __sk_buff *skb, __u32 direction)
{
	const void *data = (const void *)(long)skb->data, *end = (const void *)(long)skb->data_end;
	__u32 slot = direction * SLOTS_PER_DIRECTION + class_of(data, end);
	struct counter *counter = bpf_map_lookup_elem(&acc, &slot);

	if (counter) {
		__sync_fetch_and_add(&counter->packets, 1);
		__sync_fetch_and_add(&counter->bytes, skb->len);
	}
	return TC_ACT_OK;
}

SEC("tc/ingress") int count_ingress(struct __sk_buff *skb)
{
	return count(skb, 0);
}

SEC("tc/egress") int count_egress(struct __sk_buff *skb)
{
	return count(skb, 1);
}

char _license[] SEC("license") = "GPL";

/* A counter in two versions of its value: V=1, and V=2, which has a field more in the middle and a wider one; with
 * PERCPU in a per-CPU array, counting without atomic additions.
 * Compiled: clang -O2 -g -target bpf -mcpu=v3 -DV=1 -S -o counter1.s counter.c (V=2 counter2.s, with -DPERCPU
 * percpu1.s and percpu2.s), the DWARF sections and .file and .loc taken out.
 */
typedef unsigned int u32;
typedef unsigned long long u64;

struct __sk_buff {
    u32 len;
};

struct value {
#if V == 1
    u32 packets;
    u32 protocol;
    u64 bytes;
#else
    u64 packets;
    u64 errors;
    u32 protocol;
    u32 mark;
    u64 bytes;
#endif
};

#ifdef PERCPU
#define TYPE 6
#define ADD(field, count) (field) += (count)
#else
#define TYPE 2
#define ADD(field, count) __sync_fetch_and_add(&(field), count)
#endif

struct {
    int (*type)[TYPE];
    u32 *key;
    struct value *value;
    int (*max_entries)[4];
    int (*pinning)[1];
} acc __attribute__((section(".maps"), used));

static void *(*const lookup)(void *map, const void *key) = (void *)1;

__attribute__((section("tc"), used)) int count(struct __sk_buff *skb)
{
    u32 key = 0;
    struct value *value = lookup(&acc, &key);

    if (value) {
        ADD(value->packets, 1);
        ADD(value->bytes, skb->len);
        value->protocol = 7;
    }
    return 0;
}

char _license[] __attribute__((section("license"), used)) = "GPL";

/* Maps whose values have every shape of C, for what is shown of them. */
#include "maps.h"
typedef _Bool bool;
typedef signed char __s8;
typedef long long __s64;
enum colour { RED, GREEN = 5, BLUE = -3 };
enum plain { ZERO, ONE };
enum wide { SMALL = 1, LARGE = 0x123456789abcULL };
struct part { __u16 a; __s8 b; char c; };
struct shape {
	__u8 x; __s32 y; __s64 z; __u64 w; bool flag, odd; char name[8], full[4], letter; unsigned char bytes[4];
	enum colour colour, bad; enum plain unsigned_bad; enum wide wide, wide_bad;
	struct part in, ins[2];
	union { __u32 ip; __u8 octet[4]; } address;
	__u32 f1:3, f2:7, f3:22;
	__s32 g1:4, g2:28;
	enum colour tint:4;
	void *p;
	__u64 grid[2][2];
	const volatile __u32 cv;
	__int128 huge;
	__u8 empty[0];
};
struct nameless { struct { __u32 a, b; }; union { __u32 c; __u16 d; }; };
struct real { float f; double d; };
struct { __uint(type, 1); __type(key, struct part); __type(value, struct shape); __uint(max_entries, 4); } shapes SEC(".maps");
struct { __uint(type, 9); __type(key, __u64); __type(value, struct part); __uint(max_entries, 2); } parts SEC(".maps");
struct { __uint(type, 2); __type(key, __u32); __type(value, enum colour); __uint(max_entries, 2); } colours SEC(".maps");
struct { __uint(type, 6); __type(key, __u32); __type(value, char[5]); __uint(max_entries, 2); } words SEC(".maps");
struct { __uint(type, 2); __uint(key_size, 4); __uint(value_size, 8); __uint(max_entries, 2); } bare SEC(".maps");
struct { __uint(type, 2); __type(key, __u32); __type(value, struct nameless); __uint(max_entries, 1); } hidden SEC(".maps");
struct { __uint(type, 2); __type(key, __u32); __type(value, struct real); __uint(max_entries, 1); } reals SEC(".maps");
int counter = 7;
static volatile __s64 before = -1;
__u32 zeros[2];
const char text[6] = "hello";
SEC("tc") int uses(void *ctx)
{
	__u32 k = 0;
	__u64 wide = 0;
	struct part part = {};
	map_lookup(&colours, &k), map_lookup(&words, &k), map_lookup(&bare, &k), map_lookup(&hidden, &k);
	map_lookup(&reals, &k), map_lookup(&parts, &wide), map_lookup(&shapes, &part);
	return counter + before + zeros[1] + text[k & 3];
}
char _license[] SEC("license") = "GPL";

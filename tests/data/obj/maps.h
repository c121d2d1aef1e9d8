/* The few definitions that the sources here share; no system header, so that any clang builds the same bytes. */
#define SEC(name) __attribute__((section(name), used))
#define __uint(name, val) int (*name)[val]
#define __type(name, val) typeof(val) *name
#define __array(name, val) typeof(val) *name[]
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef int __s32;
static void *(*map_lookup)(void *map, const void *key) = (void *)1;
static long (*map_update)(void *map, const void *key, const void *value, __u64 flags) = (void *)2;
static long (*trace_printk)(const char *format, __u32 size, ...) = (void *)6;
static long (*tail_call)(void *ctx, void *map, __u32 index) = (void *)12;
static long (*loop)(__u32 count, void *callback, void *ctx, __u64 flags) = (void *)181;

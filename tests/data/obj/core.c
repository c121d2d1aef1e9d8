/* CO-RE relocations of all families, and pointers in a data section. */
#include "maps.h"
struct task_struct { int pid; struct { unsigned low : 3, high : 5; } bits; struct task_struct *parent; }
	__attribute__((preserve_access_index));
enum color { RED = 1, GREEN = 0x7fffffff };
enum wide { NARROW = 1, WIDE = 0x100000000ULL };
static long (*probe_read)(void *to, __u32 size, const void *from) = (void *)113;
int plus(int x);
__u64 number = 4;
__u64 *pointer = &number;
int (*function)(int) = plus;
__attribute__((noinline)) int plus(int x) { return x + 1; }

SEC("kprobe/do_exit") int leave(struct task_struct *task)
{
	int pid = 0;
	probe_read(&pid, 4, &task->pid);
	pid += __builtin_preserve_field_info(task->bits.high, 4);
	pid += __builtin_preserve_field_info(task->parent, 2);
	pid += __builtin_preserve_enum_value(*(enum color *)GREEN, 1);
	pid += __builtin_preserve_type_info(*(struct task_struct *)0, 1);
	pid += __builtin_btf_type_id(*(struct task_struct *)0, 1);
	pid += __builtin_preserve_enum_value(*(enum wide *)WIDE, 0);
	return pid + plus(*pointer) + (function != 0);
}
char licence[] SEC("license") = "GPL";

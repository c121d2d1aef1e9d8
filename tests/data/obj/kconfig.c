/* Variables of a kernel's configuration, one of each kind; a program a kind, so that one without a value spoils no other. */
#include "maps.h"
#define __kconfig __attribute__((section(".kconfig")))
enum libbpf_tristate { TRI_NO, TRI_YES, TRI_MODULE };

extern int CONFIG_HZ __kconfig;
extern _Bool CONFIG_BPF __kconfig;
extern enum libbpf_tristate CONFIG_VETH __kconfig;
extern char CONFIG_DEFAULT_HOSTNAME[8] __kconfig;
extern unsigned long long CONFIG_ILLEGAL_POINTER_VALUE __kconfig;
extern unsigned LINUX_KERNEL_VERSION __kconfig;
extern _Bool LINUX_HAS_BPF_COOKIE __kconfig __attribute__((weak));
extern int CONFIG_NO_SUCH_THING __kconfig;
extern int CONFIG_NO_SUCH_OTHER __kconfig __attribute__((weak));
extern unsigned char CONFIG_TOO_SMALL __kconfig;

SEC("tc") int hz(void *ctx) { return CONFIG_HZ; }
SEC("tc") int bpf(void *ctx) { return CONFIG_BPF; }
SEC("tc") int veth(void *ctx) { return CONFIG_VETH; }
SEC("tc") int text(void *ctx) { return CONFIG_DEFAULT_HOSTNAME[0] << 8 | CONFIG_DEFAULT_HOSTNAME[7]; }
SEC("tc") int wide(void *ctx) { return CONFIG_ILLEGAL_POINTER_VALUE >> 48; }
SEC("tc") int version(void *ctx) { return LINUX_KERNEL_VERSION; }
SEC("tc") int cookie(void *ctx) { return LINUX_HAS_BPF_COOKIE; }
SEC("tc") int strong(void *ctx) { return CONFIG_NO_SUCH_THING; }
SEC("tc") int weak(void *ctx) { return CONFIG_NO_SUCH_OTHER; }
SEC("tc") int small(void *ctx) { return CONFIG_TOO_SMALL; }
/* Refused unless the verifier knows the constant: the other branch reads an uninitialised register. */
SEC("tc") int constant(void *ctx)
{
	if (CONFIG_HZ != 777)
		asm volatile("r0 = *(u8 *)(r9 + 0)" ::: "r0");
	return 0;
}
char _license[] SEC("license") = "GPL";

"""The kernel runtime: bpf(2), bpffs, TCX, XDP, cgroup and netfilter links behind the Runtime protocol."""

from toolchain.kernel.runtime import KernelRuntime, is_usable

__all__ = ["KernelRuntime", "is_usable"]

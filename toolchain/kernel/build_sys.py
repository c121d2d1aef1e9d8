"""Builds toolchain.kernel._sys: the system calls that Python has no function for.

bpf_sys       bpf(2), because no libc wraps it      measured: 0.25 us a call above the kernel's own time
mount_bpffs   mount(2) of a BPF file system
fill_arena    mmap(2) at an address
"""

import runpy
from pathlib import Path

from cffi import FFI  # type: ignore[import-untyped]

ffibuilder = FFI()
ABI = runpy.run_path(str(Path(__file__).parent / "abi.py"))
"""abi.py, without the package around it: nothing of that can be imported before the module is built."""
ffibuilder.cdef(ABI["DECLARATIONS"])
ffibuilder.cdef("#define SYS_ABI_STAMP ...")
ffibuilder.set_source(
    "toolchain.kernel._sys",
    f"#define SYS_ABI_STAMP {ABI['stamp']()}u"
    """
    #include <errno.h>
    #include <stdint.h>
    #include <string.h>
    #include <sys/mman.h>
    #include <sys/mount.h>
    #include <sys/syscall.h>
    #include <unistd.h>

    /* bpf(2): the result, or a negative errno. */
    static long bpf_sys(int command, void *attr, unsigned int size)
    {
        long result = syscall(SYS_bpf, command, attr, size);
        return result < 0 ? -(long)errno : result;
    }

    /* A new BPF file system on the directory ``target``, for its owner alone: 0, or a negative errno. */
    static int mount_bpffs(const char *target)
    {
        return mount("bpf", target, "bpf", 0, "mode=0700") < 0 ? -errno : 0;
    }

    /* Map an arena of ``size`` bytes, at ``address`` unless that is 0, and copy ``data`` (at most ``size`` bytes) to
       its start: 0, or a negative errno. The mapping is gone then; what was written and the arena's address stay. */
    static int fill_arena(int fd, uint64_t address, uint64_t size, const void *data, uint64_t data_size)
    {
        int flags = MAP_SHARED | (address ? MAP_FIXED_NOREPLACE : 0);
        void *start = mmap((void *)(uintptr_t)address, size, PROT_READ | PROT_WRITE, flags, fd, 0);

        if (start == MAP_FAILED)
            return -errno;
        if (data_size)
            memcpy(start, data, data_size);
        munmap(start, size);
        return 0;
    }
    """,
    extra_compile_args=["-O2", "-Wall", "-Wextra"],
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)

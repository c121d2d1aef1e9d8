"""The rows on a kernel: bpf(2) by hand, a bpffs and a network namespace that only this process sees."""

from __future__ import annotations

import os
import struct
import subprocess
from dataclasses import replace

from tests.kernel import oracle
from tests.rows.world import PATH_FD, World, mount
from tests.vm.vectors import Vector
from toolchain.errors import LoadError
from toolchain.isa.map_types import MapType
from toolchain.isa.program_types import AttachType, ProgType
from toolchain.kernel import KernelRuntime, calls
from toolchain.kernel import hooks as kernel_hooks
from toolchain.kernel.calls import BpfCallError
from toolchain.kernel.handles import KernelLink, KernelMap, KernelProgram
from toolchain.spec.stages import BoundProgram

_TYPES = {"ingress": AttachType.TCX_INGRESS, "egress": AttachType.TCX_EGRESS, "xdp": AttachType.XDP}
_KINDS = {"bpf-map": KernelMap, "bpf-prog": KernelProgram, "bpf_link": KernelLink, "bpf-link": KernelLink}
_LINK_UPDATE, _RAW_TRACEPOINT_OPEN = 29, 17


class KernelWorld(World):
    """A bpffs. An unlinked pin is let go a little later: bpf_destroy_inode() waits for RCU."""

    patience = 5.0

    def __init__(self, root: str, device: str = "lo") -> None:
        super().__init__(KernelRuntime(root), device, attach, query)

    @staticmethod
    def state(info):
        return info.ifindex != 0, info.prog_id

    def pin(self, handle, path, flags, directory, is_at):
        self._object(oracle.PIN, handle.fileno(), path, flags, directory, is_at)

    def get(self, path, flags, directory, is_at):
        fd = self._object(oracle.GET, 0, path, flags, directory, is_at)
        kind = os.readlink(f"/proc/self/fd/{fd}").removeprefix("anon_inode:")
        return _KINDS[kind](fd)

    def _object(self, command, fd, path, flags, directory, is_at) -> int:
        directory_fd = os.open(self.place(directory), os.O_RDONLY | os.O_DIRECTORY) if directory else 0
        name = path if directory else self.place(path)
        held = oracle._buffer(os.fsencode(name) + b"\0")
        flags |= PATH_FD if is_at else 0
        return oracle.bpf(command, struct.pack("<QIIi", oracle._address(held), fd & 0xFFFFFFFF, flags, directory_fd))

    def do_unpin(self, path):
        os.unlink(self.place(path))

    def made(self, kind):
        if kind == "map":
            return KernelMap(oracle.map_create(MapType.ARRAY, 4, 8, 1))
        return super().made(kind)

    def btf_fd(self) -> int:
        text = b"\0int\0"
        types = struct.pack("<IIII", 1, 1 << 24, 4, 32)
        head = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(text))
        return oracle.btf_load(head + types + text)

    def do_mount(self, options):
        place = f"{self.root}.more"
        os.makedirs(place, exist_ok=True)
        mount("bpf", place, "bpf", 0, options)
        with open("/proc/self/mounts") as table:
            shown = [line.split()[3] for line in table if line.split()[1] == place][-1]
        return ",".join(each for each in shown.split(",") if each not in ("rw", "relatime")) or "nothing"

    def do_token(self):
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        os.close(calls.token_create(descriptor))

    def do_raw(self, what, *words):
        return getattr(self, f"raw_{what}")(*words)

    def raw_device(self, verb, *words):
        if verb == "add":
            run("ip", "link", "add", words[0], "type", "veth", "peer", "name", f"{words[0]}p")
        else:
            run("ip", "link", "del", words[0])

    def raw_create_flags(self, program, flags):
        """A TCX link with flags of one's own."""
        calls.link_create("relative", self.programs[program].fileno(), 1, _TYPES["ingress"], int(flags, 0))

    def raw_update(self, link, program, flags, old=""):
        """BPF_LINK_UPDATE by hand; a map or program may stand for the link."""
        fields = (self._handle(link).fileno(), self.programs[program].fileno(), int(flags, 0))
        oracle.bpf(_LINK_UPDATE, struct.pack("<IIII", *fields, self.programs[old].fileno() if old else 0))

    def raw_prog_detach(self, program, hook):
        """BPF_PROG_DETACH, the way from before there were links."""
        calls.prog_detach(self.programs[program].fileno(), kernel_hooks.device_index(self.device), _TYPES[hook])

    def raw_ip_xdp_off(self):
        done = subprocess.run(["ip", "link", "set", self.device, "xdpgeneric", "off"], capture_output=True, text=True)
        return "ok" if done.returncode == 0 else "refused"

    def raw_xdp(self, link, program, mode):
        self.raw_xdp_on(self.device, link, program, mode)

    def raw_xdp_on(self, device, link, program, mode):
        """An XDP link with a mode of one's own."""
        flags = {"generic": 1 << 1, "driver": 1 << 2}[mode]
        index = kernel_hooks.device_index(device)
        fd = calls.link_create("plain", self.programs[program].fileno(), index, _TYPES["xdp"], flags)
        self.links[link] = KernelLink(fd)

    def raw_detach(self, link):
        calls.link_detach(self.links[link].fileno())

    def raw_load(self, name, kind, attach_type="0"):
        """A program of a type that the usual ones are not."""
        linked = Vector(name, prog_type=ProgType[kind], text="r0 = 1\nexit").linked()
        linked = replace(linked, expected_attach_type=int(attach_type))
        self.programs[name] = self.runtime.prog_load(BoundProgram.unpinned(linked), [])

    def raw_sk_lookup(self, link, program):
        descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        fd = calls.link_create("plain", self.programs[program].fileno(), descriptor, 36)
        os.close(descriptor)
        self.links[link] = KernelLink(fd)

    def raw_netfilter(self, link, program, priority):
        fd = calls.link_create(
            "netfilter", self.programs[program].fileno(), 0, 45, pf=2, hooknum=1, priority=int(priority)
        )
        self.links[link] = KernelLink(fd)

    def raw_tracepoint(self, link, program):
        name = oracle._buffer(b"sys_enter\0")
        fd = oracle.bpf(
            _RAW_TRACEPOINT_OPEN, struct.pack("<QI", oracle._address(name), self.programs[program].fileno())
        )
        self.links[link] = KernelLink(fd)


def run(*words: str) -> None:
    """A command that must succeed."""
    subprocess.run(words, check=True, capture_output=True)


def attach(program, device: str, hook: str, order) -> KernelLink:
    """BPF_LINK_CREATE with the same words."""
    flags = (1 << 3 if order.is_before else 0) | (1 << 4 if order.is_after else 0)
    if order.relative_id:
        flags |= 1 << 5 | (1 << 13 if order.is_link else 0)
    index = kernel_hooks.device_index(device)
    try:
        if hook == "xdp":
            return KernelLink(calls.link_create("plain", program.fileno(), index, _TYPES[hook]))
        return KernelLink(
            calls.link_create(
                "relative", program.fileno() & 0xFFFFFFFF, index, _TYPES[hook], flags,
                relative=order.relative_id, expected_revision=order.revision,
            )
        )  # fmt: skip
    except BpfCallError as error:
        raise LoadError("attach", error.errno) from error


def query(device: str, hook: str) -> tuple[int, tuple[int, ...]]:
    found = calls.prog_query(kernel_hooks.device_index(device), _TYPES[hook])
    return found.revision, found.prog_ids

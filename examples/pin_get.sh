#!/bin/sh
# pin_get.sh: create and pin a map; in other processes get it, set key 1 to 42, look it up; pin a program, get it, attach it.
# Each command is a process of its own: what they share are the pins. On the user runtime, or with BPF_RUNTIME=kernel (as
# root) on the kernel, in namespaces of its own: neither the machine's pins nor its devices are touched.
# Environment: BPF_LOAD (the command), BPF_RUNTIME.
set -eu
cd "$(dirname "$0")"
bpf_load=${BPF_LOAD:-bpf-load}
if [ "${BPF_RUNTIME:-user}" = kernel ]; then
    if [ -z "${PIN_GET_INSIDE:-}" ]; then
        PIN_GET_INSIDE=1 exec unshare --mount --net sh pin_get.sh
    fi
    mount -t bpf bpf /sys/fs/bpf
    export BPF_PIN_ROOT=/sys/fs/bpf
else
    BPF_PIN_ROOT=$(mktemp -d "${XDG_RUNTIME_DIR:-/dev/shm}/pin_get.XXXXXX")
    export BPF_PIN_ROOT
    trap 'rm -rf "$BPF_PIN_ROOT"' EXIT
fi
show() { echo "\$ bpf-load $*"; "$bpf_load" "$@"; }

show map create numbers type array key 4 value 4 entries 8
show map update numbers key 1 value 42
show map lookup numbers key 1
show load ingress.o --pin prog
show prog show prog
show attach prog lo ingress --pin link
show link show lo ingress
show detach link
show pin rm prog numbers

#!/bin/sh
# share.sh [INGRESS.o EGRESS.o]: two programs, loaded by separate invocations, share one pinned map.
# Runs the capture through each, reads the map by a third invocation and compares it with an independent count.
# No root and no kernel BPF needed. Environment: BPF_LOAD (the command), BPF_PIN_ROOT (default: a fresh tree, removed afterwards).
set -eu
cd "$(dirname "$0")"
bpf_load=${BPF_LOAD:-bpf-load}
ingress=${1:-ingress.o} egress=${2:-egress.o}
if [ -z "${BPF_PIN_ROOT:-}" ]; then
    BPF_PIN_ROOT=$(mktemp -d "${XDG_RUNTIME_DIR:-/dev/shm}/share.XXXXXX")
    export BPF_PIN_ROOT
    trap 'rm -rf "$BPF_PIN_ROOT"' EXIT
fi
show() { echo "\$ bpf-load $*"; "$bpf_load" "$@"; }

show load "$ingress" ${INGRESS:+--program "$INGRESS"} --pin ingress
show load "$egress" ${EGRESS:+--program "$EGRESS"} --pin egress
show run ingress --pcap veth.pcap
show run egress --pcap veth.pcap
show pin tree

expected=$(python3 count.py veth.pcap)
shared=$("$bpf_load" --json map dump tc/globals/acc | python3 -c '
import json, struct, sys
for entry in json.load(sys.stdin)["entries"]:
    key, value = (bytes(int(byte, 16) for byte in entry[name]) for name in ("key", "value"))
    slot, (packets, octets) = struct.unpack("=I", key)[0], struct.unpack("=QQ", value)
    if packets:
        print(slot, packets, octets)')
echo
echo "acc, the shared map: slot packets bytes       an independent count of veth.pcap:"
counts=$(mktemp)
printf '%s\n' "$shared" >"$counts"
printf '%s\n' "$expected" | paste -d '|' "$counts" - | awk -F '|' '{printf "    %-41s %s\n", $1, $2}'
rm -f "$counts"
[ "$shared" = "$expected" ] || { echo "share.sh: the counts differ" >&2; exit 1; }
echo "equal"

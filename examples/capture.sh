#!/bin/sh
# capture.sh OUT.pcap: make the capture that the examples run on: real traffic between two network namespaces
# joined by a veth pair (ARP, ICMP, TCP, UDP, IPv6 with neighbour discovery, VLAN 10), recorded by tcpdump.
# Needs root, iproute2, tcpdump and python3; touches only the two namespaces that it makes.
set -eu
[ $# -eq 1 ] || { sed -n '2,4s/^# //p' "$0"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
a=capture-a-$$ b=capture-b-$$
trap 'ip netns del $a 2>/dev/null || :; ip netns del $b 2>/dev/null || :' EXIT
ip netns add $a && ip netns add $b
ip -n $a link add veth0 address 02:00:00:00:00:0a type veth peer name veth0 address 02:00:00:00:00:0b netns $b
ip -n $a addr add 192.0.2.1/24 dev veth0 && ip -n $b addr add 192.0.2.2/24 dev veth0
ip -n $a addr add 2001:db8::1/64 dev veth0 nodad && ip -n $b addr add 2001:db8::2/64 dev veth0 nodad
ip -n $a link set veth0 up && ip -n $b link set veth0 up
sleep 3
ip netns exec $b tcpdump -i veth0 -U -w "$1" 2>/dev/null &
tcpdump=$!
sleep 1
ip netns exec $b python3 "$here/traffic.py" serve &
sleep 1
ip netns exec $a ping -q -c 3 -i 0.2 192.0.2.2
ip netns exec $a ping -q -c 2 -i 0.2 2001:db8::2
ip netns exec $a python3 "$here/traffic.py" ask
sleep 1
kill $tcpdump
wait $tcpdump || :

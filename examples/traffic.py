"""Traffic for capture.sh: `serve` answers one TCP request and UDP datagrams, `ask` sends them.

VLAN frames are written and answered through packet sockets, so that no VLAN device is needed.
"""

import contextlib
import socket
import struct
import sys
import threading

V4, V6, VLAN_ID = ("192.0.2.2", 7000), ("2001:db8::2", 7000), 10
MAC_A, MAC_B = bytes.fromhex("02000000000a"), bytes.fromhex("02000000000b")


def checksum(data):
    """RFC 1071, over an even number of bytes."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def vlan_udp(source, target, addresses, ports, payload):
    """An Ethernet frame with an 802.1Q tag, IPv4 and UDP (checksum 0: none)."""
    udp = struct.pack(">HHHH", *ports, 8 + len(payload), 0) + payload
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 7, 0x4000, 64, 17, 0, *map(socket.inet_aton, addresses))
    head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
    return target + source + struct.pack(">HHH", 0x8100, VLAN_ID, 0x0800) + head + udp


def packet_socket():
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
    sock.bind(("veth0", 0))
    sock.settimeout(5)
    return sock


def serve_tcp(sock):
    peer, _ = sock.accept()
    peer.recv(4096)
    peer.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")
    peer.close()


def serve_udp(sock):
    data, peer = sock.recvfrom(2048)
    sock.sendto(data[::-1], peer)


def serve_vlan(sock):
    while (frame := sock.recv(2048))[:12] != MAC_B + MAC_A or frame[-3:] != b"tag":
        pass
    sock.send(vlan_udp(MAC_B, MAC_A, ("198.51.100.2", "198.51.100.1"), (7000, 40000), b"answer with a tag"))


def serve():
    tcp = socket.create_server(V4)
    udp4 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp4.bind(V4)
    udp6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp6.bind(V6)
    jobs = ((serve_tcp, tcp), (serve_udp, udp4), (serve_udp, udp6), (serve_vlan, packet_socket()))
    for job, sock in jobs:
        sock.settimeout(10)
        threading.Thread(target=job, args=(sock,)).start()


def ask():
    tcp = socket.create_connection(V4)
    tcp.sendall(b"GET / HTTP/1.0\r\nHost: example\r\n\r\n")
    while tcp.recv(4096):
        pass
    tcp.close()
    for family, address in ((socket.AF_INET, V4), (socket.AF_INET6, V6)):
        for question in (b"a question", b"a longer question, for other sizes"):
            udp = socket.socket(family, socket.SOCK_DGRAM)
            udp.settimeout(0.5)
            udp.sendto(question, address)
            with contextlib.suppress(OSError):  # one of the two questions finds nobody: that is the ICMP of the capture
                udp.recv(2048)
    vlan = packet_socket()
    vlan.send(vlan_udp(MAC_A, MAC_B, ("198.51.100.1", "198.51.100.2"), (40000, 7000), b"question with a tag"))
    while vlan.recv(2048)[:12] != MAC_A + MAC_B:
        pass


{"serve": serve, "ask": ask}[sys.argv[1]]()

# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames as a test reads them, and frames of its own making."""
import ipaddress
import struct

TCP, UDP, SCTP, ICMP, ICMP6 = 6, 17, 132, 1, 58
PROTOCOLS = {"tcp": TCP, "udp": UDP, "sctp": SCTP, "icmp": ICMP}
IPV4, IPV6, ARP = 0x0800, 0x86DD, 0x0806
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
BROADCAST = "ff:ff:ff:ff:ff:ff"


class Frame:
    """The headers of one frame; what it has not is None."""

    def __init__(self, ifname, data):
        self.ifname, self.data = ifname, data
        self.to_mac, self.from_mac = _mac_text(data[0:6]), _mac_text(data[6:12])
        self.ethertype = int.from_bytes(data[12:14], "big")
        self.proto = self.src = self.dst = self.ttl = self.sport = self.dport = self.flags = None
        rest = b""
        if self.ethertype == IPV4 and len(data) >= 34:
            self.ttl, self.proto = data[22], data[23]
            self.src = str(ipaddress.IPv4Address(data[26:30]))
            self.dst = str(ipaddress.IPv4Address(data[30:34]))
            rest = data[14 + 4 * (data[14] & 15):]
        elif self.ethertype == IPV6 and len(data) >= 54:
            self.proto, self.ttl = data[20], data[21]
            self.src = str(ipaddress.IPv6Address(data[22:38]))
            self.dst = str(ipaddress.IPv6Address(data[38:54]))
            rest = data[54:]
        if self.proto in (TCP, UDP, SCTP) and len(rest) >= 4:
            self.sport, self.dport = struct.unpack("!HH", rest[:4])
        if self.proto == TCP and len(rest) >= 14:
            self.flags = rest[13]

    def __repr__(self):
        return "<%s %s > %s %04x %s %s:%s > %s:%s>" % (
            self.ifname, self.from_mac, self.to_mac, self.ethertype, self.proto,
            self.src, self.sport, self.dst, self.dport)


def parse(line):
    ifname, text = line.split(" ", 1)
    return Frame(ifname, bytes.fromhex(text))


def _mac_text(raw):
    return ":".join("%02x" % byte for byte in raw)


def _mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(to_mac, from_mac, ethertype, payload):
    return _mac(to_mac) + _mac(from_mac) + struct.pack("!H", ethertype) + payload.ljust(46, b"\0")


def ip(src, dst, proto, payload, ttl=64):
    """An IP packet of the addresses' family; checksums of TCP, UDP and ICMPv6 are filled in."""
    source, target = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    offset = {TCP: 16, UDP: 6, ICMP6: 2}.get(proto)
    if offset is not None:
        pseudo = source.packed + target.packed + struct.pack("!IHBB", len(payload), 0, 0, proto)
        total = struct.pack("!H", checksum(pseudo + payload))
        payload = payload[:offset] + total + payload[offset + 2:]
    if source.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(payload), proto, ttl) + source.packed + target.packed + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, ttl, proto, 0) + source.packed + target.packed
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def udp(src, dst, sport, dport, payload=b"hello"):
    return ip(src, dst, UDP, struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload)


def tcp(src, dst, sport, dport, flags, payload=b""):
    head = struct.pack("!HHIIBBHHH", sport, dport, 1000, 2000, 5 << 4, flags, 4096, 0, 0)
    return ip(src, dst, TCP, head + payload)


def ethertype_of(packet):
    return IPV6 if packet[0] >> 4 == 6 else IPV4


def arp(operation, from_mac, from_ip, to_mac, to_ip):
    return struct.pack("!HHBBH", 1, IPV4, 6, 4, operation) + _mac(from_mac) + \
        ipaddress.IPv4Address(from_ip).packed + _mac(to_mac) + ipaddress.IPv4Address(to_ip).packed

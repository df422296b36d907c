# SPDX-License-Identifier: GPL-2.0-or-later
"""What a machine boots of a kernel package: the uncompressed vmlinux, and its modules as a cpio archive.

QEMU enters an uncompressed vmlinux directly (PVH), which saves the emulated processor 3 s of unpacking.
The modules are those of the folders and names below and what they depend on; a name that a kernel does
not have is none of its modules, or is built in.
"""
import lzma
import os
import pathlib
import re
import shutil
import struct
import subprocess
import zlib

from . import files

FOLDERS = ["net/netfilter", "net/ipv4/netfilter", "net/ipv6/netfilter", "net/bridge", "net/8021q", "net/802",
           "net/sched", "net/sctp", "net/llc", "drivers/net/ipvlan", "fs/ext4", "fs/jbd2", "fs/overlayfs"]
NAMES = ["virtio_pci", "virtio_console", "virtio_net", "virtio_blk", "veth", "dummy", "ifb", "vrf", "tun", "tap",
         "macvlan", "macvtap", "vxlan", "geneve", "ip_gre", "ipip", "sit", "wireguard", "af_packet", "af_packet_diag",
         "inet_diag", "tcp_diag", "udp_diag", "unix_diag", "netlink_diag", "crc32c_generic", "crc32c_intel",
         "libcrc32c", "crc32c_cryptoapi", "failover", "net_failover", "fuse", "loop"]


def unpack(root, release, made):
    """From an unpacked package: made/vmlinux and made/modules.cpio."""
    boot = [p for p in sorted(root.rglob("vmlinuz*")) if p.is_file() and not p.is_symlink()]
    trees = [p.parent for p in sorted(root.rglob("kernel")) if p.is_dir() and p.parent.name == release]
    if not boot or not trees:
        raise OSError("the package of %s has no kernel or no modules in it" % release)
    (made / "vmlinux").write_bytes(vmlinux(boot[0].read_bytes()))
    modules(trees[0], release, made)


# -- vmlinux ----------------------------------------------------------------------------------------


def vmlinux(packed):
    """The kernel inside a bzImage. The boot protocol's header says where it begins and how long it is."""
    setup = (packed[0x1f1] or 4) + 1
    offset, length = struct.unpack_from("<II", packed, 0x248)
    payload = packed[setup * 512 + offset:][:length]
    for magic, unpacker in UNPACKERS.items():
        if payload.startswith(magic):
            kernel = unpacker(payload)
            if not kernel.startswith(b"\x7fELF"):
                break
            return kernel
    raise OSError("the kernel is packed in a way that is not known here (%s)" % payload[:6].hex())


def _by_tool(*argv):
    def unpacker(payload):
        # Its last four bytes are the unpacked size, which the tools do not know.
        try:
            done = subprocess.run(argv, input=payload[:-4], capture_output=True, check=False)
        except FileNotFoundError:
            raise OSError("%s is not installed" % argv[0]) from None
        return done.stdout
    return unpacker


UNPACKERS = {
    b"\x1f\x8b": lambda payload: zlib.decompressobj(wbits=31).decompress(payload),
    b"\xfd7zXZ\0": lambda payload: lzma.LZMADecompressor().decompress(payload),
    b"\x28\xb5\x2f\xfd": _by_tool("zstd", "-dcq"),
    b"\x02\x21\x4c\x18": _by_tool("lz4", "-dcq"),
}


# -- modules ----------------------------------------------------------------------------------------


def modules(tree, release, made):
    """Writes made/modules.cpio, with the indexes that modprobe reads."""
    known = {_name(path): path for path in sorted(tree.rglob("*.ko*"))}
    wanted = [_name(p) for folder in FOLDERS for p in (tree / "kernel" / folder).rglob("*.ko*")] + NAMES
    content, todo = {}, [name for name in wanted if name in known]
    while todo:
        name = todo.pop()
        if name not in content:
            content[name] = _read(known[name])
            todo += [d for d in _depends(content[name]) if d in known]
    chosen = made / "tree/lib/modules" / release
    for name, data in content.items():
        target = chosen / re.sub(r"\.ko\..*", ".ko", str(known[name].relative_to(tree)))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    for index in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        if (tree / index).exists():
            shutil.copy(tree / index, chosen / index)
    try:
        subprocess.run(["depmod", "-b", made / "tree", release], check=True, capture_output=True,
                       env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
    except (FileNotFoundError, subprocess.CalledProcessError) as e:
        raise OSError("depmod fails (package kmod): %s" % e) from None
    with open(made / "modules.cpio", "wb") as file:
        archive = files.Cpio(file)
        for path in sorted(chosen.rglob("*")):
            if path.is_file():
                # /lib is a link to /usr/lib in the machine
                archive.write("usr/" + str(path.relative_to(made / "tree")), path.read_bytes())
        archive.end()
    shutil.rmtree(made / "tree")


def _name(path):
    return pathlib.Path(path).name.split(".ko")[0].replace("-", "_")


def _read(path):
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix == ".zst":
        return _by_tool("zstd", "-dcq")(data + b"\0" * 4)
    return data


def _depends(module):
    """The names after "depends=" in the module's .modinfo section."""
    found = re.search(rb"\0depends=([^\0]*)\0", module)
    return [n.replace("-", "_") for n in found[1].decode().split(",") if n] if found else []

# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs in a machine: this machine's own programs and their libraries, as one cpio archive.

Nothing is installed and no image is downloaded; the folders /bin, /sbin and /lib are links, as on any
Debian since 12. weir itself is not in it: it is put into each clone, so that a new build needs no new
template.
"""
import os
import pathlib
import re
import shutil
import subprocess

from . import files

# Without these no machine is of use.
PROGRAMS = """
dash cat ls cp mv rm ln mkdir rmdir chmod chown touch sleep echo head tail wc sort uniq tr cut env id true false test
printf date dd df du stat sync timeout seq readlink realpath mktemp uname tee nproc mknod mkfifo basename dirname sha256sum
kill pwd tty stty comm expr yes od cmp diff grep sed mawk find xargs ps pgrep sysctl mount umount unshare nsenter flock getent
setpriv setsid dmesg losetup ip bridge tc ss nft xtables-legacy-multi xtables-nft-multi ping conntrack kmod
""".split()
# Good to have: by hand (bash and what makes it comfortable), or for a single test.
MORE = "bash less ethtool socat strace arping mkfs.ext4 fsck.ext4 blkid clear tput watch reset [ setfattr getfattr".split()

LINKS = {
    "bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64", "var/run": "/run",
    "usr/bin/sh": "dash", "usr/bin/awk": "mawk", "etc/mtab": "/proc/self/mounts", "var/lock": "/run/lock",
    "init": "sbin/agent",
    **{"usr/sbin/" + name: "../bin/kmod" for name in ("modprobe", "lsmod", "insmod", "rmmod", "modinfo", "depmod")},
    **{"usr/sbin/%s%s" % (name, tail): "xtables-legacy-multi" for name in
       ("iptables-legacy", "ip6tables-legacy", "iptables", "ip6tables") for tail in ("", "-save", "-restore")},
    **{"usr/sbin/%s-nft%s" % (name, tail): "xtables-nft-multi" for name in
       ("iptables", "ip6tables") for tail in ("", "-save", "-restore")},
}
DATA = ["/etc/protocols", "/etc/services", "/etc/iproute2", "/usr/share/iproute2", "/usr/lib/terminfo", "/lib/terminfo/l/linux",
        "/lib/terminfo/x/xterm", "/lib/terminfo/v/vt100", "/lib/terminfo/v/vt220"]
WRITTEN = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/host.conf": "multi on\n",  # all the addresses of a name, as Debian has it
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "etc/hosts": "127.0.0.1 localhost weir-vm\n::1 localhost\n",
    "etc/resolv.conf": "nameserver 127.0.0.1\n",
    "etc/machine-id": "",
    "root/.profile": "PS1='weir-vm \\w # '\nexport TERM=${TERM:-linux}\n",
}
FOLDERS = ["proc", "sys", "dev", "run", "tmp", "mnt", "root", "var/lib", "var/tmp", "var/log", "etc/netns"]
# Loaded by name at run time, where ldd does not see them.
PLUGINS = ["xtables/*.so", "libnss_files.so.2", "libgcc_s.so.1"]
LIBRARIES = pathlib.Path("/usr/lib/x86_64-linux-gnu")


class Missing(Exception):
    """A program that machines need is not installed here."""


def _find(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin")


def _libraries(paths):
    """What the loader would load for these; a static program has none."""
    done = subprocess.run(["ldd", *paths], capture_output=True, text=True, check=False)
    return sorted(set(re.findall(r"(/\S+) \(0x", done.stdout)))


def _target(path):
    """Where a file of this machine lies in the other: below /usr."""
    path = os.path.normpath(str(path))
    return path if path.startswith(("/usr/", "/etc/")) else "/usr" + path


def content(weir):
    """{path in the machine: file here} of everything that is copied."""
    programs = {name: _find(name) for name in PROGRAMS + MORE}
    missing = [name for name in PROGRAMS if not programs[name]]
    if missing:
        raise Missing("not installed here: %s (ci/deps vm)" % " ".join(missing))
    found = {"/usr/%s/%s" % ("sbin" if "sbin/" in path else "bin", name): path
             for name, path in programs.items() if path}
    plugins = [path for pattern in PLUGINS for path in sorted(LIBRARIES.glob(pattern))]
    found.update({_target(path): str(path) for path in plugins})
    libraries = _libraries([*found.values(), *map(str, weir)])
    found.update({_target(path): path for path in libraries})
    for top in map(pathlib.Path, DATA):
        inside = sorted(top.rglob("*")) if top.is_dir() else [top]
        found.update({_target(path): str(path) for path in inside if path.is_file()})
    return dict(sorted(found.items()))


def write(target, agent, weir):
    """The archive; `weir`: programs that are put in later and whose libraries must be there."""
    with open(target, "wb") as file:
        archive = files.Cpio(file)
        for path in FOLDERS:
            archive.folder(path)
        for path, where in LINKS.items():
            archive.link(path, where)
        archive.device("dev/console", 5, 1)
        archive.copy(agent, "usr/sbin/agent")
        for path, text in WRITTEN.items():
            archive.write(path, text.encode())
        for path, source in content(weir).items():
            archive.copy(source, path)
        archive.end()

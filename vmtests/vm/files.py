# SPDX-License-Identifier: GPL-2.0-or-later
"""The cache, locks and cpio archives.

What is in the cache is complete: it is made beside its place and renamed. Everything there can be
removed at any time and is made anew.
"""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import stat
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def cache():
    folder = pathlib.Path(os.environ.get("WEIR_VM_CACHE", ROOT / "build/vm"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class NoSpace(OSError):
    """Said before anything is written: QEMU dies without a word when its memory's file cannot grow."""


def need(megabytes):
    free = shutil.disk_usage(cache()).free >> 20
    if free < megabytes:
        raise NoSpace("%s has %d MB left, %d are needed (WEIR_VM_CACHE names another place)" % (cache(), free, megabytes))


@contextlib.contextmanager
def locked(name):
    """One at a time on this cache: several test runs share it."""
    with open(cache() / (name + ".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def fresh_folder(target):
    """An empty folder that becomes `target` when the block ends well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix=target.name + ".", dir=target.parent))
    try:
        yield folder
        shutil.rmtree(target, ignore_errors=True)
        folder.chmod(0o755)
        folder.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def digest(*parts):
    """A short name for this content: paths stand for what is in them."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, pathlib.Path):
            with open(part, "rb") as file:
                part = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(b"%d:" % len(str(part)) + str(part).encode())
    return total.hexdigest()[:20]


class Cpio:
    """A "newc" archive, the form the kernel unpacks: written without root, the same bytes for the same content."""

    def __init__(self, file):
        self.file, self.inode, self.known = file, 0, set()

    def _entry(self, name, mode, data=b"", device=(0, 0)):
        self.inode += 1
        name = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
        self.file.write(head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4))

    def _new(self, path):
        """Its parents are there, and it is not."""
        path = path.strip("/")
        if path in self.known:
            return None
        self.known.add(path)
        parent = os.path.dirname(path)
        if parent:
            self.folder(parent)
        return path

    def folder(self, path, mode=0o755):
        path = self._new(path)
        if path:
            self._entry(path, stat.S_IFDIR | mode)

    def link(self, path, target):
        path = self._new(path)
        if path:
            self._entry(path, stat.S_IFLNK | 0o777, target.encode())

    def write(self, path, data, mode=0o644):
        path = self._new(path)
        if path:
            self._entry(path, stat.S_IFREG | mode, data)

    def device(self, path, major, minor, mode=0o600):
        path = self._new(path)
        if path:
            self._entry(path, stat.S_IFCHR | mode, device=(major, minor))

    def copy(self, source, path):
        """A file of this machine, links followed."""
        self.write(path, pathlib.Path(source).read_bytes(), 0o755 if os.access(source, os.X_OK) else 0o644)

    def end(self):
        self._entry("TRAILER!!!", 0)
        self.file.write(b"\0" * (-self.file.tell() % 512))

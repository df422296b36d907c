# SPDX-License-Identifier: GPL-2.0-or-later
"""The channel to a machine's agent (agent/agent.h): frames over a unix socket, many processes at once.

One thread reads; whoever waits for a process waits on one condition. A process's numbers are never used
again, so that what comes late for one that was given up is dropped.
"""
import itertools
import os
import signal
import socket
import struct
import threading
import time

HEADER = struct.Struct("<III")
PAYLOAD = 256 * 1024 - 64
GRACE = 10  # seconds that the agent has for what takes it milliseconds, on a busy host too


class Dead(Exception):
    """The machine is gone, or answers no more."""


class Timeout(Exception):
    """A command took longer than it may. The machine lives; out and err are what the command wrote."""
    out = err = b""


class Channel:
    """Frames to and from the agent behind this socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.changed = threading.Condition()
        self.sending = threading.Lock()
        self.processes, self.numbers = {}, itertools.count(1)
        self.release, self.over = None, False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def send(self, *frames):
        text = b"".join(HEADER.pack(len(data), number, ord(kind)) + data for kind, number, data in frames)
        try:
            with self.sending:
                self.socket.sendall(text)
        except OSError:
            raise Dead("the machine is gone") from None

    def hello(self, timeout):
        """Gives the machine the time of day and randomness of its own; returns its kernel's release."""
        self.release = None
        self.send(("h", 0, struct.pack("<Q", time.time_ns()) + os.urandom(64)))
        self.wait_for(lambda: self.release, timeout)
        return self.release

    def wait_for(self, condition, timeout):
        """Until condition() is true; raises Timeout or Dead. Without a timeout: for ever."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self.changed:
            while not condition():
                if self.over:
                    raise Dead("the machine is gone")
                left = None if deadline is None else max(0, deadline - time.monotonic())
                if not self.changed.wait(left) and not condition():
                    raise Timeout("not within %g s" % timeout)

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other side was first
        self.thread.join()
        self.socket.close()

    def _read(self):
        buffer = bytearray()
        while True:
            try:
                data = self.socket.recv(1 << 20)
            except OSError:
                data = b""
            if not data:
                break
            buffer += data
            with self.changed:
                self._take(buffer)
                self.changed.notify_all()
        with self.changed:
            self.over = True
            self.changed.notify_all()

    def _take(self, buffer):
        at = 0
        while len(buffer) - at >= HEADER.size:
            length, number, kind = HEADER.unpack_from(buffer, at)
            if len(buffer) - at - HEADER.size < length:
                break
            data = bytes(buffer[at + HEADER.size:at + HEADER.size + length])
            at += HEADER.size + length
            if kind == ord("H"):
                self.release = data.decode()
            elif number in self.processes:
                self.processes[number].note(chr(kind), data)
        del buffer[:at]


class Process:
    """A command that runs in the machine."""

    def __init__(self, channel, argv, env, net, mnt, cwd, stdin=None):
        self.channel, self.argv = channel, [str(word) for word in argv]
        self.number = next(channel.numbers)
        self.pid = self.code = None
        self.out, self.err = bytearray(), bytearray()
        words = [net, mnt, cwd]
        words = [str(word or "") for word in words] + [str(len(self.argv)), *self.argv]
        words += ["%s=%s" % pair for pair in (env or {}).items()]
        request = b"".join(os.fsencode(word) + b"\0" for word in words)
        if len(request) > PAYLOAD:
            raise OSError("the command is too long: %d bytes" % len(request))
        channel.processes[self.number] = self
        channel.send(("x", self.number, request), *(self._input(stdin) if stdin is not None else ()))

    def note(self, kind, data):
        """What the agent says of it (by the reading thread, under the channel's lock)."""
        if kind == "O":
            self.out += data
        elif kind == "E":
            self.err += data
        elif kind == "S":
            self.pid = struct.unpack("<I", data)[0]
        elif kind == "X":
            self.code = struct.unpack("<i", data)[0]
            del self.channel.processes[self.number]

    def _input(self, data):
        """Frames that carry all of stdin, and its end."""
        for at in range(0, len(data), PAYLOAD):
            yield "i", self.number, bytes(data[at:at + PAYLOAD])
        yield "i", self.number, b""

    def write(self, data):
        for at in range(0, len(data), PAYLOAD):
            self.channel.send(("i", self.number, bytes(data[at:at + PAYLOAD])))

    def eof(self):
        self.channel.send(("i", self.number, b""))

    def started(self, timeout=GRACE):
        """Waits until it has a pid."""
        self.channel.wait_for(lambda: self.pid is not None or self.code is not None, timeout)
        return self

    def line(self, timeout=30):
        """The next line of stdout; b"" at its end."""
        return self._line(self.out, timeout)

    def error_line(self, timeout=30):
        return self._line(self.err, timeout)

    def _line(self, buffer, timeout):
        self.channel.wait_for(lambda: b"\n" in buffer or self.code is not None, timeout)
        with self.channel.changed:
            end = buffer.find(b"\n") + 1 or len(buffer)
            taken = bytes(buffer[:end])
            del buffer[:end]
        return taken

    def poll(self):
        return self.code

    def wait(self, timeout=30):
        self.channel.wait_for(lambda: self.code is not None, timeout)
        return self.code

    def communicate(self, stdin=b"", timeout=30):
        """Gives it this input and waits for its end; what it wrote and line() has not taken."""
        self.channel.send(*self._input(stdin))
        self.wait(timeout)
        return bytes(self.out), bytes(self.err)

    def kill(self, number=signal.SIGKILL, group=False):
        self.channel.send(("k", self.number, struct.pack("<II", number, group)))

    def give_up(self):
        """Kills it and what it started; it is over when this returns."""
        self.kill(signal.SIGKILL, group=True)
        try:
            self.wait(GRACE)
        except Timeout:
            raise Dead("the machine does not answer") from None

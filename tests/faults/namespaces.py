"""Networks of our own on this machine: a server, a router and viewers, each in a namespace.

                   +--------+  10.99.1.0/24   viewer 1
    server --------| router |--------
      10.99.0.0/24 +--------+  10.99.2.0/24   viewer 2 ...

A namespace lives as long as the process that holds it open, and takes its devices along. Root makes
them as they are; everybody else within a user namespace, where the system grants that.
"""

from __future__ import annotations

import functools
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest

NEEDED = ("unshare", "nsenter", "ip", "tc")
PATIENCE = 20.0
SERVER_HOST = "10.99.0.2"

# Makes a socket of the kind that each byte says, until we hang up.
_HOLDER = """
import socket
channel = socket.socket(fileno=0)
channel.send(b"ready")
while kind := channel.recv(1):
    with socket.socket(socket.AF_INET, kind[0]) as made:
        socket.send_fds(channel, [b"here"], [made.fileno()])
"""


@functools.cache
def _needs_user_namespace() -> bool:
    """Tell which kind of namespaces this system grants us. Skips the test if none."""
    missing = [command for command in NEEDED if shutil.which(command) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    for options in ((), ("--user", "--map-root-user")):
        probe = ("unshare", *options, "--net", "ip", "link", "add", "type", "veth")
        if not subprocess.run(probe, stderr=subprocess.DEVNULL).returncode:
            return bool(options)
    pytest.skip("this system grants no network namespace, not even to root")


class Namespace:
    """A network stack of its own, for a `with` statement; it has `lo` and nothing else."""

    def __init__(self, first: Namespace | None = None) -> None:
        """Join the user namespace of the `first`, where there is one."""
        self._first = first

    def __enter__(self) -> Namespace:
        in_user_namespace = _needs_user_namespace()
        command = ["unshare", "--net", sys.executable, "-ISc", _HOLDER]
        if self._first is not None:
            command = [*self._first.prefix, *command]
        elif in_user_namespace:
            command[1:1] = ["--user", "--map-root-user"]
        self._channel, theirs = socket.socketpair()
        self._channel.settimeout(PATIENCE)
        with theirs:
            self._holder = subprocess.Popen(command, stdin=theirs)
        self.prefix = ("nsenter", "--target", str(self._holder.pid), "--net")
        if in_user_namespace:
            self.prefix += ("--user", "--preserve-credentials")
        try:
            assert self._channel.recv(5) == b"ready", "no namespace"
            self.configure("link set lo up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._channel.close()
        self._holder.wait(PATIENCE)

    @property
    def pid(self) -> int:
        """The process that holds the namespace."""
        return self._holder.pid

    def run(self, *command: str, words: str = "") -> None:
        """Run a command in here, with `words` on its stdin."""
        command = (*self.prefix, *command)
        subprocess.run(command, input=words, text=True, check=True, timeout=PATIENCE)

    def configure(self, *commands: str) -> None:
        """Run commands of ip."""
        self.run("ip", "-batch", "-", words="\n".join(commands) + "\n")

    def socket(self, kind: socket.SocketKind) -> socket.socket:
        """Return a socket that lives in here, for this process."""
        self._channel.send(bytes([kind]))
        _, descriptors, _, _ = socket.recv_fds(self._channel, 4, 1)
        return socket.socket(fileno=descriptors[0])


class Network:
    """A server's network, a router and as many viewers' networks as wanted, counted from 1."""

    def __init__(self, viewers: int) -> None:
        self._count = viewers

    def __enter__(self) -> Network:
        with ExitStack() as stack:
            self._router = stack.enter_context(Namespace())
            places = [Namespace(self._router) for _ in range(self._count + 1)]
            for number, place in enumerate(places):
                self._connect(stack.enter_context(place), number)
            self._router.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
            self.server, *self._viewers = places
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _connect(self, place: Namespace, number: int) -> None:
        self._router.configure(
            f"link add name to{number} type veth peer name net netns {place.pid}",
            f"address add 10.99.{number}.1/24 dev to{number}",
            f"link set to{number} up",
        )
        place.configure(
            f"address add 10.99.{number}.2/24 dev net",
            "link set net up",
            f"route add default via 10.99.{number}.1",
        )

    @property
    def router(self) -> Namespace:
        """What is between the server and the viewers."""
        return self._router

    def viewer(self, number: int) -> Namespace:
        """The network of a viewer."""
        return self._viewers[number - 1]

    def narrow(self, number: int, mtu: int) -> None:
        """Let only small packets pass between the router and a viewer, or the server (0)."""
        place = self.viewer(number) if number else self.server
        for end, device in ((self._router, f"to{number}"), (place, "net")):
            end.configure(f"link set {device} mtu {mtu}")

    def slow_down(self, number: int, rate: str) -> None:
        """Limit what goes to a viewer, with a queue of 300 ms before it, as routers have."""
        limit = ("tbf", "rate", rate, "burst", "16kb", "latency", "300ms")
        self._router.run("tc", "qdisc", "add", "dev", f"to{number}", "root", *limit)

    def cut(self, number: int) -> None:
        """Take the way to a viewer away, without a word to either side."""
        self._router.configure(f"link set to{number} down")

    def deafen(self, number: int) -> None:
        """Let nothing get to a viewer any more, while all that it sends gets through."""
        self._router.configure(f"route add blackhole 10.99.{number}.2/32")

    def mend(self, number: int) -> None:
        """Undo `cut`."""
        self._router.configure(f"link set to{number} up")

"""Sockets that listen on a port: for both address families, and shared with no other program."""

from __future__ import annotations

import errno
import socket
import sys

ALL_IPV4 = "0.0.0.0"
BACKLOG = 512  # connections that may wait to be accepted: a class that starts at the same time
PORT_TRIES = 16  # a port that is free in IPv4 is rarely taken in IPv6
# Errors of a system without IPv6, or whose IPv6 can't be used.
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT)


def open_listener(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a socket that listens; port 0 is a free one. Raises OSError.

    `shared` lets our other processes share the port, by SO_REUSEPORT. On Windows SO_REUSEADDR would
    let any program take it over, and SO_EXCLUSIVEADDRUSE prevents that.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    exclusive = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)
    if sys.platform != "win32" or exclusive is None:
        return _create_server(host, port, family, shared)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, exclusive, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _create_server(host: str, port: int, family: int, shared: bool) -> socket.socket:
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=shared)
    except OSError as error:
        if error.strerror:  # Python appends what it was about to do
            error.strerror = error.strerror.partition(" (while")[0]
        raise


def open_both(port: int) -> list[socket.socket]:
    """Return sockets for IPv4 and IPv6 on every address and one port, or IPv4's alone.

    Systems try IPv6 first for `localhost`, and Windows waits two seconds for it. Raises OSError if
    one family does not get the port: both use the same one.
    """
    for tries_left in reversed(range(PORT_TRIES)):
        first = open_listener(ALL_IPV4, port)
        try:
            return [first, open_listener("::", first.getsockname()[1])]
        except OSError as error:
            if not socket.has_ipv6 or error.errno in _NO_IPV6:
                return [first]
            first.close()
            if port or not tries_left:
                raise
    raise AssertionError("not reached")

"""A socket over an object that has only `recv` and `send`, as grading scripts make them.

Data that is sent goes to the object at once. Data from it comes through a socket pair, because a
selector can watch only the system's own sockets:

    object.recv -> thread "bare socket" ==== socket pair ====> recv of ours
    object.send <- send of ours
"""

from __future__ import annotations

import _socket
import socket
import threading
from typing import Any

RECEIVE_SIZE = 4096  # bytes per recv: lab programs read 256 or 1,024
# Ends each of the object's messages, which have no other mark: in the lab, each `recv` is a
# message.
_END_OF_MESSAGE = b"\n\n"


# As it is before a script puts a mock in its place.
SOCKET = socket.socket


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """As socket.socketpair, even if a script has replaced socket.socket."""
    if hasattr(_socket, "socketpair"):
        one, other = _socket.socketpair()
        return SOCKET(fileno=one.detach()), SOCKET(fileno=other.detach())
    # On Windows that is Python code, which would call what the script has put there.
    with SOCKET() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        ours = SOCKET()
        ours.connect(listener.getsockname())
        while True:
            number, address = listener._accept()  # type: ignore[attr-defined]
            theirs = SOCKET(fileno=number)
            if address == ours.getsockname():
                return ours, theirs
            theirs.close()  # another program's


def is_bare(candidate: Any) -> bool:
    """Tell if an object used as a socket is not a real socket."""
    fileno = getattr(candidate, "fileno", None)
    return not (callable(fileno) and isinstance(fileno(), int))


class BareSocket(socket.socket):
    """A socket over an object that has `send` or `sendall`, and `recv` if anything is to come."""

    def __init__(self, bare: Any) -> None:
        ours, self._feeder = socket_pair()
        super().__init__(ours.family, ours.type, ours.proto, fileno=ours.detach())
        self.bare = bare

    def begin_to_receive(self, stays_open: bool = False) -> None:
        """Start a thread that reads from the object until it returns nothing, or fails.

        That ends the connection; with `stays_open` a failure does not.
        """
        # A daemon: nothing can end an object's own `recv`.
        threading.Thread(
            target=self._feed, args=(stays_open,), name="bare socket", daemon=True
        ).start()

    def _feed(self, stays_open: bool) -> None:
        try:
            while data := self.bare.recv(RECEIVE_SIZE):
                message = data.encode() if isinstance(data, str) else bytes(data)
                self._feeder.sendall(message.rstrip(b"\r\n") + _END_OF_MESSAGE)
        except Exception:  # the script's own: nothing more will come, whatever it says
            if stays_open:
                return
        self._feeder.close()

    def send(self, data: Any, flags: int = 0) -> int:
        """Pass data to the object. Raises whatever it raises."""
        send = getattr(self.bare, "send", None) or self.bare.sendall
        send(bytes(data))
        return len(data)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Pass data to the object. Raises whatever it raises."""
        self.send(data)

    def getsockname(self) -> tuple[str, int]:
        """It has no address."""
        return "", 0

    def getpeername(self) -> tuple[str, int]:
        """Nor has what it talks to."""
        return "", 0

    def close(self) -> None:
        """Close both ends, and the object if it can be closed."""
        self._feeder.close()
        super().close()
        close = getattr(self.bare, "close", None)
        if callable(close):
            close()

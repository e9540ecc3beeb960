"""A socket over an object that has no more than `recv` and `send`, as scripts of graders make them.

What is sent goes to the object at once. What it gives comes by a socket pair, since a selector can
watch only what the system knows:

    object.recv -> thread "bare socket" ==== socket pair ====> recv of ours
    object.send <- send of ours
"""

from __future__ import annotations

import _socket
import socket
import threading
from typing import Any

RECEIVE_SIZE = 4096  # bytes per recv: lab programs read 256 or 1,024
# Ends what the object gives: it has no other mark, and each `recv` is a message in the lab.
_END_OF_MESSAGE = b"\n\n"


# As it is before a script puts a mock in its place.
SOCKET = socket.socket


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Return what socket.socketpair does, even where a script has replaced socket.socket."""
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
        """Have a thread ask the object for what comes, until it gives nothing, or fails.

        That ends the connection; with `stays_open` only nothing does, and no failure.
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
        except Exception:  # a script's own: it has no more to give, whatever it says
            if stays_open:
                return
        self._feeder.close()

    def send(self, data: Any, flags: int = 0) -> int:
        """Hand data to the object. Raises what it raises."""
        send = getattr(self.bare, "send", None) or self.bare.sendall
        send(bytes(data))
        return len(data)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Hand data to the object. Raises what it raises."""
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

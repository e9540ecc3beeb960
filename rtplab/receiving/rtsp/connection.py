"""The client's end of one RTSP connection: requests out, replies and their deadlines in."""

from __future__ import annotations

import selectors
import socket
import ssl
import threading

from rtplab.baresocket import BareSocket, is_bare, socket_pair
from rtplab.clock import steady
from rtplab.protocol.addresses import host_of
from rtplab.protocol.errors import ConnectionLost, MessageError, SessionError
from rtplab.protocol.forgiveness import Forgiveness
from rtplab.protocol.rtsp.messages import Dialect, InterleavedFrame, Request, Response, printable
from rtplab.protocol.rtsp.responseparser import ResponseParser
from rtplab.protocol.tls import ALERT
from rtplab.receiving.files.pcapng import Endpoint
from rtplab.receiving.rtp.rtpsocket import Clock
from rtplab.receiving.rtsp.trust import TlsSocket, TlsTrust

RECEIVE_SIZE = 64 * 1024  # bytes per recv
# OpenSSL's reasons, in its various versions, for an answer that is not TLS.
_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}


class ClientConnection:
    """A connection to a server. One thread receives; any may send, expect, or hang up.

    Half of its attributes are sockets and the means to wake their reader; the others hold input.
    """

    def __init__(
        self,
        host: str,
        port: int,
        dialect: Dialect,
        trust: TlsTrust | None = None,
        timeout: float = 5.0,
        clock: Clock = steady,
        connected: socket.socket | None = None,
    ) -> None:
        """Connect within `timeout` seconds; with `trust`, over TLS, within as many again.

        A socket that is `connected` already is used as it is. Raises SessionError with a sentence
        for the user.
        """
        context = trust.context() if trust is not None else None
        try:
            self._socket = connected or socket.create_connection((host, port), timeout)
        except (OSError, UnicodeError) as error:
            raise SessionError(explain_connect(error, host, port)) from error
        if is_bare(self._socket):
            self._socket = BareSocket(self._socket)
        try:
            if not isinstance(self._socket, BareSocket):
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.server = Endpoint(*self._socket.getpeername()[:2])
            self.server_host = host_of(self._socket.getpeername())
            self.local = Endpoint(*self._socket.getsockname()[:2])  # as the server sees us
        except OSError as error:  # the server has hung up already
            self._socket.close()
            raise SessionError(explain_connect(error, host, port)) from error
        self.request_count = 0  # the CSeq of the last request
        self._clock = clock
        self._stream: socket.socket | TlsSocket = self._socket
        if context is not None:
            self._stream = self._shake_hands(context, host, port, timeout)
        self._wake_reader, self._wake_writer = socket_pair()
        self._wake_writer.setblocking(False)
        self._parser = ResponseParser(dialect)
        self._place = f"{host} port {port}"
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        self._closing = threading.Event()
        self._has_received = False
        self._end: SessionError | None = None  # why nothing more will arrive

    def begin_session(self, forgiveness: Forgiveness) -> None:
        """Report mistakes forgiven from now on to `forgiveness`."""
        self._parser.forgiveness = forgiveness

    @property
    def own_socket(self) -> socket.socket:
        """The socket that is connected, inside TLS or not."""
        return self._socket

    def _shake_hands(
        self, context: ssl.SSLContext, host: str, port: int, timeout: float
    ) -> TlsSocket:
        try:
            return TlsSocket(self._socket, context, host, timeout)
        except (OSError, ValueError) as error:
            self._socket.close()
            raise SessionError(explain_tls(error, host, port)) from error

    def send(self, data: bytes) -> None:
        """Send a request at once, and make `receive` recheck its deadline. Raises OSError."""
        self._stream.sendall(data)
        self._wake()

    def receive(self, deadline: float | None) -> Response | Request | InterleavedFrame | None:
        """Return the next message, or None at the deadline or when another thread called `send`.

        At the deadline, the data a lab server has sent so far counts as its reply.
        Raises SessionError if the connection has ended or is not RTSP.
        """
        try:
            message = self._parser.next(self._clock())
            if message is None and not self._end:
                self._wait(deadline)
                message = self._parser.next(self._clock())
            overdue = deadline is not None and self._clock() >= deadline
            if message is None and (overdue or self._end):
                message = self._parser.rest()
        except MessageError as error:
            sentence = f"The server's response is malformed: {error}."
            raise SessionError(self._foreign_language() or sentence) from error
        if message is None and (overdue or self._end or self._parser.speaks_http):
            foreign = self._foreign_language()
            self._end = SessionError(foreign) if foreign else self._end
        if message is None and self._end:
            raise self._end
        return message

    def has_more(self) -> bool:
        """Tell if received data is still unread."""
        ready = [key.fileobj for key, _ in self._selector.select(0)]
        return self._parser.has_more or self._socket in ready

    def _foreign_language(self) -> str:
        """Say that the server does not speak RTSP; "" if it does, or has sent nothing."""
        line = self._parser.foreign_line
        if not line:
            return ""
        port = "use the RTSP server's port, usually 554"
        if self._parser.speaks_http:
            return f"{self._place} speaks HTTP, not RTSP: {port}, or an http:// address."
        return f'{self._place} does not speak RTSP (it says "{printable(line, 40)}"): {port}.'

    def _wait(self, deadline: float | None) -> None:
        """Feed the parser with the data that arrives before `deadline` or the parser's own."""
        deadlines = [moment for moment in (deadline, self._parser.deadline()) if moment is not None]
        timeout = max(0.0, min(deadlines) - self._clock()) if deadlines else None
        ready = {key.fileobj for key, _ in self._selector.select(timeout)}
        if self._wake_reader in ready:
            self._wake_reader.recv(4096)
        if self._closing.is_set():
            self._end = SessionError("The connection has been closed.")
        elif self._socket in ready:
            self._feed()

    def _feed(self) -> None:
        try:
            data = self._stream.recv(RECEIVE_SIZE)
        except OSError as error:
            self._end = ConnectionLost(f"The connection to the server is lost ({error.strerror}).")
            return
        if not data:
            closed = ConnectionLost("The server closed the connection.")
            self._end = closed if data == b"" else None
        elif self._stream is self._socket and data[0] == ALERT and not self._has_received:
            self._end = SessionError("The server speaks TLS on this port: use an rtsps:// address.")
        else:
            self._has_received = True
            self._parser.feed(data, self._clock())

    def hang_up(self) -> None:
        """Make `receive` raise, from any thread."""
        self._closing.set()
        self._wake()

    def _wake(self) -> None:
        try:
            self._wake_writer.send(b"x")
        except BlockingIOError:
            pass  # it has been told often enough: a server's many questions are answered in a row

    def close(self) -> None:
        """Free the sockets; the receiving thread has ended."""
        self._selector.close()
        for end in (self._socket, self._wake_reader, self._wake_writer):
            end.close()


def explain_tls(error: Exception, host: str, port: int, plain: str = "rtsp://") -> str:
    """Say why TLS failed; `plain` is the scheme of an address without TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"The certificate of {host} is not trusted ({error.verify_message}): name its "
            "authority with --ca, or use --insecure."
        )
    if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
        return f"{host} port {port} does not speak TLS: use an {plain} address, or check the port."
    if isinstance(error, TimeoutError):
        return f"{host} port {port} does not answer the TLS handshake: use an {plain} address."
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return f"The TLS handshake with {host} port {port} failed ({reason})."


def explain_connect(error: Exception, host: str, port: int) -> str:
    """Say why connecting failed."""
    if isinstance(error, ConnectionRefusedError):
        return f"No server is listening on {host} port {port}: start it, or check the port."
    if isinstance(error, TimeoutError):
        return f"{host} port {port} does not answer: check the address and the firewall."
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return f"There is no host named {host}: check its spelling."
    return f"Can't connect to {host} port {port}: {getattr(error, 'strerror', error)}."

"""Which movie of which server a client is to play, by which transport, and as whom."""

from __future__ import annotations

from rtplab.protocol.errors import SessionError
from rtplab.protocol.forgiveness import Forgiveness
from rtplab.protocol.rtsp.messages import Dialect
from rtplab.protocol.rtsp.urls import Url, parse_stream_url
from rtplab.receiving.rtp.rtpsocket import Clock
from rtplab.receiving.rtsp.connection import ClientConnection
from rtplab.receiving.rtsp.dialogue import Dialogue
from rtplab.receiving.rtsp.labdialogue import LabDialogue
from rtplab.receiving.rtsp.login import Login
from rtplab.receiving.rtsp.standarddialogue import StandardDialogue
from rtplab.receiving.rtsp.trust import TlsTrust

MAX_REDIRECTIONS = 5  # in a row: more is a loop


class MovieSource:
    """A movie as its user has named it, then as a server has redirected us.

    A file name is asked for in the lab dialect, of `host` and `port`. An address goes before both,
    and `name` is then the address without a password: rtsp:// is asked for in the standard dialect,
    http:// of an HttpClient.
    """

    def __init__(
        self,
        host: str,
        port: int,
        name: str,
        transport: str = "auto",
        trust: TlsTrust | None = None,
    ) -> None:
        """`transport` (auto, udp or tcp) and `trust` are for addresses. Raises MessageError."""
        self.host, self.port, self.name = host, port, name
        self.transport = transport
        self.trust = trust or TlsTrust()
        self.login = Login()
        self.url: Url | None = None
        self._redirections = 0  # in a row
        if "://" in name:
            self._go_to(parse_stream_url(name))
            self.name = str(self.url)

    def redirect(self, url: Url) -> None:
        """The movie is at this address (RFC 2326 section 11.2). Raises SessionError in a loop."""
        self._redirections += 1
        if self._redirections > MAX_REDIRECTIONS:
            raise SessionError("The server sends us from one address to the next: given up.")
        self._go_to(url)

    def arrived(self) -> None:
        """The movie is where we have asked for it: redirections are counted from here."""
        self._redirections = 0

    def _go_to(self, url: Url) -> None:
        """Who we are to one server is no other's business."""
        is_elsewhere = self.url is None or (url.host, url.port) != (self.host, self.port)
        self.host, self.port, self.url = url.host, url.port, url
        if is_elsewhere:
            self.log_in()

    def log_in(self, user: str = "", password: str = "", allow_basic: bool = False) -> None:
        """Be this user, else the one that the address names. A lab server knows no users.

        `allow_basic` lets the password go where everybody on the way can read it.
        """
        if self.url is not None:
            if not user:
                user, password = self.url.user, self.url.password
            is_secret = self.url.is_encrypted and not self.trust.insecure
            may_be_sent = is_secret or self.trust.allow_basic or allow_basic
            self.login = Login(user, password, may_be_sent)

    @property
    def is_http(self) -> bool:
        """Tell if it is to be asked for by HTTP."""
        return self.url is not None and self.url.is_http

    def dialogue(self, forgiveness: Forgiveness | None = None) -> Dialogue:
        """Return what is to be said from SETUP on, in a session with this `forgiveness`."""
        if self.url is None:
            return LabDialogue(self.name, forgiveness)
        transport = "tcp" if self.url.is_encrypted else self.transport
        return StandardDialogue(self.url, transport, self.login, forgiveness)

    def connect(self, timeout: float, clock: Clock) -> ClientConnection:
        """Connect to the server. Raises SessionError with a sentence for the user."""
        dialect = Dialect.LAB if self.url is None else Dialect.STANDARD
        trust = self.trust if self.url is not None and self.url.is_encrypted else None
        return ClientConnection(self.host, self.port, dialect, trust, timeout, clock)

    def change_to_tcp(self) -> bool:
        """Have the media come by TCP after all; False when the user, or the lab, wants UDP."""
        may_change = self.url is not None and self.transport == "auto"
        if may_change:
            self.transport = "tcp"
        return may_change

"""The movie that a client plays: on which server, by which transport, as which user."""

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
    """A movie as the user has named it, or as a server has redirected us.

    A file name is requested in the lab dialect from `host` and `port`. An address overrides both,
    and `name` is then the address without a password: rtsp:// is requested in the standard dialect,
    http:// by an HttpClient.
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
        """Follow a redirection (RFC 2326 section 11.2). Raises SessionError in a loop."""
        self._redirections += 1
        if self._redirections > MAX_REDIRECTIONS:
            raise SessionError(
                "Too many redirects: the server keeps sending us to another address."
            )
        self._go_to(url)

    def arrived(self) -> None:
        """Note that the movie was found: redirections are counted from here."""
        self._redirections = 0

    def _go_to(self, url: Url) -> None:
        """Credentials for one server must not be sent to another."""
        is_elsewhere = self.url is None or (url.host, url.port) != (self.host, self.port)
        self.host, self.port, self.url = url.host, url.port, url
        if is_elsewhere:
            self.log_in()

    def log_in(self, user: str = "", password: str = "", allow_basic: bool = False) -> None:
        """Use this user, or else the one in the address. Lab servers have no users.

        `allow_basic` allows a password that anyone on the path can read.
        """
        if self.url is not None:
            if not user:
                user, password = self.url.user, self.url.password
            is_secret = self.url.is_encrypted and not self.trust.insecure
            may_be_sent = is_secret or self.trust.allow_basic or allow_basic
            self.login = Login(user, password, may_be_sent)

    @property
    def is_http(self) -> bool:
        """Tell if it is requested by HTTP."""
        return self.url is not None and self.url.is_http

    def dialogue(self, forgiveness: Forgiveness | None = None) -> Dialogue:
        """Return the dialogue for a new session, from SETUP on; it reports to `forgiveness`."""
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
        """Switch to TCP; False if the user, or the lab dialect, wants UDP."""
        may_change = self.url is not None and self.transport == "auto"
        if may_change:
            self.transport = "tcp"
        return may_change

"""A user's name and password, and the answers they give to a server's challenges."""

from __future__ import annotations

import secrets

from rtplab.protocol.errors import MessageError, SessionError
from rtplab.protocol.rtsp.auth import Challenge, answer, parse_challenges
from rtplab.protocol.rtsp.messages import Headers

MAX_ANSWERS = 1  # to challenges of one request: more is guessing
MAX_STALE_ANSWERS = 2  # where the server says that only the nonce was too old


class LoginNeeded(SessionError):
    """The server asks for a user name and a password, or does not accept those it was given."""


class PasswordInTheOpen(LoginNeeded):
    """The server takes the password only in a form that is not sent unless its owner says so."""


class Login:
    """Who we are to one server. It shows the password to nobody, and proves it where it can."""

    def __init__(self, user: str = "", password: str = "", allow_basic: bool = False) -> None:
        """`allow_basic`: the password itself may be sent, as nobody can read along, or may."""
        self.user = user
        self._password = password
        self._allow_basic = allow_basic
        self._challenge: Challenge | None = None
        self._count = 0  # requests that the challenge's nonce has been used for
        self._answers = 0

    def begin_request(self) -> None:
        """A request that has not been sent yet follows."""
        self._answers = 0

    def take(self, headers: Headers) -> None:
        """Take the headers of a 401; the request is then to be sent again, with `authorization`.

        Raises LoginNeeded when there is nothing more to say, SessionError when there never was.
        """
        challenge = self._choose(headers)
        if not self.user:
            raise LoginNeeded("The server asks for a user name and a password.")
        if self._answers >= (MAX_STALE_ANSWERS if challenge.stale else MAX_ANSWERS):
            raise LoginNeeded("The server does not accept this user name and password.")
        self._answers += 1
        self._challenge, self._count = challenge, 0

    def authorization(self, method: str, uri: str) -> list[tuple[str, str]]:
        """Return the header that a request needs; none before the first challenge."""
        if self._challenge is None:
            return []
        self._count += 1
        credentials = answer(
            self._challenge,
            self.user,
            self._password,
            method,
            uri,
            self._count,
            secrets.token_hex(8),
        )
        return [("Authorization", credentials.serialise())]

    def _choose(self, headers: Headers) -> Challenge:
        """Return the strongest challenge that can be answered safely."""
        values = [value for name, value in headers if name.lower() == "www-authenticate"]
        try:
            challenges = parse_challenges(values)
        except MessageError as error:
            raise SessionError(f"The server asks for a password, but in {error}.") from error
        if not challenges:
            raise SessionError("The server asks for a password in no way that is known here.")
        if challenges[0].scheme == "Basic" and not self._allow_basic:
            raise PasswordInTheOpen(
                "The server takes the password only in a form that everybody on the way can read "
                "(Basic without TLS): it was not sent. --allow-basic allows it."
            )
        return challenges[0]

"""A user's name and password, and the answers to a server's challenges."""

from __future__ import annotations

import secrets

from rtplab.protocol.errors import MessageError, SessionError
from rtplab.protocol.rtsp.auth import Challenge, answer, parse_challenges
from rtplab.protocol.rtsp.messages import Headers

MAX_ANSWERS = 1  # to challenges of one request: more is guessing
MAX_STALE_ANSWERS = 2  # where the server says that only the nonce was too old


class LoginNeeded(SessionError):
    """The server asks for a user name and a password, or rejects the given ones."""


class PasswordInTheOpen(LoginNeeded):
    """The server accepts only an unencrypted password, which needs the user's permission."""


class Login:
    """The credentials for one server. The password is sent only if a digest won't do."""

    def __init__(self, user: str = "", password: str = "", allow_basic: bool = False) -> None:
        """`allow_basic`: the password itself may be sent (encrypted line, or user's consent)."""
        self.user = user
        self._password = password
        self._allow_basic = allow_basic
        self._challenge: Challenge | None = None
        self._count = 0  # requests for which the challenge's nonce has been used
        self._answers = 0

    def begin_request(self) -> None:
        """Note that a new request follows, not a repeated one."""
        self._answers = 0

    def take(self, headers: Headers) -> None:
        """Take the headers of a 401. Then send the request again, with `authorization`.

        Raises LoginNeeded if the credentials are missing or rejected, SessionError if no challenge
        can be answered.
        """
        challenge = self._choose(headers)
        if not self.user:
            raise LoginNeeded("The server asks for a user name and a password.")
        if self._answers >= (MAX_STALE_ANSWERS if challenge.stale else MAX_ANSWERS):
            raise LoginNeeded("The server does not accept this user name and password.")
        self._answers += 1
        self._challenge, self._count = challenge, 0

    def authorization(self, method: str, uri: str) -> list[tuple[str, str]]:
        """Return the headers that a request needs; an empty list before the first challenge."""
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
            raise SessionError(
                f"The server asked for a password, but its challenge is malformed: {error}."
            ) from error
        if not challenges:
            raise SessionError(
                "The server asks for a password, but offers neither Digest nor Basic."
            )
        if challenges[0].scheme == "Basic" and not self._allow_basic:
            raise PasswordInTheOpen(
                "The server accepts the password only unencrypted (Basic without TLS), so it was "
                "not sent. To send it anyway, use --allow-basic."
            )
        return challenges[0]

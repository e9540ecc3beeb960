"""Login by HTTP Digest (RFC 7616), for browsers: they use several connections at once.

So a nonce is good on all of them: it contains the time when it was made, and a code that proves
that we made it. Replays are not detected: anyone who reads the traffic sees the pictures anyway.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.auth import Challenge, DigestCredentials, parse_authorization
from rtplab.serving.admission.access import NONCE_LIFETIME, UserDatabase


class Refused(Exception):
    """Login is missing or wrong: wait `delay` seconds, then send these WWW-Authenticate headers."""

    def __init__(self, challenges: list[str], delay: float = 0.0) -> None:
        super().__init__()
        self.challenges = challenges
        self.delay = delay


class TooManyTries(Exception):
    """Too many logins from this address are waiting, so this one is not checked."""


class HttpLogin:
    """Checks logins. For all threads."""

    def __init__(self, users: UserDatabase) -> None:
        self._users = users
        self._key = secrets.token_bytes(32)

    def check(self, authorization: str, method: str, target: str, host: str, now: float) -> None:
        """Return only if a request is allowed; `now` in seconds. Raises Refused, TooManyTries."""
        try:
            credentials = parse_authorization(authorization) if authorization else None
        except MessageError:
            credentials = None
        if not isinstance(credentials, DigestCredentials):
            raise Refused(self._challenges(now))
        tries = self._users.failed_tries
        if not tries.may_try(host, now):
            raise TooManyTries
        secret = self._users.secret(credentials.user, credentials.algorithm)
        fits = credentials.realm == self._users.realm and credentials.uri == target
        if not credentials.is_proof(secret, method) or not fits:
            raise Refused(self._challenges(now), tries.add(host, now))
        if not self._is_fresh(credentials.nonce, now):
            raise Refused(self._challenges(now, stale=True))

    def _challenges(self, now: float, stale: bool = False) -> list[str]:
        made = f"{int(now):x}"
        nonce = f"{made}.{self._code(made)}"
        return [
            Challenge(
                "Digest", self._users.realm, nonce, algorithm, has_qop=True, stale=stale
            ).serialise()
            for algorithm in self._users.algorithms
        ]

    def _is_fresh(self, nonce: str, now: float) -> bool:
        made, _, code = nonce.partition(".")
        is_ours = hmac.compare_digest(code.encode(), self._code(made).encode())
        return is_ours and now - int(made, 16) < NONCE_LIFETIME

    def _code(self, made: str) -> str:
        return hmac.new(self._key, made.encode("utf-8", "replace"), hashlib.sha256).hexdigest()

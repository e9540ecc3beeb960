"""The users of the server, the challenge of each connection, and delays for guessers."""

from __future__ import annotations

import ipaddress
import re
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.auth import (
    ALGORITHMS,
    MD5,
    SHA_256,
    Challenge,
    Credentials,
    DigestCredentials,
    parse_authorization,
    secret_of,
)
from rtplab.protocol.rtsp.messages import Request, Response, printable
from rtplab.protocol.rtsp.urls import unquoted_name

REALM = "rtplab"
PUBLISH = ":publish"  # after the password of a user who may publish
# Seconds that a nonce is good for: a viewer who watches longer is asked again, and its player
# answers by itself.
NONCE_LIFETIME = 300.0
# Seconds by which the answer to an address's first failed login is delayed; each further delay is
# twice as long, up to the longest. A user who mistypes once hardly notices.
FIRST_DELAY = 0.25
LONGEST_DELAY = 4.0
FORGET_AFTER = 600.0  # seconds without another failed try
# Failed logins of one address that may wait for answers at once. Further ones are not
# checked: otherwise many connections would give one guess per connection every few seconds.
MAX_WAITING = 32
MAX_REMEMBERED = 4096  # addresses with failed tries; the one that failed longest ago is forgotten
MAX_USERS_FILE = 1024 * 1024  # bytes: some 10,000 users

_SCHEME_AND_HOST = re.compile(r"\A[a-z]+://[^/]*", re.IGNORECASE)
_HEX_DIGITS = {MD5: 32, SHA_256: 64}


class UsersError(ValueError):
    """An invalid user database, in one sentence."""


class UserDatabase:
    """The users, the hash of each password in each algorithm, and failed logins."""

    def __init__(
        self,
        passwords: list[tuple[str, str]],
        file: Path | None = None,
        publishers: Iterable[str] = (),
    ) -> None:
        """Take users with their passwords, and those of an htdigest file.

        Some of them, `publishers`, may publish streams as well as watch. Raises UsersError, and
        OSError when the file can't be read.
        """
        self.failed_tries = FailedTries()
        self.realm = REALM
        self.publishers = frozenset(publishers)
        self._secrets: dict[str, dict[str, str]] = {}
        if file is not None:
            self._read(file)
        for user, password in passwords:
            if user in self._secrets:
                raise UsersError(f"The user {printable(user, 60)} is given twice.")
            self._secrets[user] = {
                algorithm: secret_of(user, self.realm, password, algorithm)
                for algorithm in ALGORITHMS
            }
        self.algorithms = [
            algorithm
            for algorithm in ALGORITHMS
            if all(algorithm in known for known in self._secrets.values())
        ]
        if not self._secrets or not self.algorithms:
            raise UsersError("There are no users, or they have no algorithm in common.")
        # Compared with when the user is unknown, so that the answer takes as long.
        self._nobody = secrets.token_hex(16)

    def _read(self, file: Path) -> None:
        """Read lines `user:realm:HA1`, as htdigest writes them; with SHA-256, HA1 is longer."""
        with file.open("rb") as opened:
            text = opened.read(MAX_USERS_FILE + 1).decode("utf-8", "surrogateescape")
        if len(text) > MAX_USERS_FILE:
            raise UsersError(f"{file} is larger than {MAX_USERS_FILE} bytes.")
        realms = set()
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip() and not line.startswith("#"):
                realms.add(self._add_line(line.strip(), f"{file}, line {number}"))
        if len(realms) > 1:
            raise UsersError(f"{file} has users of several realms: only one can be served.")
        self.realm = realms.pop() if realms else REALM

    def _add_line(self, line: str, place: str) -> str:
        user, _, rest = line.partition(":")
        realm, _, secret = rest.rpartition(":")
        algorithm = next((name for name, size in _HEX_DIGITS.items() if size == len(secret)), "")
        if not (user and realm and algorithm and re.fullmatch("[0-9a-fA-F]+", secret)):
            raise UsersError(f"{place} is not user:realm:HA1 as htdigest writes it.")
        known = self._secrets.setdefault(user, {})
        if algorithm in known:
            raise UsersError(f"{place} repeats a user.")
        known[algorithm] = secret.lower()
        return realm

    def secret(self, user: str, algorithm: str) -> str:
        """Return the user's HA1, or one that matches no password if the user is unknown."""
        return self._secrets.get(user, {}).get(algorithm, self._nobody)


class User(NamedTuple):
    """A user as the command line names one."""

    name: str
    password: str
    may_publish: bool = False


def parse_user(text: str) -> User:
    """Read NAME:PASSWORD or NAME:PASSWORD:publish.

    Raises ValueError, whose text does not show the password.
    """
    name, _, rest = text.partition(":")
    password = rest.removesuffix(PUBLISH)
    if not name or not password:
        raise ValueError("a user is given as NAME:PASSWORD, or as NAME:PASSWORD:publish")
    return User(name, password, may_publish=rest != password)


@lru_cache(maxsize=1024)  # used at every connection and every attempt
def address_key(host: str) -> str:
    """Return the key under which an address counts: in IPv6 the network, as one customer has it."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 4:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


@dataclass
class _Tries:
    """The failed tries of one address. Times are in seconds."""

    count: int = 0
    last: float = 0.0
    answers: list[float] = field(default_factory=list)  # when the delayed ones are due


class FailedTries:
    """The recent failed logins of each address. For all control threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the table
        self._tries: dict[str, _Tries] = {}  # by address; the most recent is last

    def add(self, host: str, now: float) -> float:
        """Count a failed attempt; return the seconds its answer must wait."""
        key = address_key(host)
        with self._lock:
            tries = self._tries.pop(key, _Tries())
            tries.count = 1 if now - tries.last > FORGET_AFTER else tries.count + 1
            tries.last = now
            if len(self._tries) >= MAX_REMEMBERED:
                del self._tries[next(iter(self._tries))]
            self._tries[key] = tries
            delay = float(min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(tries.count - 1, 16)))
            tries.answers.append(now + delay)
        return delay

    def may_try(self, host: str, now: float) -> bool:
        """Tell if another attempt from this address may be checked."""
        with self._lock:
            tries = self._tries.get(address_key(host))
            if tries is None:
                return True
            tries.answers = [due for due in tries.answers if due > now]
            return len(tries.answers) < MAX_WAITING


@dataclass
class AuthResult:
    """The result of one request's login: a refusal and its delay, or no refusal if it may pass."""

    refusal: Response | None = None
    delay: float = 0.0  # seconds


class Authenticator:
    """The challenge of one connection: its nonce is good on no other. In the control thread.

    Digest only: Basic would send the password itself.
    """

    def __init__(self, users: UserDatabase, host: str) -> None:
        self._users = users
        self._host = host
        self._nonce = ""
        self._expires = 0.0
        self._count = 0  # the highest nc that came with the nonce
        self.user = ""  # the last one to log in
        self._is_known = False  # has logged in once: guessers at its address do not disturb it

    def check(self, request: Request, now: float) -> AuthResult:
        """Admit or refuse a request; `now` in seconds. Raises MessageError 400.

        An unusable Authorization is treated as if it were missing: openRTSP sends one with an
        empty name, and players ask their user for a password only at 401.
        """
        values = [value for name, value in request.headers if name.lower() == "authorization"]
        if len(values) > 1:
            raise MessageError("more than one Authorization header")
        try:
            credentials = parse_authorization(values[0]) if values else None
        except MessageError:
            credentials = None
        if credentials is None:
            return AuthResult(self._challenge(now))
        if not self._is_known and not self._users.failed_tries.may_try(self._host, now):
            refusal = Response(503)
            refusal.explain("too many failed logins from this address: try again later")
            return AuthResult(refusal)
        result = self._check_digest(credentials, request, now)
        self._is_known |= result.refusal is None
        return result

    def _check_digest(self, credentials: Credentials, request: Request, now: float) -> AuthResult:
        users = self._users
        if not isinstance(credentials, DigestCredentials):
            return self._failed(now)
        secret = users.secret(credentials.user, credentials.algorithm)
        fits = credentials.realm == users.realm and _is_about(credentials.uri, request.uri)
        if not credentials.is_proof(secret, request.method) or not fits:
            return self._failed(now)
        if credentials.nonce != self._nonce or now >= self._expires:
            return AuthResult(self._challenge(now, stale=True))
        if credentials.count:
            if credentials.count <= self._count:  # RFC 7616 section 3.4: it is a replay
                self._expires = now
                return AuthResult(self._challenge(now, stale=True))
            self._count = credentials.count
        self.user = credentials.user
        return AuthResult()

    def _failed(self, now: float) -> AuthResult:
        return AuthResult(self._challenge(now), self._users.failed_tries.add(self._host, now))

    def _challenge(self, now: float, stale: bool = False) -> Response:
        """RFC 7616 sections 3.3 and 3.7: 401 with a challenge per algorithm, the strongest first.

        Players that know only MD5 take the last one.
        """
        if now >= self._expires:
            self._nonce, self._expires = secrets.token_hex(16), now + NONCE_LIFETIME
            self._count = 0
        response = Response(401)
        for algorithm in self._users.algorithms:
            challenge = Challenge(
                "Digest", self._users.realm, self._nonce, algorithm, has_qop=True, stale=stale
            )
            response.headers.add("WWW-Authenticate", challenge.serialise())
        return response


def _is_about(uri: str, request_uri: str) -> bool:
    """RFC 7616 section 3.4.6: `uri` must name the same resource as the request's URI.

    The spelling may differ: some clients write only the path, or omit the last slash. live555,
    and so VLC, names the movie in requests about its track.
    """
    path, request_path = _path(uri), _path(request_uri)
    return path == request_path or bool(path) and request_path.startswith(f"{path}/")


def _path(uri: str) -> str:
    return unquoted_name(_SCHEME_AND_HOST.sub("", uri)).rstrip("/")

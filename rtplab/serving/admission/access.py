"""Who may use the server: its users, the challenge of one connection, and slowness for guessers."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import threading
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.auth import (
    ALGORITHMS,
    MD5,
    SHA_256,
    BasicCredentials,
    Challenge,
    DigestCredentials,
    parse_authorization,
    secret_of,
)
from rtplab.protocol.rtsp.messages import Request, Response, printable

REALM = "rtplab"
# Seconds that a nonce is good for: a viewer who watches longer is asked again, and its player
# answers by itself.
NONCE_LIFETIME = 300.0
# Seconds that the first failed try of an address waits for its answer; each further one waits
# twice as long, up to the longest. Who has mistyped hardly notices.
FIRST_DELAY = 0.25
LONGEST_DELAY = 4.0
FORGET_AFTER = 600.0  # seconds without another failed try
# Wrong tries of one address that may wait for their answers at once. Further ones are not looked
# at: who guesses on many connections would have as many guesses as connections every few seconds.
MAX_WAITING = 32
MAX_REMEMBERED = 4096  # addresses with failed tries; the one that failed longest ago is forgotten
MAX_USERS_FILE = 1024 * 1024  # bytes: some 10,000 users

_HEX_DIGITS = {MD5: 32, SHA_256: 64}


class UsersError(ValueError):
    """Users that make no sense, in one sentence."""


class Users:
    """The users and, for each, what stands for the password in each algorithm."""

    def __init__(self, passwords: list[tuple[str, str]], file: Path | None = None) -> None:
        """Take users with their passwords, and those of an htdigest file.

        Raises UsersError, and OSError when the file can't be read.
        """
        self.realm = REALM
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
            raise UsersError("There is no user, or no algorithm that all users have.")
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
            raise UsersError(f"{place} gives a user a second time.")
        known[algorithm] = secret.lower()
        return realm

    def secret(self, user: str, algorithm: str) -> str:
        """Return what stands for the user's password; for nobody's, what no password fits."""
        return self._secrets.get(user, {}).get(algorithm, self._nobody)

    def is_password(self, credentials: BasicCredentials) -> bool:
        """Tell if Basic credentials are right; in constant time."""
        algorithm = self.algorithms[0]
        given = secret_of(credentials.user, self.realm, credentials.password, algorithm)
        return hmac.compare_digest(given, self.secret(credentials.user, algorithm))


def parse_user(text: str) -> tuple[str, str]:
    """Read NAME:PASSWORD. Raises ValueError, whose text does not show the password."""
    user, colon, password = text.partition(":")
    if not user or not colon or not password:
        raise ValueError("a user is given as NAME:PASSWORD")
    return user, password


@lru_cache(maxsize=1024)  # asked for at every connection and every try
def address_key(host: str) -> str:
    """Return what counts as one address: of IPv6 the network, as one customer has all of it."""
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
    answers: list[float] = field(default_factory=list)  # when those that wait are due


class FailedTries:
    """How often each address has failed of late. For all control threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the table
        self._tries: dict[str, _Tries] = {}  # by address, the latest last

    def add(self, host: str, now: float) -> float:
        """Count a failed try; return how many seconds its answer is to wait."""
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
        """Tell if another try of this address is to be looked at."""
        with self._lock:
            tries = self._tries.get(address_key(host))
            if tries is None:
                return True
            tries.answers = [due for due in tries.answers if due > now]
            return len(tries.answers) < MAX_WAITING


@dataclass
class Verdict:
    """What a gate says to one request: nothing, or the refusal, and how long that is to wait."""

    refusal: Response | None = None
    delay: float = 0.0  # seconds


@dataclass
class Access:
    """What all connections share of it."""

    users: Users
    failed_tries: FailedTries = field(default_factory=FailedTries)


class Gate:
    """The challenge of one connection: its nonce is good on no other. In the control thread."""

    def __init__(self, access: Access, host: str, is_private: bool) -> None:
        """`is_private` says that nobody can read along, so that Basic does no harm."""
        self._access = access
        self._host = host
        self._is_private = is_private
        self._nonce = ""
        self._expires = 0.0
        self._count = 0  # the highest nc that came with the nonce
        self._is_known = False  # has logged in once: guessers at its address do not disturb it

    def check(self, request: Request, now: float) -> Verdict:
        """Let a request in or not; `now` in seconds. Raises MessageError 400."""
        values = [value for name, value in request.headers if name.lower() == "authorization"]
        if len(values) > 1:
            raise MessageError("more than one Authorization header")
        if not values:
            return Verdict(self._challenge(now))
        if not self._is_known and not self._access.failed_tries.may_try(self._host, now):
            return Verdict(Response(503))
        credentials = parse_authorization(values[0])
        if isinstance(credentials, BasicCredentials):
            verdict = self._check_basic(credentials, now)
        else:
            verdict = self._check_digest(credentials, request, now)
        self._is_known |= verdict.refusal is None
        return verdict

    def _check_basic(self, credentials: BasicCredentials, now: float) -> Verdict:
        allowed = self._is_private and self._access.users.is_password(credentials)
        return Verdict() if allowed else self._failed(now)

    def _check_digest(
        self, credentials: DigestCredentials, request: Request, now: float
    ) -> Verdict:
        users = self._access.users
        secret = users.secret(credentials.user, credentials.algorithm)
        fits = credentials.realm == users.realm and _is_about(credentials.uri, request.uri)
        if not credentials.is_proof(secret, request.method) or not fits:
            return self._failed(now)
        if credentials.nonce != self._nonce or now >= self._expires:
            return Verdict(self._challenge(now, stale=True))
        if credentials.count:
            if credentials.count <= self._count:  # RFC 7616 section 3.4: it is a replay
                self._expires = now
                return Verdict(self._challenge(now, stale=True))
            self._count = credentials.count
        return Verdict()

    def _failed(self, now: float) -> Verdict:
        return Verdict(self._challenge(now), self._access.failed_tries.add(self._host, now))

    def _challenge(self, now: float, stale: bool = False) -> Response:
        """RFC 7616 section 3.3: 401, with every way in; the weaker later.

        Players that know only MD5 take the last Digest challenge.
        """
        if now >= self._expires:
            self._nonce, self._expires = secrets.token_hex(16), now + NONCE_LIFETIME
            self._count = 0
        realm = self._access.users.realm
        challenges = [
            Challenge("Digest", realm, self._nonce, algorithm, has_qop=True, stale=stale)
            for algorithm in self._access.users.algorithms
        ]
        if self._is_private:
            challenges.append(Challenge("Basic", realm))
        response = Response(401)
        for challenge in challenges:
            response.headers.add("WWW-Authenticate", challenge.serialise())
        return response


def _is_about(uri: str, request_uri: str) -> bool:
    """RFC 7616 section 3.4.6: it must be the request's URI.

    live555, and so VLC, names the movie in requests about its track.
    """
    return uri == request_uri or request_uri.startswith(uri.rstrip("/") + "/")

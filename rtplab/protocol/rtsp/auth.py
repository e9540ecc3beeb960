"""Logging in: the challenges of a server and the answers of a client, Digest and Basic.

    WWW-Authenticate: Digest realm="films", nonce="d1f0", algorithm=SHA-256, qop="auth"
    Authorization: Digest username="ann", realm="films", nonce="d1f0", uri="rtsp://host/movie",
        response="8ca5...", algorithm=SHA-256, qop=auth, nc=00000001, cnonce="0a4f"

RFC 2326 section 1.4 takes both from HTTP: Digest is RFC 7616, Basic RFC 7617. A Digest answer
without qop is the older form of RFC 2069, which GStreamer still speaks.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, replace

from rtplab.protocol.errors import MessageError

MD5, SHA_256 = "MD5", "SHA-256"
ALGORITHMS = (SHA_256, MD5)  # the stronger first
_HASHES = {MD5: hashlib.md5, SHA_256: hashlib.sha256}

# Characters of a whole header value. Real ones have less than 600.
MAX_VALUE = 4096
# Characters of one parameter: request URIs are the longest in use.
MAX_PARAMETER = 2048
MAX_PARAMETERS = 64  # in one header value, over all its challenges; Digest knows 12

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# No two neighbours match the same character, so each is tried in linear time.
_PARAMETER = re.compile(rf'({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s",]*))')
_SCHEME = re.compile(rf"({_TOKEN})(?=[ \t,]|\Z)")
_SEPARATOR = re.compile(r"[ \t,]*")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_TOKEN68 = re.compile(r"[A-Za-z0-9+/._~-]+=*\Z")
_BASIC_HEADER = re.compile(
    rb"^((?:Proxy-)?Authorization:[ \t]*Basic[ \t]+)([^\r\n]*)", re.IGNORECASE | re.MULTILINE
)
_COUNT = re.compile(r"[0-9a-fA-F]{8}\Z")


@dataclass(frozen=True)
class Challenge:
    """One challenge of a server: `scheme` is Digest or Basic."""

    scheme: str
    realm: str
    nonce: str = ""
    algorithm: str = MD5
    has_qop: bool = False  # the server understands qop=auth
    stale: bool = False  # only the nonce was wrong: the same password will do with the new one
    opaque: str = ""

    def serialise(self) -> str:
        """Return the value of a WWW-Authenticate header."""
        if self.scheme == "Basic":
            return f"Basic realm={_quoted(self.realm)}"
        parts = [f"realm={_quoted(self.realm)}", f"nonce={_quoted(self.nonce)}"]
        parts.append(f"algorithm={self.algorithm}")
        parts += ['qop="auth"'] * self.has_qop + ["stale=true"] * self.stale
        if self.opaque:
            parts.append(f"opaque={_quoted(self.opaque)}")
        return "Digest " + ", ".join(parts)


@dataclass(frozen=True)
class BasicCredentials:
    """A user's name and password, readable by everyone who sees them."""

    user: str
    password: str

    def serialise(self) -> str:
        """Return the value of an Authorization header (RFC 7617 section 2)."""
        return "Basic " + base64.b64encode(_bytes(f"{self.user}:{self.password}")).decode()


@dataclass(frozen=True)
class DigestCredentials:
    """Proof that a user knows the password. `count` is 0 in the older form, without qop."""

    user: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str = MD5
    count: int = 0
    cnonce: str = ""
    opaque: str = ""
    names_algorithm: bool = True

    def serialise(self) -> str:
        """Return the value of an Authorization header (RFC 7616 section 3.4)."""
        fields = {"username": self.user, "realm": self.realm, "nonce": self.nonce}
        fields |= {"uri": self.uri, "response": self.response}
        parts = [f"{name}={_quoted(value)}" for name, value in fields.items()]
        if self.names_algorithm:
            parts.append(f"algorithm={self.algorithm}")
        if self.opaque:
            parts.append(f"opaque={_quoted(self.opaque)}")
        if self.count:
            parts += ["qop=auth", f"nc={self.count:08x}", f"cnonce={_quoted(self.cnonce)}"]
        return "Digest " + ", ".join(parts)

    def is_proof(self, secret: str, method: str) -> bool:
        """Tell if its maker knew the `secret` (see `secret_of`); in constant time."""
        expected = digest_response(self, secret, method)
        return hmac.compare_digest(_bytes(expected), _bytes(self.response.lower()))


Credentials = BasicCredentials | DigestCredentials


def secret_of(user: str, realm: str, password: str, algorithm: str) -> str:
    """Return HA1, which stands for the password in Digest and in htdigest files."""
    return _hash(algorithm, f"{user}:{realm}:{password}")


def digest_response(credentials: DigestCredentials, secret: str, method: str) -> str:
    """Return what `response` must be (RFC 7616 section 3.4.1; RFC 2069 without qop)."""
    about = _hash(credentials.algorithm, f"{method}:{credentials.uri}")
    middle = credentials.nonce
    if credentials.count:
        middle += f":{credentials.count:08x}:{credentials.cnonce}:auth"
    return _hash(credentials.algorithm, f"{secret}:{middle}:{about}")


def answer(
    challenge: Challenge,
    user: str,
    password: str,
    method: str,
    uri: str,
    count: int,
    cnonce: str,
) -> Credentials:
    """Answer a challenge; `count` is the number of uses of its nonce, this one included."""
    if challenge.scheme == "Basic":
        return BasicCredentials(user, password)
    uses_qop = challenge.has_qop
    unsigned = DigestCredentials(
        user,
        challenge.realm,
        challenge.nonce,
        uri,
        "",
        challenge.algorithm,
        count if uses_qop else 0,
        cnonce if uses_qop else "",
        challenge.opaque,
        names_algorithm=uses_qop or challenge.algorithm != MD5,
    )
    secret = secret_of(user, challenge.realm, password, challenge.algorithm)
    return replace(unsigned, response=digest_response(unsigned, secret, method))


def hide_password(message: bytes) -> bytes:
    """Return an RTSP message that is safe to show: a Basic password becomes as many stars.

    A Digest response stays: it is not a password, and is worth seeing.
    """
    return _BASIC_HEADER.sub(lambda found: found.group(1) + b"*" * len(found.group(2)), message)


# ---------------------------------------------------------------------- reading


def parse_authorization(value: str) -> Credentials:
    """Read the value of an Authorization header. Raises MessageError 400."""
    scheme, parameters = _first_scheme(value)
    if scheme == "basic":
        return _parse_basic(value.strip()[len(scheme) :].strip(" \t"))
    if scheme == "digest":
        return _parse_digest(parameters)
    raise MessageError("authorization that is neither Basic nor Digest")


def _parse_basic(text: str) -> BasicCredentials:
    try:
        if not _TOKEN68.match(text):
            raise ValueError("not base64")
        decoded = base64.b64decode(text, validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError) as error:
        raise MessageError("Basic authorization that is not base64") from error
    user, colon, password = decoded.partition(":")
    if not colon:
        raise MessageError("Basic authorization without a colon")
    return BasicCredentials(user, password)


def _parse_digest(fields: dict[str, str]) -> DigestCredentials:
    for name in ("username", "realm", "nonce", "uri", "response"):
        if not fields.get(name):
            raise MessageError(f"Digest authorization without {name}")
    algorithm = fields.get("algorithm", MD5).upper()
    if algorithm not in _HASHES:
        raise MessageError("Digest authorization with an unknown algorithm")
    count, cnonce = 0, ""
    if "qop" in fields:
        count, cnonce = _count(fields), fields.get("cnonce", "")
    return DigestCredentials(
        fields["username"],
        fields["realm"],
        fields["nonce"],
        fields["uri"],
        fields["response"],
        algorithm,
        count,
        cnonce,
        fields.get("opaque", ""),
        "algorithm" in fields,
    )


def _count(fields: dict[str, str]) -> int:
    """RFC 7616 section 3.4: with qop there must be nc and cnonce."""
    if fields["qop"] != "auth":
        raise MessageError("Digest authorization with an unknown qop")
    text = fields.get("nc", "")
    if not _COUNT.match(text) or int(text, 16) == 0 or not fields.get("cnonce"):
        raise MessageError("Digest authorization with qop, but without nc or cnonce")
    return int(text, 16)


def parse_challenges(values: list[str]) -> list[Challenge]:
    """Return the challenges in WWW-Authenticate headers that can be answered, strongest first.

    A header may hold several (RFC 9110 section 11.6.1). Raises MessageError if one is malformed.
    """
    found = [_challenge(*entry) for value in values for entry in _schemes(value)]
    return sorted((challenge for challenge in found if challenge), key=_weakness)


def _challenge(scheme: str, fields: dict[str, str]) -> Challenge | None:
    realm = fields.get("realm", "")
    if scheme == "basic":
        return Challenge("Basic", realm)
    algorithm = fields.get("algorithm", MD5).upper()
    words = [word.strip().lower() for word in fields.get("qop", "").split(",")]
    unanswerable = "qop" in fields and "auth" not in words
    if scheme != "digest" or algorithm not in _HASHES or unanswerable or not fields.get("nonce"):
        return None
    stale = fields.get("stale", "").lower() == "true"
    return Challenge(
        "Digest",
        realm,
        fields["nonce"],
        algorithm,
        "qop" in fields,
        stale,
        fields.get("opaque", ""),
    )


def _weakness(challenge: Challenge) -> int:
    if challenge.scheme == "Basic":
        return len(ALGORITHMS)
    return ALGORITHMS.index(challenge.algorithm)


def _first_scheme(value: str) -> tuple[str, dict[str, str]]:
    """Return the scheme and the parameters of a value with a single scheme."""
    if value.lstrip()[:6].lower() == "basic " and len(value) <= MAX_VALUE:
        return "basic", {}
    entries = _schemes(value)
    if len(entries) != 1:
        raise MessageError("an Authorization header with no scheme, or with several")
    return entries[0]


def _schemes(value: str) -> list[tuple[str, dict[str, str]]]:
    """Split a header value: each scheme, in lower case, with its parameters."""
    if len(value) > MAX_VALUE:
        raise MessageError(f"an authentication header of {len(value)} characters")
    entries: list[tuple[str, dict[str, str]]] = []
    position = count = 0
    while True:
        if separator := _SEPARATOR.match(value, position):
            position = separator.end()
        if position >= len(value):
            return entries
        if parameter := _PARAMETER.match(value, position):
            count += 1
            _add_parameter(entries, parameter, count)
            position = parameter.end()
        elif scheme := _SCHEME.match(value, position):
            entries.append((scheme.group(1).lower(), {}))
            position = scheme.end()
        else:
            raise MessageError("a malformed authentication header")


def _add_parameter(
    entries: list[tuple[str, dict[str, str]]], parameter: re.Match[str], count: int
) -> None:
    """RFC 9110 section 11.2: a parameter must not be repeated."""
    name, quoted, plain = parameter.groups()
    text = plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
    if not entries or name.lower() in entries[-1][1]:
        raise MessageError("an authentication header with a parameter out of place or repeated")
    if count > MAX_PARAMETERS or len(text) > MAX_PARAMETER:
        raise MessageError("an authentication header with too many or too long parameters")
    entries[-1][1][name.lower()] = text


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _bytes(text: str) -> bytes:
    """UTF-8 (RFC 7616 section 4); bytes that were not UTF-8 came as surrogates."""
    return text.encode("utf-8", "surrogateescape")


def _hash(algorithm: str, text: str) -> str:
    return _HASHES[algorithm](_bytes(text)).hexdigest()

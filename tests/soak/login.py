"""Digest answers of a viewer who knows the password (RFC 7616), by hashlib alone."""

from __future__ import annotations

import hashlib
import random
import re

from soak.link import Reply
from soak.tally import Fault

USER, PASSWORD = "ann", "correct horse"
_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


class Login:
    """The answer to one server's challenge, counted on with each request."""

    def __init__(self, rng: random.Random, password: str = PASSWORD) -> None:
        self._algorithm = rng.choice(sorted(_HASHES))
        self._password = password
        self._count = 0
        self._cnonce = f"{rng.getrandbits(64):016x}"
        self._challenge: dict[str, str] = {}

    def challenged(self, reply: Reply) -> None:
        """Take up the challenge of a 401. Raises Fault when there is none."""
        for value in reply.all("www-authenticate"):
            fields = dict(re.findall(r'(\w+)="?([^",]*)"?', value.partition(" ")[2]))
            if value.startswith("Digest") and fields.get("algorithm") == self._algorithm:
                self._challenge, self._count = fields, 0
                return
        raise Fault(f"a 401 without a challenge for {self._algorithm}")

    def headers(self, method: str, uri: str) -> list[str]:
        """The header that proves that we know the password; none before a challenge."""
        if not self._challenge:
            return []
        self._count += 1
        realm, nonce = self._challenge["realm"], self._challenge["nonce"]
        count = f"{self._count:08x}"
        secret = self._hash(f"{USER}:{realm}:{self._password}")
        about = self._hash(f"{method}:{uri}")
        proof = self._hash(f"{secret}:{nonce}:{count}:{self._cnonce}:auth:{about}")
        return [
            f'Authorization: Digest username="{USER}", realm="{realm}", nonce="{nonce}", '
            f'uri="{uri}", response="{proof}", algorithm={self._algorithm}, qop=auth, '
            f'nc={count}, cnonce="{self._cnonce}"'
        ]

    def _hash(self, text: str) -> str:
        return _HASHES[self._algorithm](text.encode()).hexdigest()

"""The only source of identity and randomness.

Ids sort by the time they were made: 48 bits of milliseconds, then 80 random bits, in Crockford's
base 32 (26 characters), behind a prefix that says what they name.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from functools import lru_cache
from typing import Protocol

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PAIRS = [one + other for one in ALPHABET for other in ALPHABET]
TIME_CHARS, RANDOM_CHARS = 10, 16


class Ids(Protocol):
    """What the bus asks of randomness."""

    def new(self, prefix: str, at_ms: int) -> str:
        """Make an id such as `m_01J…`."""

    def secret(self, chars: int) -> str:
        """Make an unguessable text of that many characters of the id alphabet (5 bits each)."""

    def fraction(self) -> float:
        """Throw a number in [0, 1), for jitter."""


class RandomIds:
    """Identity from the operating system's randomness."""

    def new(self, prefix: str, at_ms: int) -> str:
        return f"{prefix}_{time_part(at_ms)}{self.secret(RANDOM_CHARS)}"

    def secret(self, chars: int) -> str:
        return encode(secrets.randbits(5 * chars), chars)

    def fraction(self) -> float:
        return secrets.randbelow(1 << 30) / (1 << 30)


class CountingIds:
    """Identity that a test can foretell."""

    def __init__(self) -> None:
        self._count = 0

    def new(self, prefix: str, at_ms: int) -> str:
        return f"{prefix}_{time_part(at_ms)}{self.secret(RANDOM_CHARS)}"

    def secret(self, chars: int) -> str:
        self._count += 1
        return encode(self._count, chars)

    def fraction(self) -> float:
        return 0.5


@lru_cache(maxsize=8)
def time_part(at_ms: int) -> str:
    """Write the time in an id; all that one transaction makes have the same."""
    return encode(at_ms, TIME_CHARS)


def encode(number: int, chars: int) -> str:
    """Write the lowest `5 * chars` bits of a number in base 32."""
    # By two characters at once: every send makes two ids.
    pairs = [PAIRS[number >> shift & 1023] for shift in range(5 * chars - 10, -1, -10)]
    return "".join(pairs) if chars % 2 == 0 else "".join(pairs) + ALPHABET[number & 31]


def hash_secret(secret: str) -> str:
    """Give what is stored of a secret. Ours have 160 random bits or more: no slow hash needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def derive_secret(salt: str, *parts: str) -> str:
    """Give the same secret for the same salt and parts (HMAC-SHA256, as 52 characters)."""
    digest = hmac.new(salt.encode(), "\0".join(parts).encode(), hashlib.sha256).digest()
    return encode(int.from_bytes(digest, "big"), 52)

"""An authenticator app: it shows the codes of one seed (RFC 6238), each once.

Nothing waits for the next one: the server takes codes that are two steps early or late. The pair
that assigns a device is of the past, so that three codes more can follow at once.
"""

import base64
import hashlib
import hmac
import time

STEP_SECONDS = 30


class Authenticator:
    """What a person scanned or typed in."""

    def __init__(self, base32_seed: str):
        self._seed = base64.b32decode(base32_seed)
        self._shown = 0

    def pair(self) -> tuple[str, str]:
        """Two codes in a row."""
        first = max(self._shown + 1, self._now() - 2)
        self._shown = first + 1
        return self._code(first), self._code(first + 1)

    def code(self) -> str:
        """The next code."""
        self._shown = max(self._shown + 1, self._now() - 1)
        return self._code(self._shown)

    @staticmethod
    def _now() -> int:
        return int(time.time()) // STEP_SECONDS

    def _code(self, step: int) -> str:
        mac = hmac.digest(self._seed, step.to_bytes(8, "big"), hashlib.sha1)
        at = mac[-1] & 0x0F
        number = int.from_bytes(mac[at : at + 4], "big") & 0x7FFFFFFF
        return f"{number % 1_000_000:06}"

"""What a value becomes: another of the same shape, which only this capture's secret tells."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import unicodedata
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from ipaddress import ip_interface

from fixer.model.expression.patterns import pattern
from fixer.snapshots.spool import array, members

_EMAIL = pattern(r"\s*[^@\s]+@[^@\s]+\.[^@\s]+\s*")
_UUID = pattern(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_HEX = pattern(r"(?:\\x|0x)?[0-9a-fA-F]{16,}")
# What a hash begins with, which says how it was made: $2b$12$, $argon2id$v=19$m=65536,t=3,p=4$, pbkdf2:sha256:260000$.
_SCHEME = pattern(
    r"\$[a-z0-9-]+\$(?:v=\d+\$)?(?:[\w=,]+\$)?|(?:pbkdf2|scrypt)[:_][\w:]+\$|\{[A-Z0-9-]+\}|SCRAM-SHA-256\$\d+:"
)
_PLAIN = pattern(
    r"\s*(?:[-+]?\d+(?:\.\d*)?|true|false|yes|no|on|off|t|f|\d{4}-\d\d-\d\d(?:[ T][\d:.]+(?:Z|[-+][\d:]+)?)?)\s*", re.I
)
_MOMENT = pattern(r"\d{4}-\d\d-\d\d(?:[ T][\d:.]+(?:Z|[-+][\d:]+)?)?")
RESERVED = ("example", "test", "invalid", "localhost")  # domains of nobody (RFC 2606)
_TRIES = 10_000
_CLASSES = ("bcdfghjklmnpqrstvwxz", "aeiouy", "BCDFGHJKLMNPQRSTVWXZ", "AEIOUY", "123456789")
# Letters that are as long in UTF-8 as those that they stand for, by category and length.
_OTHERS = {
    ("Ll", 2): "àáâãäåæçèéêëìíîïñòóôõöøùúûüý", ("Lu", 2): "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝ",
    ("Lo", 2): "אבגדהוזחטיכלמנסעפצקרשת", ("Lo", 3): "कखगघचछजझटठडढतथदधनपफबभमयरलवशसह",
    ("Nd", 3): "१२३४५६७८९", ("Nd", 2): "١٢٣٤٥٦٧٨٩",
}  # fmt: skip


class Masks:
    """The masks of one capture; `kept` are values that stay: those that the schema or the contract says itself."""

    def __init__(self, kept: Iterable[str] = (), secret: bytes | None = None) -> None:
        self._secret = secret or secrets.token_bytes(32)
        self._kept = frozenset(kept)
        self._known: dict[str, str] = {}  # without regard to case, as unique indexes over lower() compare
        self._taken: set[str] = set()

    def text(self, value: str, longest: int = 0) -> str:
        """Return what a text of a column of any kind becomes; numbers, dates and truth values stay."""
        return value if _PLAIN.fullmatch(value) else self.personal(value, longest)

    def personal(self, value: str, longest: int = 0) -> str:
        """Return what a text becomes that holds personal data; moments stay, which a column of texts may hold."""
        if value in self._kept or _MOMENT.fullmatch(value):
            return value
        return self._once(value, lambda salt: self._shaped(value, salt, longest))

    def uuid(self, value: str) -> str:
        """Return what a uuid becomes; the one of zeros stays."""
        if value in self._kept or not value.strip("0-"):
            return value
        return self._once(value, lambda salt: self._hex(value, salt, spare=(14, 19)))

    def address(self, value: str) -> str:
        """Return what an address of a network becomes: one of 10.0.0.0/8 or fd00::/8, with its mask."""
        return value if value in self._kept else self._once(value, lambda salt: self._address(value, salt))

    def document(self, value: str) -> str:
        """Return what a JSON document becomes: its texts are masked, its keys and numbers stay."""
        return json.dumps(self._leaves(json.loads(value)), ensure_ascii=False)

    def texts(self, value: str) -> str:
        """Return what an array of texts becomes."""
        found = members(value)
        if found is None:
            return self.personal(value)
        return array(None if each is None else self.text(each) for each in found)

    def data(self, value: str) -> str:
        r"""Return what bytes become, as \x and hex digits."""
        return self._once(value, lambda salt: value[:2] + self._hex(value[2:], salt)) if len(value) > 2 else value

    def day(self, value: str) -> str:
        """Return what a date becomes: one within half a year of it."""
        try:
            found = date.fromisoformat(value[:10])
            return (found + timedelta(days=self._stream(value, 0)[0] % 181 + 1)).isoformat() + value[10:]
        except (ValueError, OverflowError):  # infinity, before our era, or no date
            return self.personal(value)

    def _once(self, value: str, make: Callable[[int], str]) -> str:
        """Return what a value becomes, the same each time, and never the same as another."""
        known = self._known.get(value)
        if known is not None or not any(map(str.isalnum, value)):
            return known or value
        for salt in range(_TRIES):
            made = make(salt)
            lower = made.lower()
            owner = value.lower()
            if made != value and (lower not in self._taken or self._known.get(f"\0{lower}") == owner):
                self._taken.add(lower)
                self._known[f"\0{lower}"] = owner
                self._known[value] = made
                return made
        return make(_TRIES)

    def _stream(self, value: str, salt: int) -> bytes:
        """Return bytes that tell nothing of a value, the same for all its cases; as many as it has characters."""
        said = f"{salt}\0{value.strip().lower()}".encode()
        parts = (len(value) * 2) // 32 + 1
        return b"".join(
            hmac.new(self._secret, b"%d\0%b" % (part, said), hashlib.sha256).digest() for part in range(parts)
        )

    def _shaped(self, value: str, salt: int, longest: int) -> str:
        if _EMAIL.fullmatch(value):
            return self._email(value, salt, longest)
        if _UUID.fullmatch(value):
            return self._hex(value, salt, spare=(14, 19))
        if _HEX.fullmatch(value):
            start = 2 if value[:2] in ("\\x", "0x") else 0
            return value[:start] + self._hex(value[start:], salt)
        scheme = _SCHEME.match(value)
        spared = scheme.end() if scheme and len(value) - scheme.end() >= 16 else 0
        return value[:spared] + self._substituted(value[spared:], salt)

    def _substituted(self, value: str, salt: int) -> str:
        """Return a text whose letters and digits are others of their kind; all else stays."""
        start = len(value) - len(value.lstrip())
        stream = self._stream(value, salt)
        made = (_other(letter, stream[place]) for place, letter in enumerate(value[start:]))
        return value[:start] + "".join(made)

    def _hex(self, value: str, salt: int, spare: tuple[int, ...] = ()) -> str:
        stream, made = self._stream(value, salt), []
        for place, digit in enumerate(value):
            if place in spare or digit not in "0123456789abcdefABCDEF":
                made.append(digit)
                continue
            other = f"{(int(digit, 16) + 1 + stream[place] % 15) % 16:x}"
            made.append(other.upper() if value.isupper() else other)
        return "".join(made)

    def _email(self, value: str, salt: int, longest: int) -> str:
        """Return another address, of a domain that nobody has; as long as before where no more fits."""
        local, _, domain = value.partition("@")
        labels = domain.rstrip().split(".")
        tail = domain[len(domain.rstrip()) :]
        if labels[-1].lower() in RESERVED or [each.lower() for each in labels[-2:-1]] == ["example"]:
            return f"{self._substituted(local, salt)}@{domain}"
        head = self._substituted(".".join(labels[:-1]), 0)
        made = f"{self._substituted(local, salt)}@{head}.test{tail}"
        return made if not longest or len(made) <= longest else self._substituted(value, salt)

    def _address(self, value: str, salt: int) -> str:
        try:
            found = ip_interface(value)
        except ValueError:
            return self._hex(value, salt)
        bits = int.from_bytes(self._stream(value, salt)[:16], "big")
        room = 24 if found.version == 4 else 120
        number = (10 << 24 if found.version == 4 else 0xFD << 120) | bits >> (128 - room)
        plain = found.network.network_address == found.ip and "/" in value
        made = number & int(found.network.netmask) if plain else number
        said = str(type(found.ip)(made))
        return f"{said}/{found.network.prefixlen}" if "/" in value else said

    def _leaves(self, value: object) -> object:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self._leaves(each) for each in value]
        if isinstance(value, dict):
            return {key: self._leaves(each) for key, each in value.items()}
        return value


def _other(letter: str, random: int) -> str:
    """Return another letter of the same kind, case and length."""
    among = next((each for each in _CLASSES if letter in each), "")
    if not among and not letter.isascii():
        among = _OTHERS.get((unicodedata.category(letter), len(letter.encode())), "")
    place = among.find(letter)
    if not among:
        return letter
    return among[random % len(among)] if place < 0 else among[(place + 1 + random % (len(among) - 1)) % len(among)]

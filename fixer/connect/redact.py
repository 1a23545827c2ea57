"""What is not printed: passwords, in whatever spelling they come along."""

from __future__ import annotations

import json
import logging
import re
from typing import Protocol

from fixer.model.expression.patterns import pattern

MASK = "***"

# A password may hold anything, so each form takes the longest stretch that can still be one.
URL_PASSWORD = pattern(
    r"""([a-z][a-z0-9+.-]*://[^\s:/@"']*:)"""
    r"""(?:[^\s"'<>]*(?=@)|\S*?(?=@)|(?!\d+(?:[/?,:"']|\s|$))[^\n]*?(?=@))""",
    re.IGNORECASE,
)
KEYWORD_PASSWORD = pattern(
    r"""(\b\w*(?:password|passwd|pwd)(?:\s*=\s*|\s+(?=')))"""
    r"""(?:'(?:\\.|''|[^'\\])*'?|"(?:\\.|[^"\\])*"?|(?:\\.|(?!["']\s*(?:[,:;}\])]|$))\S)+)""",
    re.IGNORECASE | re.DOTALL,
)
ENTRY_PASSWORD = pattern(
    r"""((["'])\w*(?:password|passwd|pwd)\2\s*:\s*)('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")""",
    re.IGNORECASE | re.DOTALL,
)


class Secretive(Protocol):
    """What knows words that are never printed."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Those words."""


def redact(text: str, keeper: Secretive | None = None) -> str:
    """Return the text without passwords: of URLs, of keywords, and those of their keeper in any spelling."""
    for secret in sorted({*keeper.secrets} - {""} if keeper else (), key=len, reverse=True):
        text = _spellings(secret).sub(MASK, text)
    if "@" in text.partition("://")[2].partition(":")[2]:
        text = URL_PASSWORD.sub(rf"\1{MASK}", text)
    folded = text.casefold()  # in which all is found that IGNORECASE finds
    if "passw" in folded or "pwd" in folded:
        text = KEYWORD_PASSWORD.sub(rf"\1{MASK}", text)
        text = ENTRY_PASSWORD.sub(rf"\1\2{MASK}\2", text)
    return text


def _spellings(secret: str) -> re.Pattern[str]:
    """Return a pattern for the secret, each character raw, escaped or encoded."""
    pattern = "".join(f"(?:{'|'.join(_character(character))})" for character in secret)
    # A password like "sql" would otherwise blot out half of every message.
    whole = len(secret) < 4 or secret in "postgresql"
    return re.compile(rf"(?<!\w){pattern}(?!\w)" if whole else pattern)


def _character(character: str) -> list[str]:
    import html  # its entities take a while, and few targets have a password

    encoded = "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
    spellings = {
        character,
        repr(character)[1:-1],
        ascii(character)[1:-1],
        json.dumps(character)[1:-1],
        html.escape(character),
        f"\\{character}",
        character * 2 if character in "'\"" else character,
        "+" if character == " " else character,
    }
    ordered = sorted(spellings, key=len, reverse=True)
    return [f"(?i:{re.escape(encoded)})", *(re.escape(spelling) for spelling in ordered)]


class RedactingFilter(logging.Filter):
    """Takes passwords out of records; it belongs on handlers, which see every logger's records."""

    def __init__(self, keeper: Secretive | None = None) -> None:
        super().__init__()
        self.keeper = keeper

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record's message, its extras and its traceback, and let it pass."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            message = f"{record.msg} {record.args!r}"
        record.msg, record.args = redact(message, self.keeper), None
        if record.exc_info:
            record.exc_text = record.exc_text or logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        if record.exc_text:
            record.exc_text = redact(record.exc_text, self.keeper)
        if record.stack_info:
            record.stack_info = redact(record.stack_info, self.keeper)
        extras = {name: value for name, value in vars(record).items() if name not in STANDARD}
        vars(record).update({n: redact(value, self.keeper) for n, value in extras.items() if isinstance(value, str)})
        return True


STANDARD = vars(logging.makeLogRecord({})).keys() | {"message", "asctime"}

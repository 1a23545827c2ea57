"""Digests of texts: the first one imports hashlib, which loads OpenSSL, and a healthy check needs none."""

from __future__ import annotations

from collections.abc import Iterable


def sha256(text: str) -> str:
    """Return the SHA-256 of a text, in hexadecimal."""
    return sha256_of([text])


def sha256_of(texts: Iterable[str]) -> str:
    """Return the SHA-256 of texts that follow each other, in hexadecimal."""
    import hashlib

    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode())
    return digest.hexdigest()

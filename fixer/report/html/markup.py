"""Markup, safe by construction: every text is escaped unless it was made here."""

from __future__ import annotations

from collections.abc import Iterable

from fixer.model.expression.patterns import pattern

_VOID = frozenset(["br", "hr", "input", "link", "meta"])
_SIGNS = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
# What a page may not hold, and signs that show nothing but change what stands beside them.
_NOTHING = "".join(chr(plane << 16 | last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF))
_UNSEEN = pattern(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb"
    f"\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f{_NOTHING}]"
)


class Markup(str):
    """Text that is markup already; joined with other text, it becomes plain text again, which is escaped."""

    __slots__ = ()


Content = str | Iterable["Content"] | None
Value = str | int | float | bool | None


def tag(name: str, /, *content: Content, **attributes: Value) -> Markup:
    """Return an element that is well-formed as XML, too; None and False leave an attribute out.

    `class_` means class, `aria_label` means aria-label; SVG spells some attributes in mixed case, as `_MIXED` says.
    """
    words = "".join(f' {_named(key)}="{_value(value)}"' for key, value in attributes.items() if _given(value))
    return Markup(f"<{name}{words}/>" if name in _VOID else f"<{name}{words}>{inner(content)}</{name}>")


def inner(content: Content) -> Markup:
    """Return content as markup, one part after another."""
    if content is None:
        return Markup()
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        return Markup(escaped(content))
    return Markup("".join(map(inner, content)))


def escaped(text: str) -> str:
    """Return a text in which no sign means markup, and no sign is unseen."""
    return "".join(_SIGNS.get(sign, sign) for sign in visible(text))


def visible(text: str) -> str:
    """Return a text whose unseen signs are spelt: ⟨U+202E⟩ for the one that turns the direction of what follows."""
    return _UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


def name_of(text: str) -> Markup:
    """Return a name of a database, which may be written from right to left without turning the words around it."""
    return tag("bdi", text)


def code(text: str) -> Markup:
    """Return a name or a statement, as one types it."""
    return tag("code", tag("bdi", text))


_MIXED = {
    "view_box": "viewBox",
    "preserve_aspect_ratio": "preserveAspectRatio",
    "ref_x": "refX",
    "ref_y": "refY",
    "marker_width": "markerWidth",
    "marker_height": "markerHeight",
}


def _named(key: str) -> str:
    return _MIXED.get(key, key.rstrip("_").replace("_", "-"))


def _given(value: Value) -> bool:
    return value is not None and value is not False


def _value(value: Value) -> str:
    if value is True:
        return ""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else escaped(str(value))

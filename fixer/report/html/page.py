"""The page around the sections: one file that loads nothing, with a policy that forbids it to."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files

from fixer.model.run import package_version
from fixer.model.values import dataclass
from fixer.report.findings import is_itself
from fixer.report.html.markup import Markup, code, name_of, tag

_CALLED = {"stale": "accepted"}  # what the links call a section, if not by its anchor


@dataclass(frozen=True)
class Head:
    """What stands above all sections."""

    what: str  # the command, in words
    target: str
    contract: str
    verdict: str
    ok: bool
    lines: Sequence[str] = ()  # further sentences
    calm: bool = False  # whether the verdict is neither good nor bad


def of(head: Head, sections: Mapping[str, Markup], *, show_values: bool) -> str:
    """Return the whole page; `sections` stand in this order, by their anchors."""
    style, script = _read("page.css"), _read("page.js")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )
    top = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("link", rel="icon", href="data:,"),
        tag("title", f"{'✓' if head.ok else '✗'} {head.target} - {head.what}"),
        tag("style", Markup(style)),
    )
    body = tag(
        "body",
        tag("a", "Skip to the content", href="#main", class_="skip"),
        _header(head),
        _contents(sections),
        tag("main", *sections.values(), id="main"),
        _footer(show_values),
        tag("script", Markup(script)),
    )
    return f"<!DOCTYPE html>\n{tag('html', top, body, lang='en')}\n"


def _header(head: Head) -> Markup:
    against = "its own catalogue" if is_itself(head.contract) else head.contract
    made = datetime.now(UTC)
    lines = [tag("p", name_of(line), class_="line") for line in head.lines]
    return tag(
        "header",
        tag("p", head.what, class_="what"),
        tag("h1", name_of(head.target)),
        tag("p", "against ", code(against), ", ", tag("time", f"{made:%Y-%m-%d %H:%M} UTC", datetime=made.isoformat())),
        tag("p", head.verdict, class_=f"verdict {'calm' if head.calm else 'good' if head.ok else 'bad'}"),
        lines,
    )


def _contents(sections: Mapping[str, Markup]) -> Markup:
    """Return the links to the sections that there are."""
    links = [tag("li", tag("a", _CALLED.get(key, key), href=f"#{key}")) for key, section in sections.items() if section]
    return tag("nav", tag("ul", links), aria_label="sections")


def _footer(show_values: bool) -> Markup:
    values = (
        "It shows values of rows: keep it as you keep the data."
        if show_values
        else "Of rows it shows keys alone, and no other values."
    )
    words = f"Made by pgmend {package_version()}. {values} This file loads nothing from elsewhere."
    return tag("footer", tag("p", words))


def _read(name: str) -> str:
    """Return a file of this package, which holds nothing that would close its element."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

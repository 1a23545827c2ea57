"""Pages of HTML, read as strictly as XML is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Page:
    """A page that is well-formed, tag by tag."""

    root: Element

    @classmethod
    def of(cls, text: str) -> Page:
        assert text.startswith("<!DOCTYPE html>\n<html")
        return cls(ElementTree.fromstring(text))

    @property
    def text(self) -> str:
        """What a reader sees, with the style and the script left out."""
        body = self.root.find("body")
        assert body is not None
        return "".join(text for each in body if each.tag != "script" for text in each.itertext())

    @property
    def anchors(self) -> list[str]:
        return [each.attrib["id"] for each in self.root.iter() if "id" in each.attrib]

    @property
    def links(self) -> list[str]:
        return [value for each in self.root.iter() for key, value in each.attrib.items() if key in ("href", "src")]

    def under(self, anchor: str) -> Element:
        return next(each for each in self.root.iter() if each.get("id") == anchor)

    def classed(self, word: str, *, tag: str | None = None) -> list[Element]:
        return [each for each in self.root.iter(tag) if word in each.get("class", "").split()]

    def section(self, anchor: str) -> str:
        return "".join(self.under(anchor).itertext())

    def boxes(self) -> dict[str, Box]:
        """Return where the boxes of the picture stand, by what they say."""
        return {each.attrib["aria-label"]: _placed(each) for each in self.classed("box") if "transform" in each.attrib}

    def lines(self, state: str) -> set[str]:
        """Return what the lines of a state say."""
        lines = [each for each in self.classed("line", tag="path") if state in each.attrib["class"].split()]
        return {title.text or "" for each in lines for title in each.findall("title")}


def _placed(box: Element) -> Box:
    left, top = map(float, re.findall(r"-?[\d.]+", box.attrib["transform"]))
    body = next(each for each in box.iter("rect") if each.get("class") == "body")
    return left, top, left + float(body.attrib["width"]), top + float(body.attrib["height"])

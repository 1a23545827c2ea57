"""What the fixer writes for machines, held against its schema: JSON, SARIF and JUnit of commands that tests run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from fixer.cli.outputs import STANDARD, Output, asked

SCHEMAS = Path(__file__).parent / "schemas"
OWN = Path(__file__).resolve().parents[2] / "docs" / "output.schema.json"


def check_documents(words: Iterable[object], cwd: Path, said: str) -> None:
    """Raise AssertionError if a command wrote a document that its schema does not allow."""
    typed = list(map(str, words))
    if "--sql" in typed:
        return  # perhaps to the standard output
    for output in asked(typed):
        text = said if output.path == STANDARD else _in(cwd / output.path)
        if text.strip():
            check_document(output, typed[0], text)


def check_document(output: Output, command: str, text: str) -> None:
    """Raise AssertionError if a document of this format is not as its schema says."""
    breaches = {"json": of_json, "sarif": of_sarif, "junit": of_junit}.get(output.format, of_nothing)(text, command)

    assert breaches == []


def of_json(text: str, command: str) -> list[str]:
    document = json.loads(text)
    kind = "failure" if "error" in document else {"demo": "apply"}.get(command, command)
    return breaches_of(document, kind) if kind in schema(OWN)["$defs"] else []


def breaches_of(document: Any, kind: str) -> list[str]:
    """Return what a document has against the definition of its kind in our own schema."""
    return [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in validator(kind).iter_errors(document)]


def of_sarif(text: str, _: str) -> list[str]:
    errors = validator(SCHEMAS / "sarif-2.1.0.json").iter_errors(json.loads(text))
    return [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in errors]


def of_junit(text: str, _: str) -> list[str]:
    return [f"{error.path}: {error.reason}" for error in junit().iter_errors(text)]


def of_nothing(*_: str) -> list[str]:
    return []


def _in(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""


@cache
def schema(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


@cache
def validator(kind: str | Path) -> Any:
    """Return what validates against a published schema, or against a definition of our own."""
    from jsonschema import Draft202012Validator, FormatChecker

    if isinstance(kind, Path):
        return Draft202012Validator(schema(kind), format_checker=FormatChecker())
    own = schema(OWN)
    return Draft202012Validator({"$schema": own["$schema"], "$ref": f"#/$defs/{kind}", "$defs": own["$defs"]})


@cache
def junit() -> Any:
    from xmlschema import XMLSchema

    return XMLSchema(str(SCHEMAS / "junit-10.xsd"))

"""Rows for random contracts, as the statements that insert them."""

from __future__ import annotations

from fixer.model.expression import quoted
from lab.composition import KEYS, Model, Models, cell

ROWS = 6


def rows(models: Models) -> str:
    """Return the statements that insert rows into the tables of these models, and make their partitions."""
    parts = [part for model in models for part in (*_parts(model), _inserted(model, models), *_counted(model))]
    return ";\n".join(
        [*parts, *(_rounded(model, models[model.rounds]) for model in models if model.rounds is not None)]
    )


def _parts(model: Model) -> list[str]:
    if not model.parted:
        return []
    names = [f"{quoted(model.schema or 'public')}.{quoted(f'{model.name} {part}')}" for part in range(2)]
    return [
        f"CREATE TABLE {name} PARTITION OF {model.full} FOR VALUES WITH (MODULUS 2, REMAINDER {part})"
        for part, name in enumerate(names)
    ]


def _inserted(model: Model, models: Models) -> str:
    cells = _key_cells(model, "", "n")
    for field in model.fields:
        value = cell(model, field, "n")
        cells[field.name] = f"CASE WHEN n % 5 > 0 THEN {value} END" if field.nullable else value
    for number, reference in enumerate(model.references):
        own = models[reference.target] is model
        at = "nullif(n / 2, 0)" if own else f"(1 + n % {ROWS})"
        for name, value in _key_cells(models[reference.target], f"ref {number} ", at).items():
            cells[name] = f"CASE WHEN n % 3 > 0 THEN {value} END" if reference.nullable else value
    names = ", ".join(map(quoted, cells))
    values = ", ".join(cells.values())
    return (
        f"INSERT INTO {model.full} ({names}) OVERRIDING SYSTEM VALUE SELECT {values} FROM generate_series(1, {ROWS}) n"
    )


def _rounded(model: Model, target: Model) -> str:
    cells = _key_cells(target, "round ", "2")
    return f"UPDATE {model.full} SET " + ", ".join(f"{quoted(name)} = {value}" for name, value in cells.items())


def _key_cells(model: Model, prefix: str, at: str) -> dict[str, str]:
    if model.key == "pair":
        return {f"{prefix}tenant": f"1 + {at} % 2", f"{prefix}id": at}
    return {f"{prefix}id": KEYS[model.key].format(n=at)}


def _counted(model: Model) -> list[str]:
    if model.key not in ("serial", "identity", "pair"):
        return []
    name = model.full.replace("'", "''")
    return [f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {ROWS})"]

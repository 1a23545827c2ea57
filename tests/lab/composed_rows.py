"""Rows for random contracts, as the statements that insert them."""

from __future__ import annotations

from fixer.model.expression import quoted
from lab.composition import KEYS, Model, Models, cell

ROWS, HEIRS = 6, 3


def rows(models: Models) -> str:
    """Return the statements that insert rows into the tables of these models, and make their partitions."""
    parts = [part for model in models for part in (*_parts(model), *_inserted(model, models), *_counted(model))]
    return ";\n".join(
        [*parts, *(_rounded(model, models[model.rounds]) for model in models if model.rounds is not None)]
    )


def _parts(model: Model) -> list[str]:
    if not model.parted:
        return []
    names = [f"{quoted(model.schema or 'public')}.{quoted(f'{model.name} {part}')}" for part in range(4)]
    of = "CREATE TABLE {} PARTITION OF {} FOR VALUES WITH (MODULUS 2, REMAINDER {})".format
    made = [of(names[part], model.full, part) for part in range(2)]
    if model.coded:  # its columns have other numbers than those of the whole
        like = "INCLUDING CONSTRAINTS INCLUDING DEFAULTS INCLUDING GENERATED"
        made[0] = f"""CREATE TABLE {names[0]} (odd integer, LIKE {model.full} {like});
            ALTER TABLE {names[0]} DROP COLUMN odd;
            ALTER TABLE {model.full} ATTACH PARTITION {names[0]} FOR VALUES WITH (MODULUS 2, REMAINDER 0)"""
    if model.below:
        made[1] += " PARTITION BY HASH (id)"
        made += [of(names[2 + part], names[1], part) for part in range(2)]
    return made


def _inserted(model: Model, models: Models) -> list[str]:
    cells = _key_cells(model, "", "n")
    for field in model.fields:
        value = cell(model, field, "n")
        cells[field.name] = f"CASE WHEN n % 5 > 0 THEN {value} END" if field.nullable else value
    for number, reference in enumerate(model.references):
        own = models[reference.target] is model
        at = f"nullif(least(n / 2, {ROWS}), 0)" if own else f"(1 + n % {ROWS})"
        for name, value in _key_cells(models[reference.target], f"ref {number} ", at).items():
            cells[name] = f"CASE WHEN n % 3 > 0 THEN {value} END" if reference.nullable else value
    if model.drawn:
        cells["number"] = "'N-' || n"
    names, values = ", ".join(map(quoted, cells)), ", ".join(cells.values())
    insert = f"({names}) OVERRIDING SYSTEM VALUE SELECT {values} FROM generate_series"
    inserted = [f"INSERT INTO {model.full} {insert}(1, {ROWS}) n"]
    return inserted + (
        [f"INSERT INTO {quoted(f'{model.name} heir')} {insert}({ROWS + 1}, {_last(model)}) n"] if model.heir else []
    )


def _rounded(model: Model, target: Model) -> str:
    cells = _key_cells(target, "round ", "2")
    return f"UPDATE {model.full} SET " + ", ".join(f"{quoted(name)} = {value}" for name, value in cells.items())


def _key_cells(model: Model, prefix: str, at: str) -> dict[str, str]:
    if model.key == "pair":
        return {f"{prefix}tenant": f"1 + {at} % 2", f"{prefix}id": at}
    return {f"{prefix}id": KEYS[model.key].format(n=at)}


def _counted(model: Model) -> list[str]:
    name, last = model.full.replace("'", "''"), _last(model)
    counted = [f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {last})"]
    sequence = f"{quoted(model.schema or 'public')}.{quoted(model.sequence)}"
    drawn = [f"SELECT setval('{sequence}', {last})"]
    counts = model.key in ("serial", "identity", "pair") and model.shared is None
    return [*(counted if counts else []), *(drawn if model.drawn else [])]


def _last(model: Model) -> int:
    return ROWS + HEIRS if model.heir else ROWS

"""How far a generator has counted: bring it ahead of the data, and find room for the numbers that a repair gives.

A reference that points at nothing may hold the very number that comes next. The row that got it would be taken for
its parent, and a relation would appear that never existed.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from fixer import sqltext as q
from fixer.schema import QName, Schema
from fixer.sqltext import SQL, Composable, Literal
from fixer.steps import Lock, Phase, RefusalError, Step
from fixer.types import family

OF_SEQUENCE = Lock.SHARE_ROW_EXCLUSIVE  # by ALTER SEQUENCE; the table is only read
Held = tuple[Composable, ...]  # questions for the numbers that references to a key hold


def advance(table: QName, column: str, name: QName | None, held: Held = ()) -> Step:
    """Return the step that brings a generator ahead of the data, never back; online past what is `held` as well.

    There others get their numbers from now on, while rows still point at nothing.
    """
    generator = Literal(q.quoted(name)) if name else q.generator_of(table, column)
    top = SQL("(SELECT max({}) + 1 FROM {} AS t)").format(q.column(column), q.name(table))
    title = f"bring the numbers of {table.name}.{column} ahead of the data"
    step = Step(Phase.GENERATORS, table, title, _moved_on(table, column, generator, top))
    if held:
        further = _moved_on(table, column, generator, top, _room(table, column, held))
        return replace(step, online=(replace(step, sql=further, lock=OF_SEQUENCE),))
    return step


def anchor(table: QName, column: str, held: Held, *, rows: int) -> Step:
    """Return the step that finds room for the numbers of so many rows: what points at nothing must not point at them.

    After it a rollback takes back what the generator gives. nextval alone survives one; a sequence that is restarted,
    if only where it stands, lives in storage of this transaction's own. Online, nothing is rolled back as a whole.
    """
    title = f"let a rollback reach the numbers of {table.name}.{column}"
    if held:
        title = f"find room for new numbers of {table.name}.{column}, clear of those that references hold"

    def block(rows: int, *, anchored: bool) -> q.Block:
        room = _room(table, column, held, rows)
        return _moved_on(table, column, q.generator_of(table, column), SQL("NULL"), room, anchored=anchored)

    fixed, loose = partial(block, anchored=True), partial(block, anchored=False)
    step = Step(Phase.ANCHOR, table, title, fixed(rows), room=rows, roomier=fixed)
    lightly = replace(step, sql=loose(rows), roomier=loose, lock=OF_SEQUENCE)
    return replace(step, online=(lightly,) if held else ())


def next_number(table: QName, column: str, held: Held, actual: Schema) -> Composable:
    """Return what gives a row its next number: the generator that the column owns by then, or else its own default.

    Raises RefusalError where references hold numbers, and nobody can bring that default past them.
    """
    found = actual.tables[table].columns[column]
    if found.identity == "a":
        return SQL("DEFAULT")  # nothing else may be written into it
    seen = found.identity or found.sequence in actual.sequences
    if seen or found.default is None or "(" not in found.default:
        return q.next_value(table, column)
    if held:
        raise RefusalError(f"{found.default} may give numbers of {table.name}.{column} that references hold already")
    return SQL(found.default)


def held(table: QName, column: str, actual: Schema, wanted: Schema) -> Held:
    """Return the questions which numbers references to a key hold, of those from `start` to `last`."""
    references = {
        (key.table, here)
        for key in (*wanted.incoming(table), *actual.incoming(table))
        for here, there in key.pairs
        if there == column and (key.table in actual.tables or key.table in wanted.tables)
    }
    return tuple(_held_by(*reference, actual) for reference in sorted(references))


def _held_by(table: QName, column: str, actual: Schema) -> Composable:
    there = actual.tables.get(table)
    found = there.columns.get(column) if there else None
    number: Composable = q.column(column)
    if not (found and family(found.type) == "integer" and found.now is None and not found.mapped):
        # Online, what is to be converted or mapped may still hold texts then.
        number = SQL("(CASE WHEN {text} ~ {digits} THEN {text}::bigint END)").format(
            text=SQL("{}::text").format(number), digits=Literal(r"^\d{1,18}$")
        )
    return SQL("SELECT way * {} FROM {} AS t WHERE {} BETWEEN lowest AND highest").format(number, q.name(table), number)


def _room(table: QName, column: str, held: Held, rows: int = 0) -> tuple[Composable, Composable]:
    """Return the statements that find the gaps in what is held, and that choose one: the first ample, else the widest.

    More rows may come by than the plan counted; one number held far up must not use up an integer. Where none is
    wanted at once, it stays where no gap is.
    """
    if not held:
        return SQL(""), SQL("")
    gaps = SQL(
        "    lowest := least(way * start, way * last);\n    highest := greatest(way * start, way * last);\n"
        "    gaps := (\n"
        "        SELECT array_agg(int8range(g.held + 1, g.after) ORDER BY g.held)\n"
        "          FROM (SELECT h.held, lead(h.held, 1, last + 1) OVER (ORDER BY h.held) AS after\n"
        "                  FROM (SELECT start - 1 UNION\n"
        "                        {}) AS h (held)) AS g\n"
        "         WHERE g.after > g.held + 1);\n"
    ).format(SQL(" UNION\n                        ").join(held))
    choice = SQL(
        "    start := coalesce((\n"
        "        SELECT f.start\n"
        "          FROM unnest(gaps) AS u (gap),\n"
        "               LATERAL (SELECT greatest(lower(u.gap), start)) AS f (start),\n"
        "               LATERAL (SELECT (upper(u.gap) - f.start) / abs(pace)) AS r (room)\n"
        "         WHERE r.room >= {rows} ORDER BY least(r.room, {ample}) DESC, f.start LIMIT 1), {otherwise});\n"
        "    IF start IS NULL THEN\n"
        "        RAISE sequence_generator_limit_exceeded USING MESSAGE = {complaint};\n"
        "    END IF;\n"
    )
    complaint = f"no room for {rows} new numbers of {table.name}.{column} between those that references hold"
    return gaps, choice.format(
        rows=Literal(rows),
        ample=Literal(2 * rows + 1000),
        otherwise=SQL("NULL" if rows else "start"),
        complaint=Literal(complaint),
    )


def _moved_on(
    table: QName,
    column: str,
    generator: Composable,
    above: Composable,
    room: tuple[Composable, Composable] = (SQL(""), SQL("")),
    *,
    anchored: bool = False,
) -> q.Block:
    """Return the block that restarts a generator further on, where it is not there yet, or `anchored` in any case.

    One that counts downwards is looked at in a mirror: all numbers are taken `way` round, by their sign.
    """
    body = SQL(
        "#variable_conflict use_variable\n"
        "DECLARE\n    generator text := {generator};\n    pace bigint;\n    way bigint;\n    last bigint;\n"
        "    origin bigint;\n    next bigint;\n"
        "    start bigint;\n    lowest bigint;\n    highest bigint;\n    gaps int8range[];\nBEGIN\n"
        "    IF generator IS NULL THEN\n        RETURN;\n    END IF;\n"
        "    SELECT s.seqincrement, sign(s.seqincrement),\n"
        "           least(CASE WHEN s.seqincrement > 0 THEN s.seqmax ELSE -(s.seqmin + 1) END, {limit})\n"
        "      INTO pace, way, last\n"
        "      FROM pg_catalog.pg_sequence AS s WHERE s.seqrelid = generator::regclass;\n"
        "    EXECUTE 'SELECT ' || way || ' * last_value + is_called::integer FROM ' || generator INTO next;\n"
        "    start := greatest(next, CASE WHEN pace > 0 THEN {above} END::bigint);\n{gaps}{choice}"
        "    IF start = next AND NOT {anchored} THEN\n        RETURN;\n    END IF;\n"
        # A change that changes nothing: from here on nobody draws a number in between.
        "    EXECUTE 'ALTER SEQUENCE ' || generator || ' INCREMENT BY ' || pace;\n"
        "    EXECUTE 'SELECT ' || way || ' * last_value, ' || way || ' * last_value + is_called::integer FROM '"
        " || generator INTO origin, next;\n"
        "    start := greatest(next, start);\n{choice}"
        # On its pace: others may give the numbers in between.
        "    start := origin + (start - origin + abs(pace) - 1) / abs(pace) * abs(pace);\n"
        "    IF start > origin + (next - origin) * abs(pace) THEN\n"
        "        EXECUTE 'ALTER SEQUENCE ' || generator || ' RESTART WITH ' || way * (start - abs(pace));\n"
        "        PERFORM nextval(generator::regclass);\n"
        "    ELSIF {anchored} THEN\n"
        "        EXECUTE 'ALTER SEQUENCE ' || generator || ' RESTART WITH ' || way * start;\n"
        "    END IF;\nEND"
    )
    limit = SQL(
        "(SELECT CASE a.atttypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647"
        " ELSE 9223372036854775806 END\n"
        "            FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = {}::regclass AND a.attname = {})"
    ).format(Literal(q.quoted(table)), Literal(column))
    gaps, choice = room
    return q.Block(
        body.format(generator=generator, limit=limit, above=above, gaps=gaps, choice=choice, anchored=Literal(anchored))
    )

"""Moves rows to quarantine as a contract wants, after the rows that reference them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from fixer.model.contract import Contract
from fixer.model.finding import Places
from fixer.model.schema import Schema
from fixer.model.step import Part, Phase, RefusalError, Step
from fixer.model.table import ForeignKey, QName
from fixer.model.values import dataclass
from fixer.repair.constraints.foreign_keys import is_comparable, is_indexed
from fixer.repair.quarantine.circles import around
from fixer.repair.quarantine.going import after, at_places, by_text, by_turns, expected, of_part, seen, together
from fixer.repair.quarantine.leaving import move, move_jointly
from fixer.repair.quarantine.refusing import hindrances
from fixer.repair.rows import Going, Rivals, counted, identity, places, rewrite
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.compose import SQL, Composable
from fixer.sql.following import Turns, orphaned, truly_orphaned


@dataclass(frozen=True)
class Mover:
    """Moves rows to quarantine, and deals with their children first."""

    actual: Schema
    contract: Contract

    def quarantine(
        self,
        phase: Phase,
        table: QName,
        condition: Composable,
        reason: str,
        *,
        rows: int,
        rivals: Rivals | None = None,
        kept: tuple[str, ...] = (),
    ) -> Iterator[Part]:
        """Yield the steps that move the rows of a condition over `t` to quarantine.

        A row that stays has the same values in the columns `kept`, so rows that reference those need no step.
        Rows that reference them under an existing foreign key come first, under the contract's policy for
        orphans, because a DELETE would silently cascade to them. If the foreign key is only wanted, they
        come later, before it is added. If keys of several tables form a circle, their rows go together.
        """
        told = rivals.told if rivals else None
        going = Going(condition, reason, rows, rivals, told=told, repeats=rivals is not None)
        return self._leave(phase, table, going, kept)

    def _leave(self, phase: Phase, table: QName, going: Going, kept: tuple[str, ...] = ()) -> Iterator[Part]:
        """Yield what `quarantine` yields."""
        part, table = table, self.actual.wholes(table)[-1]
        if part != table:  # its rows leave through the whole, whose keys bind them as well
            going = of_part(part, going)
        tables = around(table, lambda name: self._followers(phase, name, kept if name == table else ()), self._known)
        if len(tables) > 1:
            yield from self._leave_together(phase, tables, going, kept)
            return
        guards = self.actual.incoming(table)
        keys, missing = self._pointing(table, guards, kept)
        # In this phase its columns are final, and the descendants of such rows in the table would become orphans too.
        own = (key for key in missing if key.table == table and phase is Phase.ORPHANS)
        followed = [key for key in own if self.policy(key) == "quarantine"]
        released = [key for key in keys if key.table == table and self.policy(key) == "null"]
        below = [key for key in (*keys, *followed) if key.table == table and key not in released]
        going = together(going, below, by_text(below, self.actual, self.contract))
        for key in keys:
            if key.table != table or key in released:
                yield from self._settle(phase, key, after(key, going, itself_stays=key in released))
        yield move(phase, self.actual.tables[table], going, guards, followed)
        for key in (key for key in missing if key not in followed):
            yield from self.orphans(key, rows=0, after_those=seen(phase, table, going))

    def _leave_together(
        self, phase: Phase, tables: Sequence[QName], going: Going, kept: tuple[str, ...]
    ) -> Iterator[Part]:
        """Yield what `quarantine` yields for the first of these tables, whose keys form a circle."""
        start, as_kept = tables[0], {tables[0]: kept}
        followed = {name: self._followers(phase, name, as_kept.get(name, ())) for name in tables}
        inside = [key for keys in followed.values() for key in keys if key.table in tables]
        indexed = all(is_indexed(key, self.actual.tables[key.table]) for key in inside)
        turns = Turns(tuple(inside), start, indexed, by_text(inside, self.actual, self.contract))
        leaving = {name: by_turns(going, turns, name) for name in tables}
        there = {name: self._pointing(name, self.actual.incoming(name), as_kept.get(name, ())) for name in tables}
        for name in tables:
            for key in (key for key in there[name][0] if key not in inside):
                yield from self._settle(phase, key, after(key, leaving[name], itself_stays=key.table in tables))
        known = {name: [*self.actual.incoming(name), *(k for k in inside if k.target == name)] for name in tables}
        yield from move_jointly(phase, self.actual, leaving, turns.circle(going.expected), known)
        for name in tables:
            for key in (key for key in there[name][1] if key not in inside):
                yield from self.orphans(key, rows=0, after_those=seen(phase, name, leaving[name]))

    def _followers(self, phase: Phase, table: QName, kept: tuple[str, ...] = ()) -> list[ForeignKey]:
        """Return the foreign keys by which rows follow those of a table to quarantine."""
        keys, missing = self._pointing(table, self.actual.incoming(table), kept)
        keys += missing if phase is Phase.ORPHANS else []  # only then are its columns final
        known = (key for key in keys if key.table in self.actual.tables and not key.period)
        return [key for key in known if self._policy_in(phase, key) == "quarantine"]

    def _known(self, table: QName) -> list[ForeignKey]:
        return [key for key in self.actual.incoming(table) if key.table in self.actual.tables]

    def _pointing(
        self, table: QName, keys: Collection[ForeignKey], kept: tuple[str, ...]
    ) -> tuple[list[ForeignKey], list[ForeignKey]]:
        """Return the foreign keys that point at a table and those that should, without those at `kept` columns."""
        there = {(key.table, key.target, key.pairs) for key in keys}
        wanted = (k for k in self.contract.foreign_keys() if k.target == table and is_comparable(k, self.actual))
        missing = (key for key in wanted if (key.table, key.target, key.pairs) not in there)
        found, lacking = ([key for key in each if set(key.target_columns) != set(kept)] for each in (keys, missing))
        return found, lacking

    def orphans(
        self, key: ForeignKey, *, rows: int, after_those: Composable | None = None, stand: Places | None = None
    ) -> Iterator[Part]:
        """Yield the steps that quarantine, adopt or empty rows without a parent under a wanted foreign key.

        `after_those` is the condition for parents that will have gone by then; today's orphans `stand` at these places.
        """
        if (parent := self.actual.tables.get(key.target)) and parent.heirs:
            raise RefusalError(f"others INHERIT from {key.target}, and a reference to their rows is none to one of it")
        if after_those is not None and key.columns in self.actual.tables[key.table].kept_faults:
            raise RefusalError(f"rows of {key.table} would follow, and its orphans stay by choice: settle those first")
        reason = f"its {', '.join(key.columns)} points at no row of {key.target.name}"
        condition, find = self._orphaned(key), self._parentless(key)
        expects = expected(key, condition, after_those, self.actual, self.contract) or at_places(stand, condition)
        beyond = () if after_those is None else (key.target,)
        going = Going(condition, reason, rows, find=find, expects=expects, after=beyond)
        for part in self._settle(Phase.ORPHANS, key, going):
            step = part.atomic
            emptied = step.effect.moves or set(step.effect.changes) <= set(key.columns)
            settles = emptied and step.table in self.actual.wholes(key.table) and not step.shape.orphans_by
            yield part.settling(key.columns, self._rule(key)[1]) if settles else part

    def _orphaned(self, key: ForeignKey) -> Composable:
        """Return the condition that the row has no parent, or that its text could be mapped to none."""
        table = self.actual.tables.get(key.table)
        column = table.columns.get(key.columns[0]) if table else None
        if column and column.mapped:
            unmapped = SQL("{} AND {}").format(q.is_null(column.name), q.not_null([column.mapped]))
            return SQL("(({}) OR ({}))").format(unmapped, orphaned(key))
        return truly_orphaned(key, table)

    def _parentless(self, key: ForeignKey) -> Composable | None:
        """Return the SELECT for the places of orphans, by values without a parent; None if no index finds those."""
        tables = (self.actual.tables.get(key.table), self.contract.tables.get(key.table))
        mapped = tables[0] and any(c in tables[0].columns and tables[0].columns[c].mapped for c in key.columns)
        if mapped or not is_indexed(key, *tables):
            return None
        # PostgreSQL looks up the values of an array one by one, whatever it expects; a join would read all rows.
        one = "{columns} = ANY (ARRAY (SELECT {columns} FROM {table} AS t WHERE {condition}))"
        many = "({columns}) IN (SELECT {columns} FROM {table} AS t WHERE {condition})"
        if key.equalities:
            return places(key.table, orphaned(key))
        among = SQL(one if len(key.columns) == 1 else many).format(
            columns=q.columns(key.columns), table=q.name(key.table), condition=orphaned(key)
        )
        return places(key.table, among)

    def _settle(self, phase: Phase, key: ForeignKey, going: Going) -> Iterator[Part]:
        """Yield the steps for rows whose parent is gone, by policy: quarantine, adopt or set to NULL.

        Raises RefusalError if no safe way exists.
        """
        if key.period:
            raise RefusalError(
                f"{key.name} of {key.table} references rows that have to go by a PERIOD: settle its rows"
            )
        if key.table not in self.actual.tables:  # a DELETE might cascade there, and further
            there = f"{key.table}, in a schema that the contract does not name,"
            raise RefusalError(f"{there} references rows of {key.target.name} that have to go: settle its rows first")
        policy = self._policy_in(phase, key)
        if policy == "quarantine":
            yield from self._leave(phase, key.table, going)
            return
        if policy == "null":
            yield self._rewritten(phase, key, "set to NULL", self.given(key), going)
            return
        values, stands = self.adopter(key)
        condition = q.all_of([SQL("({})").format(going.condition), stands])
        adopted = replace(going, condition=condition, expects=going.expected)
        yield self._rewritten(phase, key, "give to the default row", values, adopted)

    def given(self, key: ForeignKey) -> Mapping[str, Composable]:
        """Return what orphans under a foreign key get by its policy, by column; empty if they go, or if none can."""
        policy = self.policy(key)
        if policy == "null":
            return dict.fromkeys(self._emptied(key), SQL("NULL"))
        try:
            return self.adopter(key)[0] if policy == "adopt" else {}
        except RefusalError:
            return {}

    def _rewritten(
        self, phase: Phase, key: ForeignKey, deed: str, values: Mapping[str, Composable], going: Going
    ) -> Step:
        """Return the step that gives columns of a foreign key these values."""
        unreferenced(self.actual, key.table, values)
        table, columns = self.actual.tables[key.table], ", ".join(values)
        step = rewrite(
            phase,
            table,
            f"{deed} {columns} of {counted(going.rows)} of {key.table.name}: {going.reason}",
            values,
            going.condition,
            rows=going.rows,
            known_by=identity(table, self.contract.tables.get(key.table), phase),
            find=going.find,
            reason=f"{deed} {columns}: {going.reason}",
        )
        asked = tuple(hindrances(key, values, going, self.actual, self.contract))
        return replace(step, expects=going.expected, after=going.after, refusing=asked)

    def policy(self, key: ForeignKey) -> str:
        """Return the policy for orphans under a foreign key: quarantine, adopt or null."""
        return self._rule(key)[0]

    def _policy_in(self, phase: Phase, key: ForeignKey) -> str:
        """Return the policy that a phase can follow: before ORPHANS, the row that adopts may not exist yet."""
        policy = self.policy(key)
        return "quarantine" if policy == "adopt" and phase < Phase.ORPHANS else policy

    def _rule(self, key: ForeignKey) -> tuple[str, str]:
        """Return the policy for orphans under a foreign key, and what declares it: a hint, or its ON DELETE.

        ON DELETE SET NULL empties the reference. All other actions quarantine: CASCADE would delete the row, and
        SET DEFAULT would give it another parent than it had.
        """
        wanted = self.contract.tables.get(key.table)
        declared = next((k for k in wanted.foreign_keys if k.pairs == key.pairs), None) if wanted else None
        if declared is None:
            return "quarantine", ""
        said = [self.contract.hints[key.table].of(column).orphans for column in key.columns]
        hint = next((each for each in said if each not in ("", "quarantine")), "quarantine" if any(said) else "")
        policy = hint or ("null" if declared.on_delete == "n" else "quarantine")
        rule = f"orphans: {hint}" if hint else f"ON DELETE {ddl.ACTIONS[declared.on_delete]}"
        if policy == "null" and not self._emptied(key):
            return "quarantine", f"{rule} cannot empty it"
        return policy, rule

    def _emptied(self, key: ForeignKey) -> tuple[str, ...]:
        """Return the columns to set to NULL so that the row references nothing; empty if one cannot be emptied.

        MATCH FULL needs all columns. Otherwise they are those whose hint is "null", or, without a hint, those that
        ON DELETE SET NULL empties, because the others may mean more than the reference, such as a tenant. A NOT NULL
        column cannot be emptied, nor, in a key of several columns, one that belongs to another key too.
        """
        wanted, hints = self.contract.tables[key.table], self.contract.hints[key.table]
        meant = [c for c in key.columns if hints.of(c).orphans == "null"]
        if not meant:
            meant = [*next((k.emptied for k in wanted.foreign_keys if k.pairs == key.pairs), ())]
        meant = [*key.columns] if key.match == "f" or not meant else meant
        others = (
            {c for k in wanted.foreign_keys if k.pairs != key.pairs for c in k.columns} if len(key.columns) > 1 else ()
        )
        return () if any(wanted.columns[column].not_null or column in others for column in meant) else tuple(meant)

    def adopter(self, key: ForeignKey) -> tuple[dict[str, Composable], Composable]:
        """Return the key of the default row that adopts orphans, by column, and the condition that it exists."""
        rows = self.contract.hints[key.target].default_rows
        if not rows:
            raise RefusalError(f"orphans of {key.table} should be adopted, but {key.target} declares no default row")
        identity = identity_of(self.contract, key.target, rows[0])
        match = q.all_of(q.is_value(self.contract.tables[key.target], c, rows[0][c], "p") for c in identity)
        cells: dict[str, Composable] = {
            column: SQL("(SELECT {} FROM {} AS p WHERE {})").format(q.column(target, "p"), q.name(key.target), match)
            for column, target in zip(key.columns, key.target_columns, strict=True)
        }
        return cells, SQL("EXISTS (SELECT FROM {} AS p WHERE {})").format(q.name(key.target), match)


def unreferenced(actual: Schema, table: QName, columns: Iterable[str]) -> None:
    """Raise RefusalError if a foreign key references columns whose cells would be rewritten.

    ON UPDATE would change the rows that reference them, which nobody asked for.
    """
    for key in actual.incoming(actual.wholes(table)[-1]):
        if told := sorted(set(columns) & set(key.target_columns)):
            raise RefusalError(f"{key.table} references {table} by {', '.join(told)}, which would be rewritten")


def identity_of(contract: Contract, table: QName, row: Mapping[str, Composable]) -> tuple[str, ...]:
    """Return the columns that identify a default row: the first key that it fills, else all its columns."""
    keys = sorted(
        contract.tables[table].plain_keys,
        key=lambda key: (
            not key.primary,
            list(row).index(key.columns[0]) if key.columns[0] in row else len(row),
        ),
    )
    for key in keys:
        if set(key.columns) <= set(row):
            return key.columns
    return tuple(row)

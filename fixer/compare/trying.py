"""Tries what depends on columns that a plan converts against their new types, before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import psycopg2
from psycopg2 import errors as pg
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import introspect
from fixer.connect.failures import told
from fixer.model.finding import Finding
from fixer.model.report import Comparison
from fixer.repair.conversion.standing import unfit
from fixer.repair.conversion.trial import Place, Trial, Trials, places_of
from fixer.sql.compose import Composable

_Unfit = Mapping[Place, tuple[Trial, str]]  # what does not go with the new type of a column, and why
# What another type of a column causes; a type that the plan creates does not exist today.
_OF_TYPES = (pg.UndefinedFunction, pg.DatatypeMismatch, pg.AmbiguousFunction, pg.CannotCoerce, pg.IndeterminateDatatype)


def tried(cursor: Cursor, comparison: Comparison) -> Comparison:
    """Return the comparison; conversions are refused with which something that depends on the column does not go.

    Asks nothing if the repairs convert no column that something depends on.
    """
    trials = Trials.of(comparison.every, comparison.actual, comparison.future)
    if next(trials.every(), None):
        trials = replace(trials, parts=tuple(introspect.parts(cursor, trials.tables)))
    unfit_ = _without_order(cursor, trials)
    unfit_ |= _by_others(cursor, trials)
    for trial in (*trials.every(), *_of_statistics(cursor, trials)):
        for place, why in _asked(cursor, trials, trial).items():
            unfit_.setdefault(place, (trial, trials.told(why, [place])))
    if not unfit_:
        return comparison
    return comparison.with_each(lambda finding: _refused(finding, unfit_, comparison))


def _without_order(cursor: Cursor, trials: Trials) -> dict[Place, tuple[Trial, str]]:
    """Return the columns whose new types an index over them could not be built for, with that index."""
    methods = list(trials.methods())
    lacking = introspect.unordered(cursor, {(m, type_) for _, _, m, type_ in methods}) if methods else ()
    return {
        place: (
            Trial(f"index {index}", frozenset({place}), ""),
            trials.told(f"{method} has no operators for {type_}", [place]),
        )
        for index, place, method, type_ in methods
        if (method, type_) in lacking
    }


def _by_others(cursor: Cursor, trials: Trials) -> dict[Place, tuple[Trial, str]]:
    """Return the columns over whose new types something would call other code than now, with that."""
    calls = list(trials.calls())
    others = introspect.overloads(cursor, {call for _, _, call in calls}) if calls else {}
    return {
        place: (Trial(each.name, frozenset({place}), ""), f"it would call {others[call]}, which it does not call now")
        for each, place, call in calls
        if call in others and others[call] not in each.calls
    }


def _of_statistics(cursor: Cursor, trials: Trials) -> Iterator[Trial]:
    tables = trials.with_statistics
    for each in introspect.statistics(cursor, tables) if tables else ():
        yield from trials.of_statistics(*each)


def _asked(cursor: Cursor, trials: Trials, trial: Trial) -> Mapping[Place, str]:
    """Return the columns with whose new types it does not go, and why; all of them if none alone is to blame."""
    why = _failure(cursor, trials.question(trial, trials.converted))
    if not why or _failure(cursor, trials.question(trial)) is not None:
        return {}
    alone = {place: _failure(cursor, trials.question(trial, frozenset({place}))) for place in trial.places}
    return {place: each for place, each in alone.items() if each == why} or dict.fromkeys(trial.places, why)


def _failure(cursor: Cursor, question: Composable) -> str | None:
    """Return why a question fails: an empty text if types are not the cause; None if it does not fail."""
    cursor.execute("SAVEPOINT pgmend_trial")
    try:
        cursor.execute(question)
    except psycopg2.OperationalError:
        raise
    except psycopg2.Error as error:
        cursor.execute("ROLLBACK TO SAVEPOINT pgmend_trial; RELEASE SAVEPOINT pgmend_trial")
        return told(error) if isinstance(error, _OF_TYPES) else ""
    cursor.execute("RELEASE SAVEPOINT pgmend_trial")
    return None


def _refused(finding: Finding, unfit_: _Unfit, comparison: Comparison) -> Finding:
    for place in places_of(finding, comparison.future):
        if place in unfit_:
            trial, why = unfit_[place]
            table, column = comparison.future.tables[place[0]], finding.column or place[1]
            return replace(finding, repair=unfit(trial.name, table, column, why, trial.again))
    return finding

"""A database of any number of tables in three schemas, referenced by each other as real ones are, and ten faults."""

from __future__ import annotations

import random
from collections.abc import Iterator

SCHEMAS = ("sales", "public", "stock")
HUB = "public.accounts"
FAULTS = (
    "ALTER TABLE {a} DROP CONSTRAINT {a_name}_parent_fkey",
    "ALTER TABLE {b} DROP CONSTRAINT {b_name}_pkey CASCADE",
    "ALTER TABLE {c} DROP CONSTRAINT {c_name}_account_fkey; ALTER TABLE {c} ADD CONSTRAINT {c_name}_account_fkey"
    " FOREIGN KEY (account) REFERENCES public.accounts NOT VALID",
    "DROP TABLE {d} CASCADE",
    "ALTER TABLE {e} DROP COLUMN note",
    "ALTER TABLE {f} ALTER name DROP NOT NULL",
    "ALTER TABLE {g} DISABLE TRIGGER ALL",
    "ALTER TABLE {h} ALTER quantity TYPE text",
    "ALTER TABLE {i} DROP CONSTRAINT {i_name}_name_key",
    "ALTER TABLE {j} ALTER id DROP DEFAULT",
)


def name_of(number: int) -> str:
    """Return the qualified name of a table."""
    return f"{SCHEMAS[number % 3]}.{('orders', 'items', 'parts', 'events', 'notes')[number % 5]}_{number}"


def statements(tables: int) -> Iterator[str]:
    """Yield the statements that make so many tables: one that most reference, trees below it, and some alone."""
    chance = random.Random(tables)
    yield "CREATE SCHEMA sales; CREATE SCHEMA stock"
    yield f"CREATE TABLE {HUB} (id serial PRIMARY KEY, name text NOT NULL)"
    for number in range(1, tables):
        name, alone = name_of(number), number % 9 == 8
        parent = name_of(chance.randrange(max(1, number - 25), number)) if number > 1 else HUB
        parent = HUB if parent == name else parent
        bare = "" if alone else f", parent integer REFERENCES {parent}"
        account = "" if alone or number % 3 == 0 else f", account integer REFERENCES {HUB}"
        yield (
            f"CREATE TABLE {name} (id serial PRIMARY KEY, name text NOT NULL UNIQUE,"
            f" quantity integer NOT NULL DEFAULT 1, note text{bare}{account})"
        )


def faults(tables: int) -> Iterator[str]:
    """Yield the statements that break it, in ten places if it has that many tables."""
    numbers = [number for number in range(1, tables) if number % 9 != 8 and number % 3]
    places = [numbers[place * len(numbers) // len(FAULTS)] for place in range(len(FAULTS))]
    for letter, number, fault in zip("abcdefghij", places, FAULTS, strict=True):
        name = name_of(number)
        yield fault.format(**{letter: name, f"{letter}_name": name.partition(".")[2]})

"""A contract in migrations of Alembic: what `alembic upgrade` makes of an empty database, in a throw-away place."""

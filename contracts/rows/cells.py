"""The value of one cell."""

from __future__ import annotations

from typing import Any  # psycopg2 adapts values of any type

Cell = Any  # psycopg2 adapts values of any type, and checks compare them as PostgreSQL would

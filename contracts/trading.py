"""The contract that ships: a trading system's users and their paper trades.

Any SQLAlchemy ``MetaData`` is a contract. What a schema cannot say, the hints in ``info`` say;
they are plain data and documented in docs/contracts.md:

``legacy_names``   earlier names of this table or column; that table or column is renamed, not rebuilt
``legacy_keys``    columns of this table that were its key before this one; children are mapped through them
``backfill``       the value for rows that hold NULL where the contract says NOT NULL
``orphans``        what happens to rows whose parent is missing: ``quarantine`` (the default), ``adopt``, ``null``
``timezone``       the zone in which moments without a zone were meant
``default_rows``   rows that must exist, each exactly once
``examples``       values to be tried among the generated ones
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    TIMESTAMP,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

PAPER_TRADER = "PAPER_TRADER_001"
NO_PASSWORD_MATCHES = "!"  # no hash function ever returns this, so no password opens the account

SYMBOLS = ["RELIANCE", "M&M", "NIFTY26JAN24500CE", "BANKNIFTY26JAN59100PE"]  # real ones run to 21 characters and more


def _moment(name: str, *, required: bool = True) -> Column[datetime]:
    """Return a column of moments with a zone; values without one were written in UTC."""
    if not required:
        return Column(name, TIMESTAMP(timezone=True), info={"timezone": "UTC"})
    return Column(
        name,
        TIMESTAMP(timezone=True),
        nullable=False,
        server_default=text("now()"),
        info={"timezone": "UTC", "backfill": text("now()")},
    )


users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True, info={"legacy_keys": ["user_id"]}),
    Column("username", String(50), nullable=False, unique=True, info={"legacy_names": ["user_name", "login"]}),
    Column("email", String(255), nullable=False, unique=True, info={"legacy_names": ["email_address"]}),
    Column(
        "password_hash",
        String(255),
        nullable=False,
        info={"legacy_names": ["hashed_password", "password"], "backfill": NO_PASSWORD_MATCHES},
    ),
    Column("full_name", String(100)),
    Column("is_active", Boolean, nullable=False, server_default=text("true"), info={"backfill": True}),
    Column("trading_enabled", Boolean, nullable=False, server_default=text("true"), info={"backfill": False}),
    Column("role", String(20), nullable=False, server_default="trader", info={"backfill": "trader"}),
    Column("status", String(20), nullable=False, server_default="active", info={"backfill": "active"}),
    Column("initial_capital", Numeric(15, 2), nullable=False, server_default=text("100000"), info={"backfill": 0}),
    Column("current_balance", Numeric(15, 2), nullable=False, server_default=text("100000"), info={"backfill": 0}),
    Column("risk_tolerance", String(20), nullable=False, server_default="medium", info={"backfill": "medium"}),
    Column("max_daily_trades", Integer, nullable=False, server_default=text("50"), info={"backfill": 0}),
    Column("max_position_size", Numeric(15, 2), nullable=False, server_default=text("10000"), info={"backfill": 0}),
    Column("broker_client_id", String(50)),
    _moment("last_login", required=False),
    _moment("created_at"),
    _moment("updated_at"),
    info={
        "legacy_names": ["user_accounts"],
        "default_rows": [
            {
                "username": PAPER_TRADER,
                "email": "paper_trader_001@example.invalid",
                "password_hash": NO_PASSWORD_MATCHES,
                "full_name": "Paper Trader",
                "role": "trader",
                "status": "active",
            }
        ],
    },
)

paper_trades = Table(
    "paper_trades",
    metadata,
    Column("id", Integer, primary_key=True, info={"legacy_keys": ["trade_id"]}),
    Column(
        "user_id",
        Integer,
        ForeignKey("users.id", ondelete="CASCADE"),
        nullable=False,
        info={"orphans": "quarantine"},
    ),
    Column(
        "symbol", String(20), nullable=False, info={"legacy_names": ["ticker", "tradingsymbol"], "examples": SYMBOLS}
    ),
    Column("action", String(10), nullable=False, info={"legacy_names": ["side", "trade_type"]}),
    Column("quantity", Integer, nullable=False, info={"legacy_names": ["qty"]}),
    Column("price", Numeric(15, 2), nullable=False),
    Column(
        "timestamp",
        TIMESTAMP(timezone=True),
        nullable=False,
        server_default=text("now()"),
        info={"timezone": "UTC", "backfill": text("now()"), "legacy_names": ["trade_time", "executed_at"]},
    ),
    Column("status", String(20), nullable=False, server_default="EXECUTED", info={"backfill": "EXECUTED"}),
    Column("order_id", String(50)),
    Column("strategy", String(100)),
    Column("pnl", Numeric(15, 2), server_default=text("0")),
    _moment("created_at"),
    CheckConstraint("action IN ('BUY', 'SELL')", name="action"),
    CheckConstraint("quantity > 0", name="quantity"),
    CheckConstraint("price > 0", name="price"),
    Index(None, "user_id"),
    Index(None, "symbol"),
    Index(None, "timestamp"),
    Index(None, "user_id", "timestamp"),
    info={"legacy_names": ["papertrades"]},
)

"""The contract of trading with numbers that do not run out: each integer key is a bigint."""

from __future__ import annotations

from sqlalchemy import BigInteger, MetaData

from contracts.trading import metadata as trading

metadata = MetaData(naming_convention=trading.naming_convention)
for table in trading.sorted_tables:
    copy = table.to_metadata(metadata)
    for column in copy.columns:
        if column.primary_key or column.foreign_keys:
            column.type = BigInteger()

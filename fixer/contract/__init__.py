"""A contract: what a database should look like, from any SQLAlchemy MetaData.

The tables are created in a scratch place (the session's temporary schema, in a transaction that is always
rolled back; or an embedded server, where the target cannot be written, or where listeners of the models say
statements of their own) and read by the same reader as the target, so that both sides are spelt alike and a
contract that no database can satisfy is refused here.
"""

from fixer.contract.build import prepare
from fixer.contract.sources import DEFAULT, load, metadata_of

__all__ = ["DEFAULT", "load", "metadata_of", "prepare"]

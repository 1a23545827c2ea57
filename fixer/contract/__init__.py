"""A contract: what a database should look like, whatever says so.

Models, SQL, another database and the target itself are `sources`. Models are created in a scratch place (the session's
temporary schema, in a transaction that is always rolled back; or an embedded server, where the target cannot be
written, or where listeners of the models say statements of their own), SQL in a throw-away place. All are read by the
same reader as the target, so that both sides are spelt alike; what no database can satisfy is refused here.
"""

from fixer.contract.sources import ContractSource, in_project, load, prepare

__all__ = ["ContractSource", "in_project", "load", "prepare"]

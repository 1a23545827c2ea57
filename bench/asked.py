"""Runs in the environment of a peer, and asks it about one database after another: `python asked.py PEER`.

Reads lines of two DSNs, the broken and the wanted one, and answers each by one line of JSON. So a peer is imported
once, and not for each fault.
"""

import contextlib
import io
import json
import sys


def migra():
    from migra import Migration
    from sqlbag import S

    def ask(broken, wanted):
        with S(broken) as one, S(wanted) as two:
            migration = Migration(one, two)
            migration.set_safety(False)
            migration.add_all_changes(privileges=True)
            return migration.sql

    return ask


def sqlalchemy_diff():
    from sqlalchemydiff.comparer import Comparer
    from sqlalchemydiff.connection import DBConnectionFactory

    def ask(broken, wanted):
        engines = [DBConnectionFactory.create_engine(each) for each in (broken, wanted)]
        try:
            errors = Comparer(*engines).compare().errors
        finally:
            for engine in engines:
                engine.dispose()
        return "\n".join(f"{name}: {found}" for name, found in errors.items() if found)

    return ask


def pg_schema_diff():
    from importlib.metadata import entry_points

    from click.testing import CliRunner

    program = next(each for each in entry_points(group="console_scripts") if each.name == "pg-schema-diff").load()

    def ask(broken, wanted):
        plain = [each.replace("+psycopg2", "", 1) for each in (broken, wanted)]
        words = ["diff", "--source", plain[0], "--target", plain[1], "--format", "sql", "--no-transaction"]
        ended = CliRunner().invoke(program, words)
        if ended.exception and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        if ended.exit_code not in (0, 1) or ended.output.lstrip().startswith("Error"):  # 1 is also that of an error
            raise RuntimeError(ended.output[-300:])
        return "\n".join(line for line in ended.output.splitlines() if not line.lstrip().startswith("--"))

    return ask


ask = {"migra": migra, "migradiff": migra, "sqlalchemy-diff": sqlalchemy_diff, "pg-schema-diff": pg_schema_diff}[
    sys.argv[1]
]()
answers = sys.stdout
for line in sys.stdin:
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            answer = {"said": ask(*line.split())}
        except Exception as error:
            answer = {"failed": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
    print(json.dumps(answer), file=answers, flush=True)

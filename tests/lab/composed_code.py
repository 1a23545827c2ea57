"""Code over random contracts: functions, triggers, views, policies and grants, as the statements that make it."""

from __future__ import annotations

from fixer.model.expression import quoted
from lab.composition import Model, Models


def code(models: Models) -> str:
    """Return the statements that make code over the tables of these models."""
    return ";\n".join(statement for model in models for statement in _over(model))


def _over(model: Model) -> list[str]:
    schema = quoted(model.schema or "public")
    stamp, late, shown, counted = (
        f"{schema}.{quoted(f'{what} of {model.name}')}" for what in ("stamp %", "late", "shown", "counted")
    )
    first = quoted(model.fields[0].name)
    body = "RETURNS trigger LANGUAGE plpgsql"
    return [
        f"CREATE FUNCTION {stamp}() {body} AS $$BEGIN RETURN NEW; END$$",
        f"CREATE FUNCTION {late}() {body} SECURITY DEFINER SET search_path = pg_catalog, pg_temp"
        " AS $$BEGIN RETURN NULL; END$$",
        f"REVOKE ALL ON FUNCTION {late}() FROM PUBLIC",
        f'CREATE TRIGGER "stamp %" BEFORE INSERT OR UPDATE ON {model.full} FOR EACH ROW EXECUTE FUNCTION {stamp}()',
        f"CREATE TRIGGER late AFTER DELETE ON {model.full} FOR EACH STATEMENT EXECUTE FUNCTION {late}()",
        f"CREATE VIEW {shown} AS SELECT id, {first} FROM {model.full} WHERE id IS NOT NULL",
        f"CREATE VIEW {counted} AS SELECT count(*) AS n FROM {shown}",
        f"ALTER TABLE {model.full} ENABLE ROW LEVEL SECURITY",
        f'CREATE POLICY "own %" ON {model.full} USING (true)',
        f"CREATE POLICY filled ON {model.full} AS RESTRICTIVE FOR SELECT TO pg_monitor USING (id IS NOT NULL)",
        f"GRANT SELECT, INSERT ON {model.full} TO pg_monitor WITH GRANT OPTION",
        f"GRANT UPDATE ({first}) ON {model.full} TO pg_signal_backend",
        f"GRANT EXECUTE ON FUNCTION {late}() TO pg_monitor",
        f"GRANT SELECT ON {counted} TO PUBLIC",
    ]

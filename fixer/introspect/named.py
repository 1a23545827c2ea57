"""What stands under the names of types that columns to come will have."""

from __future__ import annotations

import json
from collections.abc import Iterable

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.settings import OUR_PATH
from fixer.introspect.questions import beside, query
from fixer.introspect.spelling import SpeltType, spelt
from fixer.model.expression import parts_of_name

# Chooses the types of these names for the query `types`; those in schemas that the role may not use are left out.
_CHOOSE = """
SELECT set_config('pgmend.types', coalesce(jsonb_agg(jsonb_build_object(
           'type', t.oid::bigint, 'modifier', -1, 'collation', t.typcollation::bigint)), '[]')::text, true)
  FROM jsonb_array_elements_text(%s::jsonb) AS w (spelt)
  LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = (parse_ident(w.spelt, false))[1]
  JOIN pg_catalog.pg_type t
    ON t.oid = CASE WHEN n.oid IS NOT NULL AND has_schema_privilege(n.oid, 'USAGE') THEN to_regtype(w.spelt) END;
"""


def standing_types(cursor: Cursor, types: Iterable[str]) -> dict[str, SpeltType]:
    """Return what stands under those of these names of types, as SQL spells them, that the session may use."""
    wanted = list(types)
    cursor.execute(f"{OUR_PATH}{_CHOOSE}{beside(query('types'))}", (json.dumps(wanted),))
    found = {parts_of_name(each.name): each for each in spelt(cursor.fetchall())}
    return {type_: found[parts] for type_ in wanted if (parts := parts_of_name(type_)) in found}

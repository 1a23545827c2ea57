"""The values that the whole fixer shares: schema, finding, step, plan, report, run; and the points of findings."""

POINTS = {
    1: "primary keys",
    2: "foreign keys",
    3: "default users",
    4: "structure",
    5: "operation",
}

"""The values that the whole fixer shares: schema, finding, step, plan, report, run."""

"""(actual, contract) → findings."""

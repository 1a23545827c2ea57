"""`fixer check` as a gate: baselines, earlier checks, and what fails."""

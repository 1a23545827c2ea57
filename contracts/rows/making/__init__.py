"""Makes good rows, each with the parents that it needs."""

"""Proves the claims of the suite: the databases, the cases, good rows, bad rows, default rows."""

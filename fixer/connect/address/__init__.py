"""Which database is meant, how that is spelt, and what is refused before anything connects."""

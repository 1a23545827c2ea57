"""The laws of a table: its keys, its foreign keys, and expressions that only a server can judge."""

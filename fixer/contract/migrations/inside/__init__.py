"""The process in which migrations run, with a connection to the throw-away place alone."""

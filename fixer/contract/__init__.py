"""Where a contract comes from, and the place where it is built and read."""

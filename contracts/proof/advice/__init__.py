"""What only the target knows about good rows."""

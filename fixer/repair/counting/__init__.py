"""Which columns count by which sequence."""

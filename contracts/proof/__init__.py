"""How a claim is proved: databases, cases, good and bad rows."""

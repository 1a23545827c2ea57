"""What repairs are made of."""

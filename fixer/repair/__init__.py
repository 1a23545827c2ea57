"""What cures are made of."""

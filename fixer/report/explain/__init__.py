"""What a defect class says of itself: read from its own file, without a database."""

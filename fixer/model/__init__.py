"""The values that travel through all rooms."""

"""The databases that a session proves, and what its processes share."""

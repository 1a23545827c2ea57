"""Commands that have a file each, imported when they are called, and what they alone need."""

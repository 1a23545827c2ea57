"""Which database, how it is reached, what a failure means, and servers of our own."""

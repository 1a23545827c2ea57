"""The contract suite: it proves five points of any database. The contract that ships is here too."""

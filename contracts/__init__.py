"""The contract suite: five points that any database has to prove, and the contract that ships."""

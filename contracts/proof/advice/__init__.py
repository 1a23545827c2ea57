"""Asks the target which rows are good, where the models do not say it."""

"""Masks of personal data: which columns hold some, and what each value becomes.

A value becomes the same everywhere, by a secret that lasts for one capture, so that keys agree across tables; and two
values never become one.
"""

"""A password that is hard to spell, and what would give it away."""

from __future__ import annotations

SECRETS = ("xK9zQw7m", "Yp4vRt2n")  # however the rest is spelt, these two would show
PASSWORD = "@/:p%w?#ä'\" \\x&+".join(SECRETS)

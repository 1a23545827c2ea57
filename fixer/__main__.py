"""``python -m fixer``, and the entry point of the console scripts."""

from typing import NoReturn

from fixer.connect.startup import importing


def main() -> NoReturn:
    """Import the command line, and run it."""
    with importing():
        from fixer.cli.group import main as command
    command()


if __name__ == "__main__":
    main()

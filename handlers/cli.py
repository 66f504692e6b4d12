"""A person's terminal: `iam26 demo`."""

import argparse
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and give the exit status of the process."""
    parser = argparse.ArgumentParser(prog="iam26", description="IAM.26 remediation")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("demo", help="show the whole job on a local AWS; nothing leaves here")
    parser.parse_args(arguments)
    # The local AWS and what draws the tables are for people: Lambda gets none of it.
    from local.demo import run_demo  # noqa: PLC0415

    return run_demo()


if __name__ == "__main__":
    sys.exit(main())

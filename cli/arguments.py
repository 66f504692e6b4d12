"""What can be asked for at the terminal."""

import argparse
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

DISTRIBUTION = "iam26-remediation"
OUTPUTS = ("table", "json", "csv", "html")
ACCOUNT_ID = re.compile(r"[0-9]{12}")

DESCRIPTION = "IAM.26 remediation at your terminal: it looks, and never changes anything."
EXAMPLES = """examples:
  iam26 plan                              every IAM server certificate of your account
  iam26 plan --profile prod --output html --file plan.html
  iam26 plan --accounts 111122223333,444455556666 --role-name SecurityAudit
  iam26 plan --print-policy               the permissions that it needs
  iam26 status                            what came of the findings of all accounts
"""
PLAN_DESCRIPTION = (
    "Show what IAM.26 remediation would do with every IAM server certificate of an account. "
    "It only reads, and can be run before anything is deployed."
)
PLAN_EXAMPLES = """exit status:
  0  nothing to do: no certificate would be deleted, and no expired one is in use
  1  an error: no account could be looked at
  2  certificates would be deleted, or are expired and in use
  3  the proof is incomplete, for at least one certificate or account; outweighs 2
  130  interrupted

examples:
  iam26 plan
  iam26 plan --profile prod --region eu-central-1 --grace-period-days 30
  iam26 plan --regions us-east-1,eu-west-1 --output json
  iam26 plan --output html --file plan.html
  iam26 plan --accounts 111122223333,444455556666 --role-name SecurityAudit
  iam26 plan --print-policy --accounts 111122223333 --role-name SecurityAudit
"""
STATUS_DESCRIPTION = (
    "Show how the certificates of all accounts stand, by what their findings in Security Hub say. "
    "No account is entered. Run it where your findings come together."
)
STATUS_EXAMPLES = """exit status:
  0  Security Hub was read
  1  an error
  130  interrupted

examples:
  iam26 status --profile security --region us-east-1
  iam26 status --output csv --file iam26.csv
  iam26 status --print-policy
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for.

    Attributes:
        command: `plan` or `status`.
        profile: the profile of the AWS configuration.
        region: the Region to begin in.
        output: what the answer is written as.
        file: where to; None for the standard output.
        prints_policy: print the permissions that are needed, and do nothing else.
        prints_schema: print the schema of the JSON output, and do nothing else.
        shows_traceback: show where an unexpected error came from.
        accounts: the accounts to plan for; empty for that of the credentials.
        settings: the settings of the remediation, by the names of their variables.
    """

    command: str
    profile: str | None
    region: str | None
    output: str
    file: Path | None
    prints_policy: bool
    prints_schema: bool
    shows_traceback: bool
    accounts: tuple[str, ...]
    settings: dict[str, str]


# The options that are settings of the remediation, by the names of their variables.
SETTING_OPTIONS = {
    "REGIONS": "--regions",
    "DENIED_REGIONS": "--denied-regions",
    "GRACE_PERIOD_DAYS": "--grace-period-days",
    "EXEMPT_TAG_KEY": "--exempt-tag-key",
    "MEMBER_ROLE_NAME": "--role-name",
    "ELB_CALLS_PER_SECOND": "--elb-calls-per-second",
}


def parse_arguments(arguments: Sequence[str] | None) -> Options:
    """Return what was asked for; exits with 0 after `--help` and `--version`, else with 1.

    Args:
        arguments: the arguments of the command line; None for those of this process.
    """
    parser = _make_parser()
    given = parser.parse_args(arguments)
    settings = {
        variable: value
        for variable, option in SETTING_OPTIONS.items()
        if (value := getattr(given, _name_attribute(option), None)) is not None
    }
    accounts = getattr(given, "accounts", None) or ()
    if accounts and "MEMBER_ROLE_NAME" not in settings:
        parser.error("--accounts needs --role-name: the role to assume in each of them")
    return Options(
        command=given.command,
        profile=given.profile,
        region=given.region,
        output=given.output,
        file=given.file,
        prints_policy=given.print_policy,
        prints_schema=given.print_schema,
        shows_traceback=given.debug,
        accounts=accounts,
        settings=settings,
    )


class _Parser(argparse.ArgumentParser):
    """A parser whose errors exit with 1: 2 says that certificates would be deleted."""

    def error(self, message: str) -> NoReturn:
        self.exit(1, f"iam26: {message}. See `{self.prog} --help`.\n")


def _make_parser() -> _Parser:
    parser = _Parser(
        prog="iam26",
        description=textwrap.fill(DESCRIPTION),
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"iam26 {version(DISTRIBUTION)}")
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    plan = _add_command(commands, "plan", PLAN_DESCRIPTION, PLAN_EXAMPLES)
    plan.add_argument(
        "--accounts",
        type=_split_accounts,
        metavar="IDS",
        help="the accounts to look at, comma-separated; by default that of your credentials",
    )
    plan.add_argument("--role-name", metavar="NAME", help="the role to assume in other accounts")
    plan.add_argument(
        "--regions", metavar="NAMES", help="the Regions in scope, comma-separated; by default all"
    )
    plan.add_argument(
        "--denied-regions",
        metavar="MEANING",
        help="Unverified or OutOfScope: what a Region means that a service control policy denies",
    )
    plan.add_argument(
        "--grace-period-days", metavar="DAYS", help="how long to keep a certificate that expired"
    )
    plan.add_argument(
        "--exempt-tag-key", metavar="KEY", help="the tag that keeps one; by default iam26:keep"
    )
    plan.add_argument(
        "--elb-calls-per-second",
        metavar="CALLS",
        help="how fast to read the load balancers of a Region; by default 5",
    )
    _add_command(commands, "status", STATUS_DESCRIPTION, STATUS_EXAMPLES)
    return parser


def _add_command(
    commands: "argparse._SubParsersAction[_Parser]", name: str, description: str, epilog: str
) -> _Parser:
    command = commands.add_parser(
        name,
        help=description.split(".", maxsplit=1)[0].lower(),
        description=textwrap.fill(description),
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_argument("--profile", help="a profile of your AWS configuration")
    command.add_argument("--region", help="the Region to begin in, where Security Hub is asked")
    command.add_argument(
        "--output", choices=OUTPUTS, default="table", help="what to write; by default table"
    )
    command.add_argument("--file", type=Path, metavar="PATH", help="where to write it, all at once")
    command.add_argument(
        "--print-policy", action="store_true", help="print the permissions it needs, and end"
    )
    command.add_argument(
        "--print-schema", action="store_true", help="print the schema of its JSON, and end"
    )
    command.add_argument(
        "--debug", action="store_true", help="show where an unexpected error came from"
    )
    return command


def _split_accounts(text: str) -> tuple[str, ...]:
    accounts = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for account in accounts:
        if not ACCOUNT_ID.fullmatch(account):
            raise argparse.ArgumentTypeError(f"{account!r} is no account: it has 12 digits")
    if not accounts:
        raise argparse.ArgumentTypeError("it names no account")
    return accounts


def _name_attribute(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")

"""`iam26 plan`: what would be done in an account, or in several."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import TypeAdapter
from rich.console import Console

from cli.arguments import SETTING_OPTIONS, Options
from cli.connection import connect, find_partition
from cli.errors import CommandError
from cli.output import Answer, check_target, render_answer, render_json, write_answer
from cli.permissions import (
    PLAN_CALLS,
    compose_account_policy,
    compose_plan_policy,
    render_compact,
)
from cli.plan_page import compose_plan_page, describe_summary
from cli.planning import Planner
from cli.progress import WatchedAccounts, shown_progress
from handlers.aws.account import Accounts, Identity, RoleSession
from handlers.aws.certificates import Certificates
from handlers.aws.clients import Clients
from handlers.aws.findings import Findings
from models.errors import SettingsError
from models.plan import AccountPlan, OrganizationPlan, decide_exit_status, find_start
from models.settings import Settings

USER_AGENT = "iam26-plan"
CSV_COLUMNS = (
    "account",
    "name",
    "id",
    "arn",
    "expires",
    "outcome",
    "reason",
    "references",
    "gaps",
)
DOCUMENT: TypeAdapter[AccountPlan | OrganizationPlan] = TypeAdapter(AccountPlan | OrganizationPlan)


def run(options: Options, console: Console) -> int:
    """Look at the accounts, write the plan, and return the status to exit with.

    Raises:
        CommandError: what was asked for cannot be done.
        AwsCallError, TransientError: it is not even known whose credentials these are.
    """
    if options.prints_policy:
        role_name = options.settings.get("MEMBER_ROLE_NAME")
        partition = find_partition(options.region)
        write_answer(render_json(compose_plan_policy(partition, role_name)), options.file)
        return 0
    if options.prints_schema:
        write_answer(render_json(DOCUMENT.json_schema(mode="serialization")), options.file)
        return 0
    settings = read_settings(options)
    check_target(options.file)
    clients = connect(options.profile, options.region, PLAN_CALLS, USER_AGENT)
    plans = look(clients, settings, options.accounts, console)
    write_answer(render_answer(compose_answer(plans), options), options.file)
    if options.file:
        console.print(f"{describe_summary(plans)} Written to {options.file}.", soft_wrap=True)
    return decide_exit_status(plans)


def read_settings(options: Options) -> Settings:
    """Return the settings of the remediation that the options stand for.

    Raises:
        CommandError: naming each option whose value cannot be used.
    """
    try:
        return Settings.from_environment(options.settings)
    except SettingsError as error:
        named = re.sub(r"[A-Z_]+", lambda word: SETTING_OPTIONS.get(word[0], word[0]), str(error))
        raise CommandError(named) from None


def look(
    clients: Clients, settings: Settings, account_ids: Sequence[str], console: Console
) -> list[AccountPlan]:
    """Return the plans for accounts, by default for that of the credentials.

    Raises:
        AwsCallError, TransientError: it is not even known whose credentials these are.
    """
    identity = Identity(clients)
    own_id = identity.read_account_id()
    session = RoleSession(USER_AGENT, render_compact(compose_account_policy(clients.partition)))
    accounts = Accounts(clients, identity, settings, _read_clock, Certificates, session)
    with shown_progress(console) as progress:
        planner = Planner(
            WatchedAccounts(accounts, progress), Findings(clients), settings, _read_clock
        )
        return planner.plan_all(account_ids or (own_id,))


def compose_answer(plans: Sequence[AccountPlan]) -> Answer:
    """Return the plans for every form that they can be written in."""
    return Answer(
        document=gather(plans).model_dump(mode="json", by_alias=True),
        columns=CSV_COLUMNS,
        rows=[
            {"account": plan.account} | one.model_dump(mode="json")
            for plan in plans
            for one in plan.certificates
        ],
        page=compose_plan_page(plans),
    )


def gather(plans: Sequence[AccountPlan]) -> AccountPlan | OrganizationPlan:
    """Return the plan of a single account as it is, and those of several in one object."""
    if len(plans) == 1:
        return plans[0]
    return OrganizationPlan(generated_at=find_start(plans), accounts=tuple(plans))


def _read_clock() -> datetime:
    return datetime.now(UTC)

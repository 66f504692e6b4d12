"""`iam26 status`: how the certificates of an organization stand, from Security Hub alone."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Protocol

from rich.console import Console

from cli.arguments import Options
from cli.connection import connect
from cli.output import Answer, check_target, render_answer, render_json, write_answer
from cli.permissions import STATUS_CALLS, compose_status_policy
from cli.progress import shown_progress
from cli.status_page import compose_status_page
from handlers.aws.findings import Findings
from models.errors import EventError
from models.finding import Finding, FindingKey
from models.standing import StatusReport, describe_standings

USER_AGENT = "iam26-status"
CSV_COLUMNS = (
    "account",
    "certificate",
    "certificateId",
    "outcome",
    "workflowStatus",
    "ageDays",
    "checkedAt",
    "references",
    "note",
    "findings",
)


class FindingsPort(Protocol):
    """Security Hub's findings of all accounts: see `handlers.aws.findings`."""

    def search_failed(self) -> Iterable[Sequence[Finding | EventError]]:
        """Return failed findings that nobody suppressed, page by page."""
        ...

    def list_suppressed(self) -> Sequence[Finding | EventError]:
        """Return the findings that somebody suppressed."""
        ...


def run(options: Options, console: Console) -> int:
    """Read the findings, write how the certificates stand, and return the status to exit with.

    Raises:
        CommandError: what was asked for cannot be done.
        AwsCallError, TransientError: Security Hub did not say.
    """
    if options.prints_policy:
        write_answer(render_json(compose_status_policy()), options.file)
        return 0
    if options.prints_schema:
        write_answer(
            render_json(StatusReport.model_json_schema(mode="serialization")), options.file
        )
        return 0
    check_target(options.file)
    clients = connect(options.profile, options.region, STATUS_CALLS, USER_AGENT)
    with shown_progress(console) as progress:
        task = progress.add_task("Findings of IAM.26", total=None)
        report = read_report(
            Findings(clients),
            clients.region,
            datetime.now(UTC),
            lambda found: progress.update(task, completed=found),
        )
    write_answer(render_answer(compose_answer(report), options), options.file)
    if options.file:
        console.print(f"Written to {options.file}.", soft_wrap=True)
    return 0


def read_report(
    hub: FindingsPort, region: str, now: datetime, watch: Callable[[int], None]
) -> StatusReport:
    """Return how the certificates stand, by the findings that Security Hub has.

    Args:
        hub: Security Hub.
        region: the Region it is asked in.
        now: the time (UTC).
        watch: learns how many findings were read so far.

    Raises:
        AwsCallError, TransientError: Security Hub did not say.
    """
    found: dict[FindingKey, Finding] = {}
    unclear: list[str] = []
    for page in chain(hub.search_failed(), [hub.list_suppressed()]):
        for one in page:
            if isinstance(one, EventError):
                unclear.append(str(one))
            else:
                found[one.key] = one
        watch(len(found))
    return StatusReport(
        generated_at=now,
        region=region,
        certificates=describe_standings(found.values(), now),
        not_understood=tuple(sorted(unclear)),
    )


def compose_answer(report: StatusReport) -> Answer:
    """Return the report for every form that it can be written in."""
    document = report.model_dump(mode="json", by_alias=True)
    return Answer(
        document=document,
        columns=CSV_COLUMNS,
        rows=document["certificates"],
        page=compose_status_page(report),
    )

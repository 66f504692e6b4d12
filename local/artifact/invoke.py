"""`python -m local invoke EVENT`: run one event through the built artifact."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from local.artifact.image import LambdaImageError
from local.artifact.runtime import Invocation, Runtime, choose_runtime, make_variables
from local.artifact.sam import SamError, is_listening
from local.artifact.template import PROJECT
from local.aws.endpoints import ForeignEndpointError
from local.aws.server import Aws, LocalAws, LocalAwsError
from local.fixtures import seed
from models.errors import EventError
from models.events import parse_batch, parse_event
from models.settings import Mode

BUCKET = "iam26-archive"
NAME = "iam26-remediation"
PORT = 5026
CERTIFICATE = "example-cert"  # what the sample events are about
SCHEDULED = "Scheduled Event"
# What a sweep has to find, because its own event names no finding.
OPEN_FINDING = PROJECT / "events" / "imported-consolidated.json"
MESSAGES_SHOWN = 10
MODES = {
    Mode.ENFORCE: "MODE=Enforce: what is proven gets deleted, in this local AWS.",
    Mode.DRY_RUN: "MODE=DryRun: everything but the delete. MODE=Enforce deletes.",
}


class SampleError(ValueError):
    """A file holds no event that a function takes."""


@dataclass(frozen=True)
class Sample:
    """An event in a file, the function that takes it, and the findings it is about."""

    path: Path
    function: str
    findings: tuple[dict[str, Any], ...]


def read_sample(path: Path) -> Sample:
    """Return the event in a file.

    Raises:
        SampleError: there is none that a function takes; the message is one line.
    """
    try:
        event = json.loads(path.read_bytes())
    except OSError as error:
        raise SampleError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SampleError(f"{path} is not JSON: {error}") from error
    if isinstance(event, dict) and event.get("detail-type") == SCHEDULED:
        return Sample(path, "SweepFunction", _read_findings(json.loads(OPEN_FINDING.read_bytes())))
    try:
        if isinstance(event, dict) and "Records" in event:
            parse_batch(event)
        else:
            parse_event(event)
    except EventError as error:
        raise SampleError(f"{path} is no event that the functions take: {error}") from error
    return Sample(path, "RemediateFunction", _read_findings(event))


def _read_findings(event: Any) -> tuple[dict[str, Any], ...]:
    if "Records" not in event:
        return tuple(event["detail"]["findings"])
    found: list[dict[str, Any]] = []
    for record in event["Records"]:
        try:
            body = json.loads(record["body"])
            parse_event(body)
        except (KeyError, TypeError, ValueError, EventError):
            continue  # a batch may have records that are no event: the function tells of them
        found += body["detail"]["findings"]
    return tuple(found)


def run_invoke(
    path: Path,
    mode: Mode,
    console: Console | None = None,
    choose: Callable[[], Runtime] = choose_runtime,
) -> int:
    """Invoke, print what came of it, and return the exit status."""
    console = console or Console(width=None if sys.stdout.isatty() else 120)
    started_at = time.monotonic()
    try:
        sample = read_sample(path)
        runtime = choose()
        console.print(runtime.description, markup=False)
        with run_local_aws(console, runtime, sample) as aws:
            console.print(MODES[mode])
            show(console, invoke(runtime, sample, aws, mode), aws)
    except SampleError as error:
        console.print(str(error), markup=False, soft_wrap=True)
        return 2
    except (SamError, LambdaImageError, LocalAwsError, ForeignEndpointError) as error:
        console.print(str(error), markup=False, soft_wrap=True)
        return 1
    console.print(f"{path.name}: {time.monotonic() - started_at:.1f} s")
    return 0


@contextmanager
def run_local_aws(console: Console, runtime: Runtime, sample: Sample) -> Iterator[Aws]:
    """Return the local AWS that runs already, or one with what the event is about."""
    if is_listening(url := f"http://{runtime.host}:{PORT}"):
        console.print(f"The local AWS that runs on {url} is used as it is.")
        running = Aws()
        running.endpoint_url = url
        yield running
        return
    with LocalAws(host=runtime.host) as aws:
        seed_sample(aws, sample)
        console.print(
            f"A local AWS runs on {aws.endpoint_url} meanwhile; {CERTIFICATE} expired 30 days ago."
        )
        yield aws


def seed_sample(aws: Aws, sample: Sample) -> None:
    """Fill a local AWS with what the environment file names and the event is about."""
    aws.client("s3").create_bucket(Bucket=BUCKET)
    aws.client("sns").create_topic(Name=NAME)
    aws.client("sqs").create_queue(QueueName=NAME)
    seed.plant_certificate(CERTIFICATE, path="/old/")
    aws.import_findings({one["Id"]: one for one in sample.findings}.values())


def invoke(runtime: Runtime, sample: Sample, aws: Aws, mode: Mode) -> Invocation:
    """Return what came of an event in a local AWS."""
    variables = make_variables(str(aws.endpoint_url), mode)
    return runtime.invoke(sample.function, sample.path, variables)


def show(console: Console, came: Invocation, aws: Aws) -> None:
    """Print what came of an event, for a person."""
    if "outcomes" in came.answer:
        for one in came.answer["outcomes"]:
            finding = f"{one['workflowStatus']}  {one['findingId']}"
            show_outcome(console, one["outcome"], one["certificate"], [finding], one["reason"])
    elif "batchItemFailures" in came.answer:
        show_batch(console, came)
    else:
        show_sweep(console, came.answer, aws)


def show_batch(console: Console, came: Invocation) -> None:
    """Print what became of each certificate, and which messages have to be redelivered."""
    for line in came.log:
        if line["message"] == "certificate":
            certificate, findings = line["certificate"], line["findingIds"]
            show_outcome(console, line["outcome"], certificate, findings, line["reason"])
        elif line.get("level") in ("WARNING", "ERROR"):
            about = line.get("messageId") or ", ".join(line.get("findingIds", ()))
            why = f"{line['message']}: {line.get('reason', '')}"
            console.print(Text(f"{about}: {why}" if about else why, style="yellow"), "")
    failed = [one["itemIdentifier"] for one in came.answer["batchItemFailures"]]
    if not failed:
        console.print("No message is delivered again.")
    for message_id in failed:
        console.print(f"Message {message_id} failed: it is delivered again.", highlight=False)


def show_sweep(console: Console, counts: dict[str, Any], aws: Aws) -> None:
    """Print how much a sweep has sent, and the messages that are on the queue now."""
    console.print(", ".join(f"{name}: {count}" for name, count in counts.items()))
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName=NAME)["QueueUrl"]
    # Left where they are: the local AWS may be one that somebody works with.
    taken = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=MESSAGES_SHOWN, VisibilityTimeout=0
    )
    for message in taken.get("Messages", []):
        event = json.loads(message["Body"])
        findings = [one["Id"] for one in event["detail"]["findings"]]
        table = make_table()
        table.add_row("[bold]message", f"{event['source']}, {event['detail-type']}")
        table.add_row("[bold]findings", Text("\n".join(findings)))
        console.print(table, "")
    if (more := counts.get("messages", 0) - MESSAGES_SHOWN) > 0:
        console.print(f"… and {more} more")


def make_table() -> Table:
    """Return a table of a name and a value, in which no ARN is cut."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(overflow="fold")
    return table


def show_outcome(
    console: Console, outcome: str, certificate: str | None, findings: Sequence[str], reason: str
) -> None:
    """Print the outcome for one certificate."""
    table = make_table()
    table.add_row("[bold]outcome", Text(outcome, style="bold green"))
    table.add_row("[bold]certificate", Text(certificate or "none"))
    table.add_row("[bold]finding", Text("\n".join(findings)))
    table.add_row("[bold]why", Text(reason))
    console.print(table, "")

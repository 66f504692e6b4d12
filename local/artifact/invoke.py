"""`python -m local invoke EVENT`: run one event through the built artifact."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from local.artifact import sam
from local.artifact.image import LambdaImageError, has_docker
from local.aws.endpoints import DOCKER_BRIDGE
from local.aws.server import Aws, LocalAws, LocalAwsError
from local.fixtures import seed

BUCKET = "iam26-archive"
NAME = "iam26-remediation"
PORT = 5026
CERTIFICATE = "example-cert"  # what the sample events are about


def run_invoke(event: Path) -> int:
    """Invoke, print the outcomes, and return the exit status."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    if not event.is_file():
        console.print(f"[red]There is no file {event}[/]: make invoke EVENT=events/sweep.json")
        return 2
    console.print(sam.describe_way())
    started_at = time.monotonic()
    try:
        with local_aws(console, event) as aws:
            answer = invoke(event, aws)
    except (sam.SamError, LambdaImageError, LocalAwsError) as error:
        console.print(str(error), markup=False)
        return 1
    show(console, answer)
    console.print(f"{event.name}: {time.monotonic() - started_at:.1f} s")
    return 0


@contextmanager
def local_aws(console: Console, event: Path) -> Iterator[Aws]:
    """Give the local AWS that runs already, or one with what the event is about."""
    host = DOCKER_BRIDGE if has_docker() else "127.0.0.1"
    if sam.is_listening(url := f"http://{host}:{PORT}"):
        console.print(f"The local AWS that runs on {url} is used as it is.")
        running = Aws()
        running.endpoint_url = url
        yield running
        return
    with LocalAws(host=host, port=PORT) as aws:
        seed_samples(aws, event)
        console.print(f"A local AWS runs on {url} meanwhile; {CERTIFICATE} expired 30 days ago.")
        yield aws


def seed_samples(aws: Aws, event: Path) -> None:
    """Fill a local AWS with what the environment file names and the event is about."""
    aws.client("s3").create_bucket(Bucket=BUCKET)
    aws.client("sns").create_topic(Name=NAME)
    aws.client("sqs").create_queue(QueueName=NAME)
    seed.plant_certificate(CERTIFICATE, path="/old/")
    findings = read_findings(json.loads(event.read_text()))
    aws.import_findings({one["Id"]: one for one in findings}.values())


def invoke(event: Path, aws: Aws) -> Any:
    """Give a function's answer to an event, from Docker where there is one."""
    url = aws.endpoint_url or ""
    function = "SweepFunction" if event.parent.name == "sweep-function" else "RemediateFunction"
    run = sam.invoke_in_docker if has_docker() else sam.invoke_on_host
    return run(function, event, url)


def read_findings(event: Any) -> list[dict[str, Any]]:
    """Give the findings of an event, or of all events that a batch carries."""
    if "Records" not in event:
        found: list[dict[str, Any]] = event.get("detail", {}).get("findings", [])
        return found
    bodies = [record["body"] for record in event["Records"]]
    return [
        one for body in bodies if body.startswith("{") for one in read_findings(json.loads(body))
    ]


def show(console: Console, answer: Any) -> None:
    """Print outcomes for a person, and any other answer as it is."""
    outcomes = answer.get("outcomes")
    if outcomes is None:
        console.print_json(json.dumps(answer))
        return
    for one in outcomes:
        table = Table.grid(padding=(0, 2))
        table.add_row("[bold]outcome", Text(one["outcome"], style="bold green"))
        table.add_row("[bold]certificate", one["certificate"] or "none")
        table.add_row("[bold]finding", f"{one['workflowStatus']}  {one['findingId']}")
        table.add_row("[bold]why", Text(one["reason"]))
        console.print(table, "")

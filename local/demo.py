"""The demo: an account of the local AWS with real certificates, and the real handlers on it."""

import io
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from handlers import expiry_alarms
from handlers.expiry.alarms import AlarmCounts
from handlers.remediate import handler
from local.aws import faults
from local.aws.knobs import OWN_ACCOUNT
from local.aws.server import Aws, LocalAws
from local.fixtures import deploy, mapping, seed
from local.fixtures.context import Context
from local.fixtures.findings import make_raw_finding
from local.fixtures.invocation import kill_invocation
from local.fixtures.stack import Stack, load_stack
from local.surprises import Surprises
from models.outcome import Outcome

if TYPE_CHECKING:
    from local.aws.patches.acm import CertificateType
    from local.fixtures.certificates import KeyType

GRACE_PERIOD_DAYS = 14

STYLES = {
    Outcome.DELETED: "bold red",
    Outcome.WOULD_DELETE: "red",
    Outcome.IN_USE: "yellow",
    Outcome.UNVERIFIED: "bold yellow",
    Outcome.REFUSED: "dim",
}

Finding = dict[str, Any]


@dataclass
class Exhibit:
    """One case of the demo.

    Attributes:
        story: what is special about it.
        certificate: the name of its certificate.
        findings: what Security Hub says of it.
        expected: the outcome with MODE=Enforce; a dry run tells `would-delete` for `deleted`.
        needs_button: whether the rule for imported findings leaves its findings out.
    """

    story: str
    certificate: str
    findings: list[Finding]
    expected: Outcome
    needs_button: bool = False

    def expect(self, mode: str) -> Outcome:
        """Return the expected outcome in a mode."""
        is_rehearsal = mode == "DryRun" and self.expected is Outcome.DELETED
        return Outcome.WOULD_DELETE if is_rehearsal else self.expected


@dataclass
class Seen:
    """What the handler logged of one finding's certificate."""

    outcome: Outcome | None
    reason: str


UNSEEN = Seen(None, "the handler did not log an outcome")


@dataclass
class Demo:
    """A run of the demo: what it shows, and what did not go as expected."""

    aws: Aws
    console: Console
    stack: Stack = field(default_factory=load_stack)
    surprises: Surprises = field(default_factory=Surprises)


def run_demo(console: Console | None = None) -> int:
    """Show the whole job on a local AWS, and return 0 if every outcome was the expected one."""
    console = console or Console(width=None if sys.stdout.isatty() else 120)
    started_at = time.monotonic()
    console.print(
        "\n[bold]IAM.26 remediation[/]: expired certificates in IAM, on a local AWS that was "
        "started for this demo.\nNothing leaves this machine.\n"
    )
    with LocalAws() as aws:
        with working(console, "Seeding certificates, what uses them, and findings"):
            demo = Demo(aws, console, create_stack(aws))
            exhibits = seed_world(aws)
            aws.import_findings(one for exhibit in exhibits for one in exhibit.findings)
        show_world(demo, "Before")
        play_dry_run(demo, exhibits)
        play_enforcement(demo, exhibits)
        play_denied_region(demo)
        play_killed_invocation(demo)
        play_expiry_alarms(demo)
        show_world(demo, "After")
    return tell_result(demo, time.monotonic() - started_at)


@contextmanager
def working(console: Console, what: str) -> Iterator[None]:
    """Show that something is going on, and how long it took."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"{what} …", total=1)
        yield
        progress.update(task, completed=1)


def create_stack(aws: Aws) -> Stack:
    """Create what the stack has around the function: archive, topic, queue, rules and button."""
    stack = deploy.create_resources(aws.client, load_stack(GracePeriodDays=GRACE_PERIOD_DAYS))
    deploy.create_rules(aws.client, stack)
    deploy.create_custom_action(aws.client, stack)
    return stack


def take_messages(demo: Demo) -> list[str]:
    """Take all messages off the queue, and return their bodies."""
    messages = mapping.take_messages(demo.aws.client("sqs"), demo.stack.outputs["QueueUrl"])
    return [one["Body"] for one in messages]


def seed_world(aws: Aws) -> list[Exhibit]:
    """Fill the account with certificates and references to them, and return what it should find."""
    client = aws.client
    now = datetime.now(UTC)

    def plant(name: str, *, days: int = -90, **more: Any) -> dict[str, Any]:
        return seed.plant_certificate(name, expires=now + timedelta(days=days), **more)

    def exhibit(
        story: str, certificate: dict[str, Any], expected: Outcome, **finding: Any
    ) -> Exhibit:
        made = make_raw_finding(certificate["Arn"], **finding)
        return Exhibit(story, certificate["ServerCertificateName"], [made], expected)

    exhibits = [
        exhibit(
            "expired and unused, under a path", plant("old-web", path="/team/"), Outcome.DELETED
        )
    ]
    for name, story, attach in references():
        certificate = plant(name)
        attach(client, certificate)
        exhibits.append(exhibit(story, certificate, Outcome.IN_USE))
    exhibits += [
        exhibit("tagged iam26:keep", plant("court-case", tags={"iam26:keep": ""}), Outcome.EXEMPT),
        exhibit("expired 3 days ago", plant("just-expired", days=-3), Outcome.IN_GRACE_PERIOD),
        exhibit("renewed: valid again", plant("renewed", days=200), Outcome.NOT_EXPIRED),
        exhibit(
            "deleted by hand meanwhile",
            {
                "Arn": f"arn:aws:iam::{OWN_ACCOUNT}:server-certificate/long-gone",
                "ServerCertificateName": "long-gone",
            },
            Outcome.ALREADY_GONE,
        ),
    ]
    accepted = plant("accepted-risk")
    suppressed = make_raw_finding(accepted["Arn"], workflow_status="SUPPRESSED")
    twice = plant("twice-reported")
    exhibits.append(
        Exhibit(
            "two CIS findings",
            "twice-reported",
            [make_raw_finding(twice["Arn"], standard=one) for one in ("cis-3.0", "cis-5.0")],
            Outcome.DELETED,
        )
    )
    other = make_raw_finding(
        "arn:aws:s3:::logs", Compliance={"Status": "FAILED", "SecurityControlId": "S3.8"}
    )
    exhibits += [
        Exhibit(
            "finding suppressed", "accepted-risk", [suppressed], Outcome.REFUSED, needs_button=True
        ),
        Exhibit("button pressed on control S3.8", "-", [other], Outcome.REFUSED, needs_button=True),
    ]
    return exhibits


Attach = Callable[[Any, dict[str, Any]], object]


def references() -> list[tuple[str, str, Attach]]:
    """Return every kind of use: certificate name, story, and what makes the use."""
    return [
        (
            "used-by-classic",
            "on a Classic ELB in eu-west-1",
            lambda client, one: seed.create_classic_load_balancer(
                client, "edge", one["Arn"], region="eu-west-1"
            ),
        ),
        (
            "used-by-alb",
            "default of an ALB listener",
            lambda client, one: seed.create_load_balancer(client, "shop", one["Arn"]),
        ),
        (
            "used-by-sni",
            "in an SNI list, ap-southeast-2",
            lambda client, one: seed.create_load_balancer(
                client,
                "many-names",
                seed.upload_certificate(
                    client, "valid-default", expires=datetime.now(UTC) + timedelta(days=90)
                )["Arn"],
                sni=[one["Arn"]],
                region="ap-southeast-2",
            ),
        ),
        (
            "used-by-cdn",
            "CloudFront, by its id",
            lambda client, one: seed.create_distribution(client, one["ServerCertificateId"]),
        ),
        (
            "used-by-api",
            "AppSync custom domain",
            lambda client, one: seed.create_api_domain(client, "api.example.com", one["Arn"]),
        ),
        (
            "used-by-beanstalk",
            "a saved configuration",
            lambda client, one: seed.create_saved_configuration(
                client, "billing", "last-year", one["Arn"], region="us-west-2"
            ),
        ),
    ]


def play_dry_run(demo: Demo, exhibits: Sequence[Exhibit]) -> None:
    """Handle in a dry run what the rule let through when the findings were imported."""
    demo.console.rule("1. The findings arrive, MODE=DryRun: everything but the delete")
    arriving = [exhibit for exhibit in exhibits if not exhibit.needs_button]
    with working(demo.console, "The rule fills the queue, the handler takes the batch"):
        bodies = take_messages(demo)
        seen = invoke(demo, seed.sqs_batch(bodies), "DryRun")
    demo.surprises.check(
        "messages by the rule", sum(len(one.findings) for one in arriving), len(bodies)
    )
    show_decisions(demo, arriving, seen, "DryRun")
    # Each update causes an event, with a status that the rule does not let through.
    demo.surprises.check("messages that the updates caused", [], take_messages(demo))


def play_enforcement(demo: Demo, exhibits: Sequence[Exhibit]) -> None:
    """Press the button on every finding, with deletion switched on."""
    demo.console.rule("2. Somebody presses the custom action's button, MODE=Enforce")
    findings = read_findings(demo.aws)
    current = [findings[one["Id"]] for exhibit in exhibits for one in exhibit.findings]
    with working(demo.console, "The button fills the queue, the handler takes the batch"):
        demo.aws.press_custom_action(demo.stack.outputs["ActionTargetArn"], current)
        seen = invoke(demo, seed.sqs_batch(take_messages(demo)), "Enforce")
    show_decisions(demo, exhibits, seen, "Enforce")


def play_denied_region(demo: Demo) -> None:
    """Take a permission away in one Region: the proof has a gap, so the certificate stays."""
    demo.console.rule("3. One Region answers AccessDenied: no proof, no delete")
    certificate = seed.plant_certificate("almost-proven")
    finding = make_raw_finding(certificate["Arn"])
    kept = Exhibit("eu-central-1 denied", "almost-proven", [finding], Outcome.UNVERIFIED)
    with (
        working(demo.console, "elasticloadbalancing is denied in eu-central-1"),
        faults.inject(fault=faults.AccessDenied(), service="elbv2", region="eu-central-1"),
    ):
        demo.aws.import_findings([finding])
        seen = invoke(demo, seed.sqs_batch(take_messages(demo)), "Enforce")
    show_decisions(demo, [kept], seen, "Enforce")
    left = read_certificates(demo.aws).keys() & {"almost-proven"}
    demo.surprises.check("kept without proof", {"almost-proven"}, left)
    gone = Exhibit("permission granted again", "almost-proven", [finding], Outcome.DELETED)
    with working(demo.console, "The permission is granted again, the finding is new again"):
        demo.aws.import_findings([finding])
        seen = invoke(demo, seed.sqs_batch(take_messages(demo)), "Enforce")
    show_decisions(demo, [gone], seen, "Enforce")


def play_killed_invocation(demo: Demo) -> None:
    """Kill an invocation right after its delete: the redelivery knows from the archive."""
    demo.console.rule("4. An invocation is killed right after its delete, and redelivered")
    certificate = seed.plant_certificate("half-way")
    finding = make_raw_finding(certificate["Arn"])
    demo.aws.import_findings([finding])
    bodies = take_messages(demo)
    environment = {**os.environ, **configure(demo, "Enforce")}
    with working(demo.console, "A process of its own is killed when IAM has deleted"):
        kill_invocation(seed.sqs_batch(bodies), environment, "iam.DeleteServerCertificate")
    status = read_findings(demo.aws)[finding["Id"]]["Workflow"]["Status"]
    demo.console.print(f"The certificate is gone and its finding still says [bold]{status}[/].\n")
    left = read_certificates(demo.aws).keys() & {"half-way"}
    demo.surprises.check("certificates left after the kill", set(), left)
    demo.surprises.check("status of the finding after the kill", "NEW", status)
    exhibit = Exhibit("redelivered", "half-way", [finding], Outcome.DELETED)
    with working(demo.console, "The queue delivers the message again"):
        seen = invoke(demo, seed.sqs_batch(bodies, receive_count=2), "Enforce")
    show_decisions(demo, [exhibit], seen, "Enforce")


def play_expiry_alarms(demo: Demo) -> None:
    """Let alarms be made for certificates in ACM, so that somebody hears of them in time."""
    demo.console.rule("5. Before the next one expires: an alarm for each certificate in ACM")
    with working(demo.console, "ACM has certificates, imported and issued by itself"):
        days_left = seed_acm()
        first = invoke_expiry_alarms(demo)
    show_alarms(demo, days_left)
    created = dict.fromkeys(("corrected", "removed", "unchanged"), 0) | {"created": len(days_left)}
    demo.surprises.check("the first run of the expiry alarms", created, first)
    second = invoke_expiry_alarms(demo)
    unchanged = dict.fromkeys(first, 0) | {"unchanged": len(days_left)}
    demo.surprises.check("the second run of the expiry alarms", unchanged, second)
    told = ", ".join(f"{count} {change}" for change, count in second.items() if count)
    demo.console.print(f"A second run writes nothing: [bold]{told}[/].\n")


def seed_acm() -> dict[str, int]:
    """Fill ACM with certificates, and return how many days each has left, by its ARN."""
    now = datetime.now(UTC)
    certificates: list[tuple[str | None, CertificateType, int, KeyType]] = [
        ("api.example.com", "IMPORTED", 20, "RSA_2048"),
        ("*.shop.example.com", "IMPORTED", 120, "EC_prime256v1"),
        (None, "IMPORTED", 60, "EC_secp384r1"),
        ("www.example.com", "AMAZON_ISSUED", 200, "RSA_2048"),
        ("stalled.example.com", "AMAZON_ISSUED", 25, "RSA_2048"),
    ]
    return {
        seed.plant_acm_certificate(
            domain, kind=kind, key_type=key_type, expires=now + timedelta(days=days)
        ): days
        for domain, kind, days, key_type in certificates
    }


def invoke_expiry_alarms(demo: Demo) -> AlarmCounts:
    """Call the handler of the expiry alarms as their template sets it up, and return its answer."""
    stack = load_stack(
        "deploy/expiry-alarms.yaml",
        TopicArn=demo.stack.outputs["TopicArn"],
        Scope="All",
        IamCertificates="Disabled",
        CodeBucketPrefix="code",
        CodeKey="demo.zip",
    )
    os.environ.update(stack.environment("ExpiryFunction"))
    with collected_log():
        answer: AlarmCounts = expiry_alarms.handler({}, Context())
    return answer


def show_alarms(demo: Demo, days_left: dict[str, int]) -> None:
    """Print the alarms, and when each fires, against the certificates that were seeded."""
    table = Table(expand=True)
    table.add_column("Alarm", ratio=1, overflow="fold")
    table.add_column("Days left", justify="right", no_wrap=True)
    table.add_column("Fires at", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    alarms = demo.aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    watched = [alarm["Dimensions"][0]["Value"] for alarm in alarms]
    demo.surprises.check("certificates with an alarm", sorted(days_left), sorted(watched))
    for alarm, arn in zip(alarms, watched, strict=True):
        left, threshold = days_left.get(arn, 0), int(alarm["Threshold"])
        table.add_row(
            alarm["AlarmName"],
            str(left),
            str(threshold),
            "[bold red]now[/]" if left <= threshold else f"[green]in {left - threshold} days[/]",
        )
    demo.console.print(table)
    demo.console.print()


def configure(demo: Demo, mode: str) -> dict[str, str]:
    """Return the handler's environment in a mode."""
    return demo.stack.knowing(Mode=mode).environment("RemediateFunction")


def invoke(demo: Demo, batch: dict[str, Any], mode: str) -> dict[str, Seen]:
    """Call the real handler, and return what it logged of each finding."""
    os.environ.update(configure(demo, mode))
    with collected_log() as log, redirect_stdout(io.StringIO()):  # metrics go to standard output
        answer = handler(batch, Context())
    demo.surprises.check("messages left on the queue", [], answer["batchItemFailures"])
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    return {
        finding_id: Seen(Outcome(line["outcome"]), line["reason"])
        for line in lines
        if line["message"] == "certificate"
        for finding_id in line["findingIds"]
    }


@contextmanager
def collected_log() -> Iterator[io.StringIO]:
    """Collect what the functions log, instead of printing it."""
    log = io.StringIO()
    collector = logging.StreamHandler(log)
    logger = logging.getLogger("iam26-remediation")
    collector.setFormatter(logger.handlers[0].formatter)
    ours, logger.handlers[:] = list(logger.handlers), [collector]
    try:
        yield log
    finally:
        logger.handlers[:] = ours


def show_decisions(
    demo: Demo, exhibits: Sequence[Exhibit], seen: dict[str, Seen], mode: str
) -> None:
    """Print what was decided and why, against what was expected."""
    table = Table(expand=True)
    table.add_column("Certificate", no_wrap=True)
    table.add_column("Case", ratio=3)
    table.add_column("Why", ratio=8, overflow="fold")
    table.add_column("Outcome", no_wrap=True)
    table.add_column("Finding")
    table.add_column("")
    findings = read_findings(demo.aws)
    left = read_certificates(demo.aws).keys()
    for exhibit in exhibits:
        expected = exhibit.expect(mode)
        for finding in exhibit.findings:
            actual = seen.get(finding["Id"], UNSEEN)
            status = findings[finding["Id"]]["Workflow"]["Status"]
            wanted = expected.workflow_status
            ok = demo.surprises.check(
                f"{exhibit.certificate} ({exhibit.story})", expected, actual.outcome
            )
            ok &= demo.surprises.check(
                f"status of the finding on {exhibit.certificate}",
                wanted.value if wanted else finding["Workflow"]["Status"],
                status,
            )
            table.add_row(
                exhibit.certificate,
                exhibit.story,
                actual.reason,
                name_outcome(actual.outcome),
                status,
                "[green]✓[/]" if ok else "[bold red]✗[/]",
            )
        if expected is Outcome.DELETED:
            demo.surprises.check(
                "left in IAM after its delete", set(), left & {exhibit.certificate}
            )
    demo.console.print(table)
    demo.console.print()


def name_outcome(outcome: Outcome | None) -> Text:
    """Return an outcome's name in its colour."""
    if outcome is None:
        return Text("none", style="bold red")
    return Text(outcome.value, style=STYLES.get(outcome, "green"))


def show_world(demo: Demo, when: str) -> None:
    """Print the certificates in IAM and the findings in Security Hub."""
    now = datetime.now(UTC)
    certificates = Table("Certificate", "Path", "Id", "Expires", "", title=f"{when}: IAM")
    for name, one in sorted(read_certificates(demo.aws).items()):
        expired = one["Expiration"] <= now
        certificates.add_row(
            name,
            one["Path"],
            one["ServerCertificateId"],
            f"{one['Expiration']:%Y-%m-%d}",
            "[red]expired[/]" if expired else "[green]valid[/]",
        )
    demo.console.print(certificates)
    findings = read_findings(demo.aws)
    table = Table("Finding on", "Status", title=f"{when}: Security Hub", expand=True)
    table.add_column("Note", overflow="fold")
    for finding in sorted(findings.values(), key=lambda one: str(one["Resources"][0]["Id"])):
        table.add_row(
            finding["Resources"][0]["Id"].rsplit("/", 1)[-1],
            finding["Workflow"]["Status"],
            finding.get("Note", {}).get("Text", "[dim]untouched[/]"),
        )
    demo.console.print(table)
    demo.console.print()


def read_certificates(aws: Aws) -> dict[str, dict[str, Any]]:
    """Return the certificates that are in IAM, by name."""
    listed = aws.client("iam").list_server_certificates()["ServerCertificateMetadataList"]
    return {one["ServerCertificateName"]: one for one in listed}


def read_findings(aws: Aws) -> dict[str, Finding]:
    """Return the findings that are in Security Hub, by id."""
    return {one["Id"]: one for one in aws.client("securityhub").get_findings()["Findings"]}


def tell_result(demo: Demo, seconds: float) -> int:
    """Print whether all went as expected, and return the exit status."""
    demo.console.print(f"{seconds:.0f} s")
    return demo.surprises.conclude(demo.console, "Every outcome was the expected one.")

"""`make organisation`: 200 accounts with 1,000 findings, and what they cost in AWS calls.

Findings come by event and by sweep, more than once and out of order; accounts lack the role, IAM
throttles, invocations die. In the end every finding and certificate must be as it should, each
certificate deleted once, and the calls made must be those that the design predicts.
"""

from __future__ import annotations

import io
import json
import logging
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from rich.console import Console
from rich.table import Table

from handlers import remediate, sweep, wiring
from handlers.aws.clients import SDK_ATTEMPTS
from handlers.aws.findings import Findings
from local.aws import faults
from local.aws.knobs import OWN_ACCOUNT
from local.aws.server import Aws, in_process
from local.fixtures import deploy, seed
from local.fixtures.context import Context
from local.fixtures.findings import make_raw_finding
from local.fixtures.mapping import EventSourceMapping, take_messages
from local.fixtures.stack import load_stack
from local.organisation.prediction import (
    OUTCOMES,
    AccountFacts,
    Kind,
    Prediction,
    Subject,
)
from local.surprises import Surprises
from models.outcome import OUTCOME_FIELD, Outcome

ACCOUNTS = 200
FINDINGS_AN_ACCOUNT = 5
REGIONS = ("us-east-1", "eu-west-1")
PARAMETERS: dict[str, Any] = {
    "Mode": "Enforce",
    "MemberRoleName": "iam26-remediation-member",
    "GracePeriodDays": 30,
}

# In the order of their creation; two of each account are about one certificate.
COMMON = (Kind.CLEAN, Kind.CLEAN, Kind.CLEAN, Kind.CLEAN, Kind.GONE)


@dataclass(frozen=True, slots=True)
class Turn:
    """Which accounts are concerned: every so many, from one on."""

    every: int
    first: int

    def is_of(self, number: int) -> bool:
        """Return whether it is the turn of an account."""
        return number % self.every == self.first


# What stays open is looked at in each sweep, so only some accounts have it.
STAYING_OPEN = Turn(4, 1)
ACCEPTING = Turn(10, 3)
THROTTLED = Turn(25, 7)
WITHOUT_ROLE = Turn(40, 19)
# The findings of each account, by their last digit, that nobody hears of but the sweep.
BEFORE_THE_DEPLOYMENT = frozenset("02")
REPEATED_SHARE = 0.08
# How many findings or messages come at once; a multiple of the batch size.
WAVE = 100
# How far messages stray from their order.
DISORDER = 4
# The invocations that die after their work and before Lambda deletes their messages.
DYING = frozenset({2, 5})

CALLERS = ("iam26-remediation", "iam26-sweep")


class DiedError(RuntimeError):
    """The invocation is gone, and Lambda deletes none of its messages."""


@dataclass
class Result:
    """What came of a run.

    Attributes:
        accounts: how many there were.
        findings: how many there were.
        made: the calls that the application made, by service and operation.
        predicted: the calls that the design says.
        naive_calls: what it would have been with one scan for each finding.
        outcomes: how many findings came to which outcome.
        deliveries: the messages that invocations got, the repeated ones included.
        invocations: how many there were.
        seconds: how long the application worked.
        surprises: what is not as it should be.
    """

    accounts: int
    findings: int
    made: Counter[str] = field(default_factory=Counter)
    predicted: Counter[str] = field(default_factory=Counter)
    naive_calls: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    deliveries: int = 0
    invocations: int = 0
    seconds: float = 0
    surprises: Surprises = field(default_factory=Surprises)


class Organisation:
    """Accounts with certificates, findings about them, and the application at work on them."""

    def __init__(self, aws: Aws, accounts: int) -> None:
        self.aws = aws
        self.account_ids = [
            OWN_ACCOUNT,
            *(f"{300_000_000_001 + number}" for number in range(accounts - 1)),
        ]
        self.facts = {one: AccountFacts(is_own=one == OWN_ACCOUNT) for one in self.account_ids}
        self.subjects: dict[str, Subject] = {}
        self.prediction = Prediction(self.facts, len(REGIONS))
        # A function asks once who it is.
        self.prediction.calls["sts.GetCallerIdentity"] += 1
        self.result = Result(accounts, accounts * FINDINGS_AN_ACCOUNT)
        self._random = random.Random(26)  # noqa: S311 - the same disorder each time
        self._arns: dict[tuple[str, str], str] = {}
        self._raw: dict[str, dict[str, Any]] = {}
        self._sqs = aws.client("sqs")

    # The world

    def create(self) -> None:
        """Create bucket, topic, queues, and everything in the accounts."""
        self._stack = stack = deploy.create_resources(self.aws.client, load_stack(**PARAMETERS))
        outputs = stack.outputs
        self._queue, self._dead = outputs["QueueUrl"], outputs["DeadLetterQueueUrl"]
        self._bucket = outputs["ArchiveBucketName"]
        for function in ("RemediateFunction", "SweepFunction"):
            os.environ.update(stack.environment(function))
        for number, account_id in enumerate(self.account_ids):
            self._fill_account(number, account_id)

    def _fill_account(self, number: int, account_id: str) -> None:
        kinds = list(COMMON)
        if STAYING_OPEN.is_of(number):
            kept = (Kind.VALID, Kind.YOUNG, Kind.EXEMPT)
            kinds[2:4] = [Kind.BUSY, kept[number // STAYING_OPEN.every % len(kept)]]
        if ACCEPTING.is_of(number):
            kinds[4] = Kind.ACCEPTED
        facts = self.facts[account_id]
        facts.has_role = not WITHOUT_ROLE.is_of(number)
        facts.throttled_batches = int(THROTTLED.is_of(number))
        for position, kind in enumerate(kinds):
            # The first two findings are those of two standards about one certificate.
            name = f"cert-{max(position, 1)}"
            self._add_finding(number, account_id, position, name, kind)

    def _add_finding(
        self, number: int, account_id: str, position: int, name: str, kind: Kind
    ) -> None:
        if position != 1:
            self._arns[account_id, name] = self._make_certificate(number, account_id, name, kind)
        finding = make_raw_finding(
            self._arns[account_id, name],
            standard=("cis-3.0", "cis-5.0", "consolidated")[min(position, 2)],
            account_id=account_id,
            unique_id=f"{account_id}-{position}",
            created_at=datetime.now(UTC) - timedelta(days=1),
        )
        self._raw[finding["Id"]] = finding
        self.subjects[finding["Id"]] = Subject(finding["Id"], account_id, name, kind)

    def _make_certificate(self, number: int, account_id: str, name: str, kind: Kind) -> str:
        path = "/" if number % 2 else "/teams/web/"
        if kind is Kind.GONE:
            return f"arn:aws:iam::{account_id}:server-certificate{path}{name}"
        days = {Kind.VALID: 90, Kind.YOUNG: -3}.get(kind, -90)
        made = seed.plant_certificate(
            name,
            expires=datetime.now(UTC) + timedelta(days=days),
            path=path,
            tags={"iam26:keep": ""} if kind is Kind.EXEMPT else None,
            account_id=account_id,
        )
        arn = str(made["Arn"])
        if kind is Kind.BUSY:
            self._use(number, account_id, arn)
        return arn

    def _use(self, number: int, account_id: str, arn: str) -> None:
        """Let a classic load balancer have a certificate, or a newer one in its SNI list."""
        client = self.aws.client
        if number // STAYING_OPEN.every % 2:
            seed.create_classic_load_balancer(client, "shop", arn, account_id=account_id)
            return
        later = datetime.now(UTC) + timedelta(days=900)
        default = seed.upload_certificate(client, "default", expires=later, account_id=account_id)
        seed.create_load_balancer(
            client, "shop", default["Arn"], sni=[arn], region=REGIONS[-1], account_id=account_id
        )
        self.facts[account_id].load_balancers += 1
        self.facts[account_id].tls_listeners += 1

    # What happens

    def find_before_the_deployment(self) -> None:
        """Let Security Hub find what nobody hears of yet."""
        self.aws.import_findings(
            raw for one, raw in self._raw.items() if one[-1] in BEFORE_THE_DEPLOYMENT
        )

    def find_the_rest(self) -> list[str]:
        """Create the rules, let Security Hub find the rest, and return the messages about it."""
        deploy.create_rules(self.aws.client, self._stack)
        new = [raw for one, raw in self._raw.items() if one[-1] not in BEFORE_THE_DEPLOYMENT]
        bodies: list[str] = []
        for start in range(0, len(new), WAVE):
            self.aws.import_findings(new[start : start + WAVE])
            bodies += self.take_all()
        return bodies

    def accept_some(self) -> None:
        """Let people suppress findings whose events are on their way."""
        for finding_id, subject in self.subjects.items():
            if subject.kind is Kind.ACCEPTED:
                self.aws.client("securityhub").batch_update_findings(
                    FindingIdentifiers=[
                        {"Id": finding_id, "ProductArn": self._raw[finding_id]["ProductArn"]}
                    ],
                    Workflow={"Status": "SUPPRESSED"},
                )

    def sweep(self) -> None:
        """Run the sweep."""
        statuses = {one["Id"]: one["Workflow"]["Status"] for one in self._read_findings()}
        shown = [one for one, status in statuses.items() if status != "SUPPRESSED"]
        taken = {self.subjects[one].account_id for one in shown if statuses[one] != "RESOLVED"}
        self.prediction.add_sweep(len(shown), len(taken))
        sweep.handler({}, Context())

    def disorder(self, bodies: list[str]) -> list[str]:
        """Return messages by account, some of them twice, and slightly out of order."""
        repeated = self.repeat(bodies)
        near = sorted([*bodies, *repeated], key=_find_account)
        strayed = sorted(
            enumerate(near), key=lambda one: one[0] + self._random.uniform(0, DISORDER)
        )
        return [body for _, body in strayed]

    def repeat(self, bodies: list[str]) -> list[str]:
        """Return some of the messages, to be delivered twice."""
        return self._random.sample(bodies, int(len(bodies) * REPEATED_SHARE))

    def work(self, bodies: list[str]) -> None:
        """Put messages on the queue as fast as they are worked on, until it is empty."""
        mapping = EventSourceMapping(self._sqs, self._queue, self._invoke)
        # moto goes through a whole queue for each message that is received or deleted.
        for start in range(0, len(bodies), WAVE):
            for body in bodies[start : start + WAVE]:
                self._sqs.send_message(QueueUrl=self._queue, MessageBody=body)
            mapping.drain()

    def _invoke(self, batch: Mapping[str, Any], context: Any) -> Any:
        self.result.invocations += 1
        self.result.deliveries += len(batch["Records"])
        self.prediction.add_batch(self._list_subjects(batch))
        answer = remediate.handler(batch, context)
        if self.result.invocations in DYING:
            raise DiedError
        return answer

    def _list_subjects(self, batch: Mapping[str, Any]) -> list[Subject]:
        bodies = [json.loads(record["body"]) for record in batch["Records"]]
        ids = [finding["Id"] for body in bodies for finding in body["detail"]["findings"]]
        return [self.subjects[one] for one in dict.fromkeys(ids)]

    def take_all(self) -> list[str]:
        """Empty the queue, and return the bodies of its messages."""
        return [one["Body"] for one in take_messages(self._sqs, self._queue)]

    # What there is in the end

    def check(self, calls: faults.Recording) -> None:
        """Compare what there is with what should be."""
        result = self.result
        result.made = Counter(
            f"{call.service}.{call.operation}"
            for call in calls
            if any(caller in call.user_agent for caller in CALLERS)
        )
        result.predicted = +self.prediction.calls
        result.naive_calls = result.predicted.total() + self.prediction.scan_calls_spared
        self._check_findings()
        self._check_certificates(calls)
        self._check_calls()
        result.surprises.check("messages left on the queue", [], self.take_all())
        dead = take_messages(self._sqs, self._dead)
        result.surprises.check("messages in the dead-letter queue", [], dead)

    def _check_findings(self) -> None:
        for finding in self._read_findings():
            subject = self.subjects[finding["Id"]]
            expected = self._expect(subject)
            outcome = finding.get("UserDefinedFields", {}).get(OUTCOME_FIELD, Outcome.REFUSED)
            self.result.outcomes[outcome] += 1
            self.result.surprises.check(f"outcome of {finding['Id']}", expected.value, outcome)
            status = expected.workflow_status or "SUPPRESSED"
            self.result.surprises.check(
                f"status of {finding['Id']}", str(status), finding["Workflow"]["Status"]
            )

    def _expect(self, subject: Subject) -> Outcome:
        is_kept = not self.facts[subject.account_id].has_role and subject.kind is not Kind.ACCEPTED
        return Outcome.UNVERIFIED if is_kept else OUTCOMES[subject.kind]

    def _check_certificates(self, calls: faults.Recording) -> None:
        deleted = {
            (one.account_id, one.certificate)
            for one in self.subjects.values()
            if self._expect(one) is Outcome.DELETED
        }
        for account_id in self.account_ids:
            iam = self.aws.client("iam", account_id=account_id)
            held = iam.list_server_certificates()["ServerCertificateMetadataList"]
            expected = {
                one.certificate
                for one in self.subjects.values()
                if one.account_id == account_id
                and one.kind is not Kind.GONE
                and (account_id, one.certificate) not in deleted
            }
            actual = {one["ServerCertificateName"] for one in held} - {"default"}
            self.result.surprises.check(f"certificates of {account_id}", expected, actual)
        deletes = Counter(
            (call.account, call.params["ServerCertificateName"])
            for call in calls.named("DeleteServerCertificate")
        )
        self.result.surprises.check(
            "deletes of each certificate", dict.fromkeys(deleted, 1), dict(deletes)
        )
        pages = self.aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self._bucket)
        archived = {
            tuple(one["Key"].split("/")[1:3]) for page in pages for one in page.get("Contents", [])
        }
        self.result.surprises.check("archive records", deleted, archived)

    def _check_calls(self) -> None:
        made, predicted = self.result.made, self.result.predicted
        for name in sorted(made.keys() | predicted.keys()):
            if made[name] != predicted[name]:
                self.result.surprises.check(f"calls of {name}", predicted[name], made[name])

    def _read_findings(self) -> list[dict[str, Any]]:
        hub = self.aws.client("securityhub")
        pages = hub.get_paginator("get_findings").paginate()
        return [one for page in pages for one in page["Findings"]]


def play(accounts: int = ACCOUNTS) -> Result:
    """Run the application on an organisation, and return the result."""
    with in_process() as aws, quiet(), hurried(), faults.record_calls() as calls:
        wiring._wire_remediation.cache_clear()  # noqa: SLF001 - this function starts cold
        aws.knobs.enabled_regions = REGIONS
        # What is proven here is our own scan, not the guard behind it.
        aws.knobs.guard_certificates_in_use = False
        organisation = Organisation(aws, accounts)
        organisation.create()
        organisation.find_before_the_deployment()
        heard = organisation.find_the_rest()
        with adversity(organisation):
            started_at = time.monotonic()
            organisation.sweep()
            swept = organisation.take_all()
            organisation.accept_some()
            organisation.work(organisation.disorder([*heard, *swept]))
            # Copies of old events, when all is done.
            organisation.work(organisation.repeat(heard))
            # Weeks later: what something keeps is looked at again.
            organisation.sweep()
            organisation.work(organisation.take_all())
            organisation.result.seconds = time.monotonic() - started_at
        organisation.check(calls)
    wiring._wire_remediation.cache_clear()  # noqa: SLF001 - its credentials are of no AWS any more
    return organisation.result


@contextmanager
def adversity(organisation: Organisation) -> Iterator[None]:
    """Let accounts lack the member role, and IAM throttle others for a while."""
    without_role = [one for one, facts in organisation.facts.items() if not facts.has_role]
    throttled = [one for one, facts in organisation.facts.items() if facts.throttled_batches]
    with ExitStack() as stack:
        stack.enter_context(
            faults.inject(
                operation="AssumeRole",
                fault=faults.AccessDenied(),
                when=lambda params: params["RoleArn"].split(":")[4] in without_role,
            )
        )
        for account_id in throttled:
            stack.enter_context(
                faults.inject(
                    operation="ListServerCertificates",
                    account=account_id,
                    fault=faults.Throttled(),
                    times=SDK_ATTEMPTS * organisation.facts[account_id].throttled_batches,
                )
            )
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the application's log and metrics to ourselves."""
    [log] = logging.getLogger("iam26-remediation").handlers
    if not isinstance(log, logging.StreamHandler):
        raise TypeError(f"the log goes to {log}, not to a stream")
    before = log.setStream(io.StringIO())
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        log.setStream(before)


@contextmanager
def hurried() -> Iterator[None]:
    """Skip the waits between pages and between the SDK's retries."""
    no_waits = (lambda _: None,)
    with faults.skip_backoff(), patch.object(Findings.__init__, "__defaults__", no_waits):
        yield


def _find_account(body: str) -> str:
    return str(json.loads(body)["detail"]["findings"][0]["AwsAccountId"])


def show(console: Console, result: Result) -> None:
    """Print what came of a run."""
    outcomes = Table("Outcome", "Findings", title="What came of the findings")
    for outcome, count in result.outcomes.most_common():
        outcomes.add_row(str(outcome), f"{count:,}")
    console.print(outcomes)
    calls = Table("Operation", "Made", "Predicted", title="AWS calls")
    for column in calls.columns[1:]:
        column.justify = "right"
    for name in sorted(result.made.keys() | result.predicted.keys()):
        made, predicted = result.made[name], result.predicted[name]
        style = None if made == predicted else "bold red"
        calls.add_row(name, f"{made:,}", f"{predicted:,}", style=style)
    made, predicted = result.made.total(), result.predicted.total()
    calls.add_row("all", f"{made:,}", f"{predicted:,}", style="bold")
    console.print(calls)
    console.print(
        f"{result.accounts:,} accounts, {result.findings:,} findings, "
        f"{result.deliveries:,} messages in {result.invocations:,} invocations. "
        f"{result.seconds:.0f} s, {made / result.seconds:.0f} calls a second.\n"
        f"With one scan for each finding it would have been {result.naive_calls:,} calls, "
        f"{result.naive_calls / made:.1f} times as many.\n",
        highlight=False,
    )


def run_organisation(accounts: int = ACCOUNTS) -> int:
    """Play, print, and return the exit status: 0 if all is as it should be."""
    console = Console(width=None if sys.stdout.isatty() else 100)
    result = play(accounts)
    show(console, result)
    return result.surprises.conclude(
        console, "All is as it should be, each certificate deleted once."
    )

"""The application as it is deployed, on the local AWS: what tests do with it and see of it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from handlers import wiring
from handlers.remediate import handler
from local.aws.knobs import OWN_ACCOUNT
from local.fixtures import deploy, seed
from local.fixtures.context import Context
from local.fixtures.mapping import take_messages
from local.fixtures.stack import load_stack
from tests.account import Account

BUCKET = deploy.name_resource("ArchiveBucket")

Event = dict[str, Any]
Finding = dict[str, Any]


@dataclass
class Message:
    """A message that a subscriber of the topic got."""

    subject: str
    text: str
    attributes: dict[str, str]


@dataclass
class Deployment(Account):
    """The handler with an environment, and the account around it."""

    monkeypatch: pytest.MonkeyPatch

    def create(self) -> None:
        """Create bucket and topic, and set the environment to enforce."""
        # A warm function would keep credentials of an AWS that is gone.
        wiring._wire_remediation.cache_clear()
        stack = load_stack(Mode="Enforce").knowing(**{"AWS::Region": self.home})
        stack = deploy.create_archive(self.aws.client, stack)
        stack = deploy.create_topic(self.aws.client, stack)
        sqs = self.aws.client("sqs", region=self.home)
        self._inbox = sqs.create_queue(QueueName="inbox")["QueueUrl"]
        self.aws.client("sns", region=self.home).subscribe(
            TopicArn=stack.outputs["TopicArn"],
            Protocol="sqs",
            Endpoint=f"arn:aws:sqs:{self.home}:{OWN_ACCOUNT}:inbox",
        )
        self.configure(
            **stack.environment("RemediateFunction"),
            AWS_REGION=self.home,
            AWS_DEFAULT_REGION=self.home,
        )

    def configure(self, **variables: str) -> None:
        """Set environment variables of the function."""
        for name, value in variables.items():
            self.monkeypatch.setenv(name, value)

    # What happens in the account

    def report(self, resource_id: str, **more: Any) -> Event:
        """Let Security Hub find a resource, and return the Imported event about it."""
        return self.import_findings([self.find(resource_id, **more)])[0]

    def import_findings(self, findings: Iterable[Finding]) -> list[Event]:
        """Put findings into Security Hub, and return the Imported events about them."""
        return self.aws.import_findings(findings, region=self.home)

    def edit_finding(self, event: Event, **fields: Any) -> None:
        """Change a finding in Security Hub after its event was sent."""
        self.import_findings([finding_of(event) | fields])

    # The function

    def handle(self, event: Any, milliseconds_left: int = 300_000) -> Any:
        """Invoke the function with an event."""
        return handler(event, Context(milliseconds_left))

    def handle_one(self, event: Event) -> dict[str, Any]:
        """Invoke the function with an event of one finding, and return its outcome."""
        [outcome] = self.handle(event)["outcomes"]
        return dict(outcome)

    def handle_batch(
        self,
        *events: Mapping[str, Any] | str,
        receive_count: int = 1,
        milliseconds_left: int = 300_000,
    ) -> list[int]:
        """Invoke the function with a batch, and return the numbers of the unfinished events."""
        batch = seed.sqs_batch(events, receive_count=receive_count)
        answer = self.handle(batch, milliseconds_left)
        ids = [record["messageId"] for record in batch["Records"]]
        return [ids.index(one["itemIdentifier"]) for one in answer["batchItemFailures"]]

    # What there is afterwards

    def finding(self, event: Event, number: int = 0) -> Finding:
        """Return a finding of an event as Security Hub has it now."""
        return self.read(finding_of(event, number))

    def status(self, event: Event) -> str:
        """Return the workflow status of an event's finding."""
        return str(self.finding(event)["Workflow"]["Status"])

    def note(self, event: Event) -> str | None:
        """Return the note of an event's finding."""
        note = self.finding(event).get("Note")
        return str(note["Text"]) if note else None

    def archive(self) -> dict[str, dict[str, Any]]:
        """Return the archive's records by key."""
        s3 = self.aws.client("s3", region=self.home)
        return deploy.read_archive(s3, BUCKET)

    def messages(self) -> list[Message]:
        """Return every message that was published since this was last asked."""
        taken = take_messages(self.aws.client("sqs", region=self.home), self._inbox)
        return [_read_notification(json.loads(one["Body"])) for one in taken]


def _read_notification(body: Mapping[str, Any]) -> Message:
    attributes = {name: one["Value"] for name, one in body.get("MessageAttributes", {}).items()}
    return Message(body["Subject"], body["Message"], attributes)


def finding_of(event: Event, number: int = 0) -> Finding:
    """Return a finding in an event."""
    return dict(event["detail"]["findings"][number])


def arn_of(name: str, path: str = "/", account_id: str = OWN_ACCOUNT) -> str:
    """Return the ARN of a server certificate."""
    return f"arn:aws:iam::{account_id}:server-certificate{path}{name}"

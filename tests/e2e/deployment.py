"""The application deployed into the local chain, as tests speak of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.artifact.chain.chain import WAIT_SECONDS
from tests.account import Account, Finding

if TYPE_CHECKING:
    from local.artifact.chain import Chain

PARAMETERS = ("Mode=Enforce", "Regions=us-east-1,eu-west-1", "GracePeriodDays=7")


@dataclass
class Deployment(Account):
    """A deployed stack, and the account around it."""

    chain: Chain
    inbox: str = field(init=False)

    def __post_init__(self) -> None:
        """Subscribe to the topic."""
        self.inbox = self.chain.subscribe()

    def report(self, resource_id: str, **more: Any) -> Finding:
        """Let Security Hub import a finding, which tells the bus, and return the finding."""
        finding = self.find(resource_id, **more)
        self.aws.import_findings([finding])
        return finding

    def press_button(self, finding: Finding) -> None:
        """Press the custom action's button on a finding."""
        self.aws.press_custom_action(self.chain.outputs["ActionTargetArn"], [finding])

    def wait_for_outcome(self, finding: Finding, seconds: float = WAIT_SECONDS) -> str:
        """Return the outcome written on a finding, once there is one."""

        def outcome() -> str | None:
            fields: dict[str, str] = self.read(finding).get("UserDefinedFields", {})
            return fields.get("iam26Outcome")

        return self.chain.wait_for(f"an outcome on {finding['Id']}", outcome, seconds)

    def wait_for_work(self, invocations_before: int) -> None:
        """Wait until the function was invoked once more, and has finished."""
        self.chain.wait_for("an invocation", lambda: self.count_invocations() > invocations_before)

    def wait_until_empty(self) -> None:
        """Wait until the queue holds no message, in flight or waiting."""
        url = self.chain.outputs["QueueUrl"]
        self.chain.wait_for("an empty queue", lambda: self.chain.count_messages(url) == 0)

    def count_invocations(self) -> int:
        """Return how many invocations have finished."""
        return len(re.findall(r"^END RequestId", self.chain.read_log(), re.MULTILINE))

    def archived(self, name: str) -> list[dict[str, Any]]:
        """Return the archive's records of a certificate."""
        records = self.chain.read_archive().items()
        return [record for key, record in records if f"/{name}/" in key]

    def notices(self) -> list[tuple[str, str]]:
        """Take what a subscriber of the topic got: outcome and text of each message."""
        bodies = [json.loads(one["Body"]) for one in self.chain.read_messages(self.inbox)]
        return [(one["MessageAttributes"]["outcome"]["Value"], one["Message"]) for one in bodies]

    def wait_for_notice(self, name: str) -> str:
        """Return the outcome in the notification that names a certificate."""

        def outcome() -> str | None:
            return next((outcome for outcome, text in self.notices() if name in text), None)

        return self.chain.wait_for(f"a notification about {name}", outcome)

    def count_dead_letters(self) -> int:
        """Return how many messages the dead-letter queue holds."""
        return self.chain.count_messages(self.chain.outputs["DeadLetterQueueUrl"])

    def drain(self) -> None:
        """Throw away what is left in the queues and at the subscriber."""
        for name in ("QueueUrl", "DeadLetterQueueUrl"):
            self.chain.client("sqs").purge_queue(QueueUrl=self.chain.outputs[name])
        self.notices()


def prove(deployment: Deployment, name: str, seconds: float = WAIT_SECONDS) -> None:
    """Send an expired certificate through every hop; raise ChainError if it does not arrive."""
    certificate = deployment.upload(name)
    finding = deployment.report(certificate["Arn"])
    assert deployment.wait_for_outcome(finding, seconds) == "deleted"
    assert name not in deployment.certificates()
    assert [record["state"] for record in deployment.archived(name)] == ["deleted"]
    assert deployment.wait_for_notice(name) == "deleted"
    deployment.wait_until_empty()

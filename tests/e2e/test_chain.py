"""An event through every hop: bus, rule, queue, mapping, function, and what is left at the end."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from local.artifact.template import PROJECT
from local.fixtures import seed
from tests.builders import MEMBER_ACCOUNT
from tests.e2e.deployment import PARAMETERS, Deployment, prove

if TYPE_CHECKING:
    from tests.account import Finding

Arrange = Callable[[Deployment], str]


def use(deployment: Deployment, name: str) -> str:
    certificate = deployment.upload(name)
    seed.create_load_balancer(deployment.chain.aws.client, name, certificate["Arn"])
    return str(certificate["Arn"])


CASES: dict[str, tuple[Arrange, str, bool]] = {
    "deleted": (lambda it: it.upload("deleted", path="/old/")["Arn"], "RESOLVED", True),
    "already-gone": (
        lambda _: "arn:aws:iam::111122223333:server-certificate/already-gone",
        "RESOLVED",
        False,
    ),
    "not-expired": (lambda it: it.upload("not-expired", days=90)["Arn"], "NOTIFIED", False),
    "in-grace-period": (
        lambda it: it.upload("in-grace-period", days=-3)["Arn"],
        "NOTIFIED",
        False,
    ),
    "exempt": (
        lambda it: it.upload("exempt", tags={"iam26:keep": ""})["Arn"],
        "NOTIFIED",
        False,
    ),
    "in-use": (lambda it: use(it, "in-use"), "NOTIFIED", True),
    "unverified": (
        lambda _: f"arn:aws:iam::{MEMBER_ACCOUNT}:server-certificate/unverified",
        "NOTIFIED",
        True,
    ),
}


@pytest.mark.parametrize("outcome", CASES)
def test_outcome(deployment: Deployment, outcome: str) -> None:
    """A finding that Security Hub imports ends with its outcome, wherever one looks."""
    arrange, status, notifies = CASES[outcome]
    resource_id = arrange(deployment)
    there_before = deployment.certificates()

    finding = deployment.report(resource_id)

    assert deployment.wait_for_outcome(finding) == outcome
    deployment.wait_until_empty()
    assert deployment.read(finding)["Workflow"]["Status"] == status
    assert deployment.certificates() == there_before - (
        {"deleted"} if outcome == "deleted" else set()
    )
    states = [record["state"] for record in deployment.archived(outcome)]
    assert states == (["deleted"] if outcome == "deleted" else [])
    if notifies:
        assert deployment.wait_for_notice(outcome) == outcome
    assert deployment.notices() == []
    assert deployment.count_dead_letters() == 0


def test_refused(deployment: Deployment) -> None:
    """The button on a finding of another control leaves everything as it was."""
    other: dict[str, Any] = {"Compliance": {"Status": "FAILED", "SecurityControlId": "IAM.8"}}
    finding = deployment.report(deployment.upload("refused")["Arn"], **other)
    before, invocations = deployment.read(finding), deployment.count_invocations()

    deployment.press_button(finding)

    deployment.wait_for_work(invocations)
    deployment.wait_until_empty()
    assert deployment.read(finding) == before
    assert "refused" in deployment.certificates()


@pytest.mark.parametrize(
    "fields",
    [
        {"workflow_status": "NOTIFIED"},
        {"workflow_status": "SUPPRESSED"},
        {"compliance_status": "PASSED"},
        {"record_state": "ARCHIVED"},
        {"ProductArn": "arn:aws:securityhub:us-east-1:111122223333:product/111122223333/default"},
        {"account_id": MEMBER_ACCOUNT},
    ],
    ids=lambda fields: "-".join(map(str, fields.values()))[-30:],
)
def test_rule_takes_no_other_finding(deployment: Deployment, fields: dict[str, str]) -> None:
    """What is not new, failed, active and Security Hub's own never reaches the queue."""
    invocations = deployment.count_invocations()
    certificate = deployment.upload(f"untouched-{uuid.uuid4()}")
    deployment.report(certificate["Arn"], **fields)

    # What comes after it arrives, so it would have too.
    prove(deployment, "after-" + certificate["ServerCertificateName"])

    assert deployment.count_invocations() == invocations + 1
    assert certificate["ServerCertificateName"] in deployment.certificates()


def test_button_approves(deployment: Deployment) -> None:
    """Pressed on a finding that was NOTIFIED, the button deletes."""
    finding = deployment.report(deployment.upload("approved")["Arn"], workflow_status="NOTIFIED")

    deployment.press_button(finding)

    assert deployment.wait_for_outcome(finding) == "deleted"
    assert "approved" not in deployment.certificates()


def test_own_update_starts_nothing(deployment: Deployment) -> None:
    """The event that our own update of a finding emits is not taken again."""
    invocations, carried = deployment.count_invocations(), len(deployment.chain.bridge.carried)

    prove(deployment, "no-loop")

    deployment.chain.wait_for(
        "the event of our own update", lambda: len(deployment.chain.bridge.carried) == carried + 2
    )
    prove(deployment, "no-loop-after")
    assert deployment.count_invocations() == invocations + 2


class TestQueue:
    """What comes off the queue, and what stays."""

    def report_quietly(self, deployment: Deployment, name: str) -> tuple[Finding, str]:
        """Return a finding that the rule does not take, and the event of the button about it."""
        certificate = deployment.upload(name)
        finding = deployment.report(certificate["Arn"], workflow_status="NOTIFIED")
        return finding, json.dumps(seed.custom_action_event(finding))

    def test_bad_record_leaves_the_good_ones_alone(self, deployment: Deployment) -> None:
        """In a batch with a record that is no event, the others are done and leave the queue."""
        first, one = self.report_quietly(deployment, "good-one")
        second, two = self.report_quietly(deployment, "good-two")

        deployment.chain.send(one, "no JSON", two)

        assert deployment.wait_for_outcome(first) == "deleted"
        assert deployment.wait_for_outcome(second) == "deleted"
        url = deployment.chain.outputs["QueueUrl"]
        deployment.chain.wait_for(
            "only the bad record left", lambda: deployment.chain.count_messages(url) == 1
        )
        assert deployment.count_dead_letters() == 0

    def test_poison_message_ends_in_the_dead_letter_queue(self, deployment: Deployment) -> None:
        """What is no event is received 5 times, then lies in the dead-letter queue as it came."""
        sqs, url = deployment.chain.client("sqs"), deployment.chain.outputs["QueueUrl"]
        before = deployment.chain.read_log().count("record is no event")
        deployed_seconds = sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=["VisibilityTimeout"]
        )["Attributes"]["VisibilityTimeout"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
        try:
            deployment.chain.send("poison")
            deployment.chain.wait_for("a dead letter", lambda: deployment.count_dead_letters() == 1)
        finally:
            sqs.set_queue_attributes(
                QueueUrl=url, Attributes={"VisibilityTimeout": deployed_seconds}
            )

        deployment.wait_until_empty()
        [dead] = deployment.chain.read_messages(deployment.chain.outputs["DeadLetterQueueUrl"])
        assert dead["Body"] == "poison"
        assert deployment.chain.read_log().count("record is no event") == before + 5


def test_sweep(deployment: Deployment) -> None:
    """The sweep sends a finding that is still open through the same chain, and a digest."""
    certificate = deployment.upload("swept")
    fields = {"iam26Outcome": "in-grace-period", "iam26Certificate": certificate["Arn"]}
    finding = deployment.report(
        certificate["Arn"], workflow_status="NOTIFIED", UserDefinedFields=fields
    )

    answer = deployment.chain.client("lambda").invoke(
        FunctionName=deployment.chain.find_resource("SweepFunction"),
        Payload=(PROJECT / "events/sweep-function/schedule.json").read_bytes(),
    )

    assert "FunctionError" not in answer, answer["Payload"].read()
    deployment.chain.wait_for(
        "the certificate's end", lambda: "swept" not in deployment.certificates()
    )
    deployment.wait_until_empty()
    assert deployment.read(finding)["Workflow"]["Status"] == "RESOLVED"
    assert [outcome for outcome, _ in deployment.notices()].count("digest") == 1


# The last one here, because it leaves the stack in a dry run.
def test_dry_run(deployment: Deployment) -> None:
    """Deployment anew with Mode=DryRun, the same finding deletes and archives nothing."""
    deployment.chain.deploy("Mode=DryRun", *PARAMETERS[1:])
    finding = deployment.report(deployment.upload("would-delete")["Arn"])

    assert deployment.wait_for_outcome(finding) == "would-delete"
    assert deployment.wait_for_notice("would-delete") == "would-delete"
    assert deployment.read(finding)["Workflow"]["Status"] == "NOTIFIED"
    assert "would-delete" in deployment.certificates()
    assert deployment.archived("would-delete") == []

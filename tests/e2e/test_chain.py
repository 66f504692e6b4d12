"""An event through every hop: bus, rule, queue, mapping, function, and what is left at the end."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from local.artifact.template import PROJECT
from local.fixtures import seed
from tests.builders import MEMBER_ACCOUNT
from tests.e2e.deployed import PARAMETERS, Deployed, Finding, prove

Arrange = Callable[[Deployed], str]


def use(deployed: Deployed, name: str) -> str:
    certificate = deployed.upload(name)
    seed.create_load_balancer(deployed.chain.aws.client, name, certificate["Arn"])
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
def test_outcome(deployed: Deployed, outcome: str) -> None:
    """A finding that Security Hub imports ends with its outcome, wherever one looks."""
    arrange, status, notifies = CASES[outcome]
    resource_id = arrange(deployed)
    there_before = deployed.certificates()

    finding = deployed.report(resource_id)

    assert deployed.wait_for_outcome(finding) == outcome
    deployed.wait_until_empty()
    assert deployed.read(finding)["Workflow"]["Status"] == status
    assert deployed.certificates() == there_before - (
        {"deleted"} if outcome == "deleted" else set()
    )
    states = [record["state"] for record in deployed.archived(outcome)]
    assert states == (["deleting"] if outcome == "deleted" else [])
    if notifies:
        assert deployed.wait_for_notice(outcome) == outcome
    assert deployed.notices() == []
    assert deployed.count_dead_letters() == 0


def test_refused(deployed: Deployed) -> None:
    """The button on a finding of another control leaves everything as it was."""
    other: dict[str, Any] = {"Compliance": {"Status": "FAILED", "SecurityControlId": "IAM.8"}}
    finding = deployed.report(deployed.upload("refused")["Arn"], **other)
    before, invocations = deployed.read(finding), deployed.count_invocations()

    deployed.press_button(finding)

    deployed.wait_for_work(invocations)
    deployed.wait_until_empty()
    assert deployed.read(finding) == before
    assert "refused" in deployed.certificates()


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
def test_rule_takes_no_other_finding(deployed: Deployed, fields: dict[str, str]) -> None:
    """What is not new, failed, active and Security Hub's own never reaches the queue."""
    invocations = deployed.count_invocations()
    certificate = deployed.upload(f"untouched-{uuid.uuid4()}")
    deployed.report(certificate["Arn"], **fields)

    # What comes after it arrives, so it would have too.
    prove(deployed, "after-" + certificate["ServerCertificateName"])

    assert deployed.count_invocations() == invocations + 1
    assert certificate["ServerCertificateName"] in deployed.certificates()


def test_button_approves(deployed: Deployed) -> None:
    """Pressed on a finding that was NOTIFIED, the button deletes."""
    finding = deployed.report(deployed.upload("approved")["Arn"], workflow_status="NOTIFIED")

    deployed.press_button(finding)

    assert deployed.wait_for_outcome(finding) == "deleted"
    assert "approved" not in deployed.certificates()


def test_own_update_starts_nothing(deployed: Deployed) -> None:
    """The event that our own update of a finding emits is not taken again."""
    invocations, carried = deployed.count_invocations(), len(deployed.chain.bridge.carried)

    prove(deployed, "no-loop")

    deployed.chain.wait_for(
        "the event of our own update", lambda: len(deployed.chain.bridge.carried) == carried + 2
    )
    prove(deployed, "no-loop-after")
    assert deployed.count_invocations() == invocations + 2


class TestQueue:
    """What comes off the queue, and what stays."""

    def report_quietly(self, deployed: Deployed, name: str) -> tuple[Finding, str]:
        """Return a finding that the rule does not take, and an event about it."""
        certificate = deployed.upload(name)
        finding = deployed.report(certificate["Arn"], workflow_status="NOTIFIED")
        return finding, json.dumps(seed.imported_event(finding))

    def test_bad_record_leaves_the_good_ones_alone(self, deployed: Deployed) -> None:
        """In a batch with a record that is no event, the others are done and leave the queue."""
        first, one = self.report_quietly(deployed, "good-one")
        second, two = self.report_quietly(deployed, "good-two")

        deployed.chain.send(one, "no JSON", two)

        assert deployed.wait_for_outcome(first) == "deleted"
        assert deployed.wait_for_outcome(second) == "deleted"
        url = deployed.chain.outputs["QueueUrl"]
        deployed.chain.wait_for(
            "only the bad record left", lambda: deployed.chain.count_messages(url) == 1
        )
        assert deployed.count_dead_letters() == 0

    def test_poison_message_ends_in_the_dead_letter_queue(self, deployed: Deployed) -> None:
        """What is no event is received 5 times, then lies in the dead-letter queue as it came."""
        sqs, url = deployed.chain.client("sqs"), deployed.chain.outputs["QueueUrl"]
        before = deployed.chain.read_log().count("record is no event")
        deployed_seconds = sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=["VisibilityTimeout"]
        )["Attributes"]["VisibilityTimeout"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
        try:
            deployed.chain.send("poison")
            deployed.chain.wait_for("a dead letter", lambda: deployed.count_dead_letters() == 1)
        finally:
            sqs.set_queue_attributes(
                QueueUrl=url, Attributes={"VisibilityTimeout": deployed_seconds}
            )

        deployed.wait_until_empty()
        [dead] = deployed.chain.read_messages(deployed.chain.outputs["DeadLetterQueueUrl"])
        assert dead["Body"] == "poison"
        assert deployed.chain.read_log().count("record is no event") == before + 5


def test_sweep(deployed: Deployed) -> None:
    """The sweep sends a finding that is still open through the same chain, and a digest."""
    certificate = deployed.upload("swept")
    fields = {"iam26Outcome": "in-grace-period", "iam26Certificate": certificate["Arn"]}
    finding = deployed.report(
        certificate["Arn"], workflow_status="NOTIFIED", UserDefinedFields=fields
    )

    answer = deployed.chain.client("lambda").invoke(
        FunctionName=deployed.chain.find_resource("SweepFunction"),
        Payload=(PROJECT / "events/sweep-function/schedule.json").read_bytes(),
    )

    assert "FunctionError" not in answer, answer["Payload"].read()
    deployed.chain.wait_for("the certificate's end", lambda: "swept" not in deployed.certificates())
    deployed.wait_until_empty()
    assert deployed.read(finding)["Workflow"]["Status"] == "RESOLVED"
    assert [outcome for outcome, _ in deployed.notices()].count("digest") == 1


# The last one here, because it leaves the stack in a dry run.
def test_dry_run(deployed: Deployed) -> None:
    """Deployed anew with Mode=DryRun, the same finding deletes and archives nothing."""
    deployed.chain.deploy("Mode=DryRun", *PARAMETERS[1:])
    finding = deployed.report(deployed.upload("would-delete")["Arn"])

    assert deployed.wait_for_outcome(finding) == "would-delete"
    assert deployed.wait_for_notice("would-delete") == "would-delete"
    assert deployed.read(finding)["Workflow"]["Status"] == "NOTIFIED"
    assert "would-delete" in deployed.certificates()
    assert deployed.archived("would-delete") == []

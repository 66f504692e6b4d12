"""Batches and bad input: what is broken fails alone, and everything is logged once."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from local.aws import faults
from local.aws.knobs import OWN_ACCOUNT
from local.fixtures import seed
from local.fixtures.findings import make_raw_finding
from models.errors import EventError, SettingsError, TransientError
from tests.builders import MEMBER_ACCOUNT, OTHER_ACCOUNT
from tests.functional.deployment import Deployment, arn_of, finding_of
from tests.functional.holders import ATTACHMENTS

Event = dict[str, Any]
ReadLog = Callable[[], list[dict[str, Any]]]


def without(event: Event, *path: Any) -> Event:
    copy: Event = json.loads(json.dumps(event))
    here: Any = copy
    for part in path[:-1]:
        here = here[part]
    del here[path[-1]]
    return copy


def replaced(event: Event, value: Any, *path: Any) -> Event:
    copy: Event = json.loads(json.dumps(event))
    here: Any = copy
    for part in path[:-1]:
        here = here[part]
    here[path[-1]] = value
    return copy


FINDING = ("detail", "findings", 0)

# What breaks an event, and what the error says of it.
BROKEN: dict[str, tuple[Callable[[Event], Event | str], str]] = {
    "not JSON": (lambda _: "{not json", "Invalid JSON"),
    "empty": (lambda _: "", "Invalid JSON"),
    "no object": (lambda _: "[1, 2]", "valid dictionary|an object"),
    "null": (lambda _: "null", "valid dictionary|an object"),
    "no detail": (lambda event: without(event, "detail"), "detail: is missing"),
    "no findings": (
        lambda event: without(event, "detail", "findings"),
        "detail.findings: is missing",
    ),
    "empty findings": (lambda event: replaced(event, [], "detail", "findings"), "detail.findings"),
    "findings of a wrong type": (
        lambda event: replaced(event, "none", "detail", "findings"),
        "detail.findings",
    ),
    "account of a wrong type": (
        lambda event: replaced(event, 111122223333, *FINDING, "AwsAccountId"),
        "AwsAccountId",
    ),
    "account that is none": (
        lambda event: replaced(event, "12", *FINDING, "AwsAccountId"),
        "AwsAccountId",
    ),
    "finding that is none": (lambda event: replaced(event, None, *FINDING), "detail.findings.0"),
    "no product": (lambda event: without(event, *FINDING, "ProductArn"), "ProductArn: is missing"),
    "resource of a wrong type": (
        lambda event: replaced(event, {"Id": ["arn"]}, *FINDING, "Resources", 0),
        "Resources.0.Id",
    ),
    "fields of a wrong type": (
        lambda event: replaced(event, {"size": 5}, *FINDING, "UserDefinedFields"),
        "UserDefinedFields.size",
    ),
    "no id": (lambda event: without(event, *FINDING, "Id"), "Id: is missing"),
    "date that is none": (
        lambda event: replaced(event, "yesterday", *FINDING, "CreatedAt"),
        "CreatedAt",
    ),
    "status that is none": (
        lambda event: replaced(event, {"Status": "DONE"}, *FINDING, "Workflow"),
        "Workflow.Status",
    ),
    "another event": (lambda event: replaced(event, "aws.ec2", "source"), "'aws.ec2'"),
    "another detail-type": (
        lambda event: replaced(event, "Security Hub Insight Results", "detail-type"),
        "Security Hub Insight Results",
    ),
    "Region that is none": (lambda event: replaced(event, "x.evil.example/", "region"), "region"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_record_fails_alone(deployment: Deployment, read_log: ReadLog, broken: str) -> None:
    """A record that is no event goes back alone, with one log line that names the field."""
    breaks, names = BROKEN[broken]
    good = [deployment.report(deployment.upload(name)["Arn"]) for name in ("one", "two")]

    assert deployment.handle_batch(good[0], breaks(good[0]), good[1]) == [1]

    assert deployment.certificates() == set()
    assert [deployment.status(one) for one in good] == ["RESOLVED", "RESOLVED"]
    errors = [line for line in read_log() if line["level"] == "ERROR"]
    assert len(errors) == 1
    assert errors[0]["messageId"]
    assert re.search(names, errors[0]["reason"])


def test_one_good_record_among_many_broken(
    deployment: Deployment, read_log: ReadLog, capsys: pytest.CaptureFixture[str]
) -> None:
    """However many records are broken, the good one is worked on, and all others are counted."""
    good = deployment.report(deployment.upload("one")["Arn"])
    broken = [breaks(good) for breaks, _ in BROKEN.values()]

    given_back = deployment.handle_batch(*broken[:3], good, *broken[3:])

    assert given_back == [number for number in range(len(broken) + 1) if number != 3]
    assert deployment.status(good) == "RESOLVED"
    assert len([line for line in read_log() if line["level"] == "ERROR"]) == len(broken)
    emitted = [json.loads(one) for one in capsys.readouterr().out.splitlines() if "_aws" in one]
    [invalid] = [one["InvalidRecords"] for one in emitted if "InvalidRecords" in one]
    assert sum(invalid) == len(broken)


def test_unexpected_error_fails_its_record_alone(deployment: Deployment, read_log: ReadLog) -> None:
    """A defect that one certificate meets sends its record back, and the others are done."""
    events = [deployment.report(deployment.upload(name)["Arn"]) for name in ("a", "b", "c")]

    def fail() -> None:
        raise RuntimeError("a defect")

    with faults.inject(
        operation="GetServerCertificate",
        fault=faults.Call(fail),
        when=lambda params: params["ServerCertificateName"] == "b",
    ):
        assert deployment.handle_batch(*events) == [1]

    assert deployment.certificates() == {"b"}
    assert [deployment.status(one) for one in events] == ["RESOLVED", "NEW", "RESOLVED"]
    assert [line["level"] for line in read_log() if "a defect" in json.dumps(line)]


@pytest.mark.parametrize(
    "resource_id",
    [
        arn_of("web", account_id=OTHER_ACCOUNT),
        f"AWS::::Account:{OWN_ACCOUNT}",
        "arn:aws:s3:::bucket",
        "no certificate at all",
        "",
    ],
)
def test_odd_resource_between_good_ones(deployment: Deployment, resource_id: str) -> None:
    """A resource that is no certificate of the account is a result of its own, not a failure."""
    first, last = (deployment.report(deployment.upload(name)["Arn"]) for name in ("one", "two"))
    odd = deployment.report(resource_id)

    assert deployment.handle_batch(first, odd, last) == []

    assert deployment.certificates() == set()
    assert deployment.finding(odd)["UserDefinedFields"]["iam26Outcome"] == "unverified"
    assert deployment.status(odd) == "NOTIFIED"


def test_finding_without_resources(deployment: Deployment) -> None:
    """A finding that names nothing decides nothing."""
    event = deployment.report("x", Resources=[], ProductFields={})

    assert deployment.handle_one(event)["outcome"] == "unverified"

    assert "it names no resource" in str(deployment.note(event))


@pytest.mark.parametrize("broken", [name for name in BROKEN if name not in {"not JSON", "empty"}])
def test_broken_bare_event_is_an_error(deployment: Deployment, broken: str) -> None:
    """A bare event that is none this application knows raises an error that names the field."""
    breaks, names = BROKEN[broken]
    event = breaks(deployment.report(deployment.upload("one")["Arn"]))
    event = json.loads(event) if isinstance(event, str) else event

    with pytest.raises(EventError, match=names):
        deployment.handle(event)

    assert deployment.certificates() == {"one"}


def test_wrong_setting_is_one_error(deployment: Deployment) -> None:
    """A variable that cannot be used is named, with its value, before anything is done."""
    event = deployment.report(deployment.upload("one")["Arn"])
    deployment.configure(MODE="Delete")

    with pytest.raises(SettingsError, match=r"^MODE: .*'Delete'$"):
        deployment.handle(event)


def test_duplicates_are_one(deployment: Deployment) -> None:
    """A finding that comes twice in a batch or an event is worked on once."""
    event = deployment.report(deployment.upload("one")["Arn"])
    findings = event["detail"]["findings"]
    twice = replaced(event, [*findings, *findings], "detail", "findings")

    with faults.record_calls() as calls:
        assert len(deployment.handle(twice)["outcomes"]) == 1
        assert deployment.handle_batch(event, event) == []

    assert len(calls.named("DeleteServerCertificate")) == 1


def test_outcomes_come_in_order(deployment: Deployment) -> None:
    """A bare event's outcomes stand in the order of its findings."""
    events = [deployment.report(arn_of(name)) for name in ("c", "a", "b")]
    findings = [event["detail"]["findings"][0] for event in events]
    together = replaced(events[0], findings, "detail", "findings")

    outcomes = deployment.handle(together)["outcomes"]

    assert [one["findingId"] for one in outcomes] == [one["Id"] for one in findings]


def test_one_transient_finding_fails_its_record_alone(deployment: Deployment) -> None:
    """Records of an account that cannot be worked on now are redelivered, the others are not."""
    deployment.configure(MEMBER_ROLE_NAME="iam26-member")
    own = deployment.report(deployment.upload("one")["Arn"])
    other = deployment.report(arn_of("web", account_id=MEMBER_ACCOUNT), account_id=MEMBER_ACCOUNT)

    with faults.inject(operation="AssumeRole", fault=faults.Throttled()):
        assert deployment.handle_batch(other, own) == [0]

    assert deployment.status(own) == "RESOLVED"
    assert deployment.status(other) == "NEW"


def test_bare_event_raises_after_the_others(deployment: Deployment) -> None:
    """A transient failure is raised once the other findings of the event are done."""
    deployment.configure(MEMBER_ROLE_NAME="iam26-member")
    other = deployment.report(arn_of("web", account_id=MEMBER_ACCOUNT), account_id=MEMBER_ACCOUNT)
    own = deployment.report(deployment.upload("one")["Arn"])
    findings = [*other["detail"]["findings"], *own["detail"]["findings"]]

    with (
        faults.inject(operation="AssumeRole", fault=faults.Throttled()),
        pytest.raises(TransientError, match="AssumeRole"),
    ):
        deployment.handle(replaced(own, findings, "detail", "findings"))

    assert deployment.status(own) == "RESOLVED"


def test_finding_that_security_hub_does_not_have(deployment: Deployment) -> None:
    """A message about a finding that does not show yet is retried, and then worked on."""
    finding = make_raw_finding(deployment.upload("one")["Arn"])
    event = seed.imported_event(finding)
    other = deployment.report(deployment.upload("two")["Arn"])

    assert deployment.handle_batch(event, other) == [0]
    assert deployment.certificates() == {"one"}

    deployment.import_findings([finding])
    assert deployment.handle_batch(event, receive_count=2) == []
    assert deployment.status(event) == "RESOLVED"


OTHER_PRODUCT = "arn:aws:securityhub:us-east-1::product/example/scanner"
# What only a finding of another product may be like, each with what is known of it.
STRANGERS: dict[str, dict[str, Any]] = {
    "time": {"CreatedAt": "yesterday"},
    "status": {"Workflow": {"Status": "TRIAGED"}},
    "no-account": {"AwsAccountId": None},
    "no-id": {"Id": None},
    "types": {"Resources": "none", "UserDefinedFields": [], "RecordState": 5},
}


class TestMixedEvent:
    """One event with several findings, of which some are odd."""

    @pytest.mark.parametrize("odd", STRANGERS)
    def test_stranger_among_them(
        self,
        deployment: Deployment,
        read_log: ReadLog,
        capsys: pytest.CaptureFixture[str],
        odd: str,
    ) -> None:
        """Another product's finding is refused whatever it looks like, and the others go on."""
        event = deployment.report(deployment.upload("one")["Arn"])
        good = finding_of(event)
        stranger = good | {"Id": "theirs", "ProductArn": OTHER_PRODUCT} | STRANGERS[odd]
        mixed = replaced(event, [stranger, good, stranger], "detail", "findings")

        refused, done = deployment.handle(mixed)["outcomes"]

        assert refused == {
            "findingId": stranger["Id"],
            "accountId": stranger["AwsAccountId"],
            "certificate": None,
            "outcome": "refused",
            "reason": "Left alone: the finding is not Security Hub's own: its product is "
            f"{OTHER_PRODUCT}.",
            "references": [],
            "workflowStatus": stranger["Workflow"]["Status"],
        }
        assert (done["findingId"], done["outcome"]) == (good["Id"], "deleted")
        assert deployment.handle_batch(mixed) == []
        assert [line for line in read_log() if line["level"] == "ERROR"] == []
        assert "InvalidRecords" not in capsys.readouterr().out

    def test_other_control_among_them(self, deployment: Deployment) -> None:
        """So is one of another control, such as a person may pick in the console."""
        event = deployment.report(deployment.upload("one")["Arn"])
        compliance = {"Status": "FAILED", "SecurityControlId": "EC2.1"}
        odd = finding_of(event) | {"Id": "odd", "CreatedAt": 0.5, "Compliance": compliance}
        odd["Workflow"] = {"Status": "TRIAGED"}
        mixed = replaced(event, [odd, finding_of(event)], "detail", "findings")

        outcomes = deployment.handle(mixed)["outcomes"]

        assert [one["outcome"] for one in outcomes] == ["refused", "deleted"]

    def test_unreadable_one_of_ours(
        self,
        deployment: Deployment,
        read_log: ReadLog,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """One of ours that is not understood sends its record back after the others were done."""
        event, alone = (
            deployment.report(deployment.upload(name)["Arn"]) for name in ("one", "two")
        )
        odd = finding_of(event) | {"Id": "odd", "CreatedAt": "yesterday"}
        mixed = replaced(event, [odd, finding_of(event)], "detail", "findings")

        assert deployment.handle_batch(alone, mixed) == [1]

        assert deployment.certificates() == set()
        assert [deployment.status(one) for one in (event, alone)] == ["RESOLVED", "RESOLVED"]
        [line] = [line for line in read_log() if line["level"] == "ERROR"]
        assert line["messageId"]
        assert line["correlation_id"] == event["id"]
        assert line["reason"].startswith("detail.findings.0.CreatedAt: ")
        assert '"InvalidRecords":[1.0]' in capsys.readouterr().out

    def test_unreadable_one_of_ours_in_a_bare_event(self, deployment: Deployment) -> None:
        """A bare event raises once the other findings are done."""
        event = deployment.report(deployment.upload("one")["Arn"])
        odd = finding_of(event) | {"Id": "odd", "Workflow": {"Status": "TRIAGED"}}
        mixed = replaced(event, [odd, finding_of(event)], "detail", "findings")

        with pytest.raises(EventError, match=r"^detail\.findings\.0\.Workflow\.Status: "):
            deployment.handle(mixed)

        assert deployment.status(event) == "RESOLVED"

    @pytest.mark.parametrize(
        "created_at", ["2024-01-04T15:25:10+05", "2024-01-04T15:25:60.123456789Z"]
    )
    def test_times_as_the_format_allows_them(self, deployment: Deployment, created_at: str) -> None:
        """A finding of ours may have them too, in the event and in Security Hub."""
        event = deployment.report(deployment.upload("one")["Arn"], CreatedAt=created_at)

        assert deployment.handle_batch(event) == []

        assert deployment.status(event) == "RESOLVED"


class TestLog:
    """What an engineer finds at 3 a.m."""

    def test_one_line_a_certificate(self, deployment: Deployment, read_log: ReadLog) -> None:
        """Each certificate has one line with outcome, reason and the id of its event."""
        certificate = deployment.upload("one")
        event = deployment.report(certificate["Arn"])

        deployment.handle(event)

        lines = [line for line in read_log() if line["message"] == "certificate"]
        assert len(lines) == 1
        assert lines[0]["correlation_id"] == event["id"]
        assert lines[0]["outcome"] == "deleted"
        assert lines[0]["certificate"] == certificate["Arn"]
        assert lines[0]["reason"] == deployment.note(event)
        assert lines[0]["accountId"] == OWN_ACCOUNT
        assert lines[0]["certificateId"] == certificate["ServerCertificateId"]
        assert lines[0]["findingIds"] == [event["detail"]["findings"][0]["Id"]]

    def test_line_of_each_certificate_has_its_own_event(
        self, deployment: Deployment, read_log: ReadLog
    ) -> None:
        """In a batch each certificate's line carries the ids of the events about it."""
        shared, lone = deployment.upload("shared"), deployment.upload("lone", days=90)
        events = [deployment.report(one["Arn"]) for one in (shared, lone, shared)]

        deployment.handle_batch(*events)

        lines = {line["certificate"]: line for line in read_log() if "outcome" in line}
        assert lines.keys() == {shared["Arn"], lone["Arn"]}
        assert lines[lone["Arn"]]["correlation_id"] == events[1]["id"]
        assert lines[shared["Arn"]]["correlation_id"] == events[0]["id"]
        assert lines[shared["Arn"]]["eventIds"] == sorted([events[0]["id"], events[2]["id"]])

    def test_no_body_or_secret(
        self,
        deployment: Deployment,
        read_log: ReadLog,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Not even an unexpected error carries a certificate's body or a secret into the log."""
        deployment.configure(AWS_SECRET_ACCESS_KEY="correct-horse")
        event = deployment.report(deployment.upload("one")["Arn"])

        def fail() -> None:
            raise RuntimeError("a defect")

        with faults.inject(operation="PutObject", fault=faults.Call(fail)):
            assert deployment.handle_batch(event) == [0]
        deployment.handle(event)

        printed = capsys.readouterr()
        everything = json.dumps(read_log()) + printed.out + printed.err
        assert "a defect" in everything
        assert "BEGIN CERTIFICATE" not in everything
        assert "PRIVATE KEY" not in everything
        assert "correct-horse" not in everything

    def test_metrics(self, deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
        """Outcomes are counted by outcome, and the scan tells how long it took."""
        deployment.handle_batch(
            deployment.report(deployment.upload("one")["Arn"]),
            deployment.report(deployment.upload("two", days=90)["Arn"]),
        )

        printed = capsys.readouterr().out.splitlines()
        metrics = [json.loads(line) for line in printed if '"_aws"' in line]
        outcomes = {line["outcome"]: line["Findings"] for line in metrics if "outcome" in line}
        assert outcomes == {"deleted": [1.0], "not-expired": [1.0]}
        [scan] = [line for line in metrics if "ScanDuration" in line]
        assert scan["ScanCalls"] == [12.0]
        assert {line["_aws"]["CloudWatchMetrics"][0]["Namespace"] for line in metrics} == {
            "IAM26Remediation"
        }


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record.pop("body"),
        lambda record: record.update(body=None),
    ],
    ids=["no-body", "null-body"],
)
def test_odd_record_fails_alone(
    deployment: Deployment, spoil: Callable[[dict[str, Any]], object]
) -> None:
    """A record that is not even whole is given back alone."""
    events = [deployment.report(deployment.upload(name)["Arn"]) for name in ("one", "two")]
    batch = seed.sqs_batch(events)
    spoil(batch["Records"][0])

    answer = deployment.handle(batch)

    odd = batch["Records"][0]["messageId"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": odd}]}
    assert deployment.certificates() == {"one"}


def test_finding_that_became_another(deployment: Deployment) -> None:
    """What counts is what Security Hub says the finding is now."""
    event = deployment.report(deployment.upload("web")["Arn"])
    deployment.edit_finding(event, Compliance={"Status": "FAILED", "SecurityControlId": "EC2.1"})

    assert deployment.handle_one(event)["outcome"] == "refused"

    assert deployment.certificates() == {"web"}


@pytest.mark.parametrize("attributes", [None, 5, {"ApproximateReceiveCount": "often"}])
def test_attributes_of_a_record_do_not_matter(deployment: Deployment, attributes: object) -> None:
    """How often a message was received changes nothing."""
    event = deployment.report(deployment.upload("one")["Arn"])
    batch = seed.sqs_batch([event])
    batch["Records"][0]["attributes"] = attributes

    assert deployment.handle(batch) == {"batchItemFailures": []}

    assert deployment.status(event) == "RESOLVED"


def test_unchanged_one_is_received_again(deployment: Deployment) -> None:
    """However often a message is received, an unchanged outcome notifies nobody again."""
    certificate = deployment.upload("web")
    ATTACHMENTS["classic"](deployment.aws.client, "edge", "us-east-1", certificate)
    event = deployment.report(certificate["Arn"])
    deployment.handle(event)
    assert len(deployment.messages()) == 1

    for receive in (2, 3, 4):
        assert deployment.handle_batch(event, event, receive_count=receive) == []

    assert deployment.messages() == []


def test_bucket_of_strangers_is_refused(deployment: Deployment) -> None:
    """Each call to the archive says whose bucket it must be."""
    event = deployment.report(deployment.upload("web")["Arn"])
    with (
        faults.inject(operation="BatchUpdateFindings", fault=faults.Throttled()),
        faults.record_calls() as first,
    ):
        assert deployment.handle_batch(event) == [0]
    with faults.record_calls() as second:
        assert deployment.handle_batch(event, receive_count=2) == []

    archived = [call for call in (*first, *second) if call.service == "s3"]
    assert {call.operation for call in archived} == {"PutObject", "ListObjectsV2", "GetObject"}
    assert {call.params["ExpectedBucketOwner"] for call in archived} == {OWN_ACCOUNT}

"""Every AWS call that fails, in every way it can, lands where the contract says.

In no cell of the matrix is a certificate deleted on a proof that had a gap.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import pytest

from handlers import wiring
from local.aws import faults
from local.aws.knobs import OWN_ACCOUNT, Unprocessed
from local.aws.server import Aws, in_process
from local.fixtures import seed
from models.errors import TransientError
from tests.builders import MEMBER_ACCOUNT
from tests.functional.deployment import BUCKET, Deployment, finding_of
from tests.functional.holders import create_holders

Event = dict[str, Any]
ReadLog = Callable[[], list[dict[str, Any]]]

# Where the failing calls of a scan are made; the other Region answers.
AWAY = "eu-west-1"


class Story(StrEnum):
    """What happens around a call."""

    CANDIDATE = "a clean candidate of our own account is deleted"
    MEMBER = "a clean candidate of a member account is deleted"
    REDELIVERED = "a finding is redelivered whose certificate an earlier invocation deleted"


@dataclass(frozen=True)
class Operation:
    """One AWS operation that the application calls.

    Attributes:
        service: boto3's name of the service.
        name: the operation.
        place: what a note names when the operation is refused, the operation itself if empty.
        region: the Region in which it fails.
        story: in which story it is called.
    """

    service: str
    name: str
    place: str = ""
    region: str | None = None
    story: Story = Story.CANDIDATE

    def __str__(self) -> str:
        """Return `elb.DescribeLoadBalancers`."""
        return f"{self.service}.{self.name}"

    @property
    def is_read_by_region(self) -> bool:
        """Whether it is a call of a source that stands in every Region."""
        return self.region is not None

    def fails(
        self, fault: faults.Fault, times: int | None = None
    ) -> AbstractContextManager[faults.Injection]:
        """Let a fault happen to the operation."""
        return faults.inject(
            service=self.service,
            operation=self.name,
            region=self.region,
            fault=fault,
            times=times,
        )


def _source(service: str, name: str, kind: str) -> Operation:
    return Operation(service, name, f"{kind} in {AWAY}", AWAY)


LISTENER = "Load balancer listener"
BEANSTALK = "Elastic Beanstalk"

ENTRY = (
    Operation("sts", "GetCallerIdentity"),
    Operation("sts", "AssumeRole", story=Story.MEMBER),
    Operation("securityhub", "GetFindings"),
    Operation("iam", "ListServerCertificates"),
    Operation("iam", "ListServerCertificateTags"),
)
SCAN = (
    Operation("ec2", "DescribeRegions", "The list of Regions in us-east-1"),
    _source("elb", "DescribeLoadBalancers", "Classic Load Balancer"),
    _source("elbv2", "DescribeLoadBalancers", LISTENER),
    _source("elbv2", "DescribeListeners", LISTENER),
    _source("elbv2", "DescribeListenerCertificates", LISTENER),
    Operation("cloudfront", "ListDistributions", "CloudFront distribution (global)"),
    _source("appsync", "ListDomainNames", "AppSync custom domain"),
    _source("elasticbeanstalk", "DescribeApplications", BEANSTALK),
    _source("elasticbeanstalk", "DescribeEnvironments", BEANSTALK),
    _source("elasticbeanstalk", "DescribeConfigurationSettings", BEANSTALK),
)
ACTION = (
    Operation("iam", "GetServerCertificate"),
    Operation("s3", "PutObject"),
    Operation("iam", "DeleteServerCertificate"),
    Operation("s3", "ListObjectsV2", story=Story.REDELIVERED),
    Operation("s3", "GetObject", story=Story.REDELIVERED),
)
WRITE = Operation("securityhub", "BatchUpdateFindings")
TELL = Operation("sns", "Publish")

# What a source asks first in a Region; a policy that denies the Region denies this already.
FIRST_CALLS = tuple(
    one
    for one in SCAN
    if one.is_read_by_region
    and one.name in {"DescribeLoadBalancers", "ListDomainNames", "DescribeApplications"}
)

BEFORE_THE_REPORT = (*ENTRY, *SCAN, *ACTION)
OPERATIONS = (*BEFORE_THE_REPORT, WRITE, TELL)

DENIED_BY_SCP = faults.DeniedByScp()
# The error, and how the note names it; services have words of their own for a missing permission.
REFUSALS: dict[str, tuple[faults.Fault, str]] = {
    "denied": (faults.AccessDenied(), "AccessDenied|UnauthorizedOperation|AuthorizationError"),
    "denied-by-scp": (DENIED_BY_SCP, "by a service control policy"),
    "unknown-token": (
        faults.AwsFault(
            "UnrecognizedClientException", "The security token included is invalid.", 403
        ),
        "UnrecognizedClientException",
    ),
    "invalid-token": (
        faults.AwsFault("InvalidClientTokenId", "The security token included is invalid.", 403),
        "InvalidClientTokenId",
    ),
    "not-opted-in": (
        faults.AwsFault("OptInRequired", "You are not subscribed to this service.", 403),
        "OptInRequired",
    ),
    "another-error": (
        faults.AwsFault("ValidationError", "1 validation error detected.", 400),
        "ValidationError",
    ),
}


HICCUPS: dict[str, faults.Fault] = {
    "throttled": faults.Throttled(),
    "internal-failure": faults.InternalFailure(),
    "unavailable": faults.AwsFault("TheServerIsBusy", "Try again.", 503),
    "connection-dropped": faults.ConnectionDropped(),
    "does-not-resolve": faults.NotOffered(),
}


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    """A local AWS for the whole matrix: one of everything in it uses a valid certificate."""
    with in_process() as aws, faults.skip_backoff():
        later = datetime.now(UTC) + timedelta(days=900)
        everyday = seed.upload_certificate(aws.client, "everyday", expires=later)
        create_holders(aws.client, AWAY, everyday)
        yield aws


@pytest.fixture
def deployment(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """The application in that AWS, which a test leaves as it found it."""
    aws.knobs.enabled_regions = ("us-east-1", AWAY)
    aws.knobs.guard_certificates_in_use = False
    monkeypatch.setattr("handlers.aws.finding_updates.RETRY_DELAYS_SECONDS", (0, 0, 0))
    deployment = Deployment(aws, monkeypatch)
    deployment.create()
    yield deployment
    aws.knobs.reset()
    aws.knobs.guard_certificates_in_use = False
    deployment.messages()
    for account_id in (OWN_ACCOUNT, MEMBER_ACCOUNT):
        if holds(deployment, "old-web", account_id):
            iam = aws.client("iam", account_id=account_id)
            iam.delete_server_certificate(ServerCertificateName="old-web")
    for key in deployment.archive():
        aws.client("s3").delete_object(Bucket=BUCKET, Key=key)


def begin(deployment: Deployment, story: Story) -> Event:
    """Tell a story up to the invocation in question, and return that one's event."""
    account_id = OWN_ACCOUNT
    if story is Story.MEMBER:
        account_id = MEMBER_ACCOUNT
        deployment.configure(MEMBER_ROLE_NAME="iam26-member")
    certificate = deployment.upload("old-web", account_id=account_id)
    event = deployment.report(certificate["Arn"], account_id=account_id)
    if story is Story.REDELIVERED:
        with WRITE.fails(faults.Throttled()):
            assert deployment.handle_batch(event) == [0]
        assert not holds(deployment, "old-web")
        deployment.messages()
    # A warm function knows its account and has credentials of others; this one asks STS.
    wiring._wire_remediation.cache_clear()
    return event


def holds(deployment: Deployment, name: str, account_id: str = OWN_ACCOUNT) -> bool:
    iam = deployment.aws.client("iam", account_id=account_id)
    held = iam.list_server_certificates()["ServerCertificateMetadataList"]
    return any(one["ServerCertificateName"] == name for one in held)


def is_kept(deployment: Deployment, story: Story) -> bool:
    """Return whether the certificate is there, where the story has one to lose."""
    account_id = MEMBER_ACCOUNT if story is Story.MEMBER else OWN_ACCOUNT
    return story is Story.REDELIVERED or holds(deployment, "old-web", account_id)


def states(deployment: Deployment) -> list[str]:
    return [record["state"] for record in deployment.archive().values()]


def read_metrics(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    """Return the sum of every metric that was emitted."""
    sums: dict[str, float] = {}
    for line in capsys.readouterr().out.splitlines():
        if '"_aws"' not in line:
            continue
        emitted = json.loads(line)
        for group in emitted["_aws"]["CloudWatchMetrics"]:
            for metric in group["Metrics"]:
                values = emitted[metric["Name"]]
                sums[metric["Name"]] = sums.get(metric["Name"], 0) + sum(values)
    return sums


class TestMatrix:
    """Operation by operation, error by error."""

    def test_every_operation_is_in_it(self, deployment: Deployment) -> None:
        """The matrix has exactly the operations that the application calls."""
        used = set()
        for story in Story:
            event = begin(deployment, story)
            with faults.record_calls() as calls:
                assert deployment.handle_batch(event) == []
            used |= {f"{call.service}.{call.operation}" for call in calls}

        assert used == {str(operation) for operation in OPERATIONS}

    # First, because failures use up the SDK's budget for retries, which its clients keep.
    @pytest.mark.parametrize("operation", BEFORE_THE_REPORT, ids=str)
    def test_answered_in_the_end(self, deployment: Deployment, operation: Operation) -> None:
        """An error that passes within the SDK's own retries changes nothing."""
        event = begin(deployment, operation.story)

        with operation.fails(faults.Throttled(), times=1) as failure:
            assert deployment.handle_batch(event) == []

        assert failure.hits == 1
        assert deployment.finding(event)["UserDefinedFields"]["iam26Outcome"] == "deleted"

    @pytest.mark.parametrize("refusal", REFUSALS)
    @pytest.mark.parametrize("operation", BEFORE_THE_REPORT, ids=str)
    def test_refused(self, deployment: Deployment, operation: Operation, refusal: str) -> None:
        """What AWS refuses for good leaves the proof incomplete, and the note names it."""
        fault, says = REFUSALS[refusal]
        event = begin(deployment, operation.story)
        records = len(states(deployment))

        with operation.fails(fault) as failure:
            assert deployment.handle_batch(event) == []

        assert failure.hits
        assert is_kept(deployment, operation.story)
        finding = deployment.finding(event)
        assert finding["UserDefinedFields"]["iam26Outcome"] == "unverified"
        assert finding["Workflow"]["Status"] == "NOTIFIED"
        note = finding["Note"]["Text"]
        assert note.startswith("Kept: ") == (operation.story is not Story.REDELIVERED)
        assert (operation.place or operation.name) in note
        assert any(code in note for code in says.split("|"))
        [message] = deployment.messages()
        assert message.attributes["outcome"] == "unverified"
        assert "deleting" not in states(deployment)[records:]

    @pytest.mark.parametrize("hiccup", HICCUPS)
    @pytest.mark.parametrize("operation", BEFORE_THE_REPORT, ids=str)
    def test_not_answered(self, deployment: Deployment, operation: Operation, hiccup: str) -> None:
        """What AWS cannot answer now leaves the finding untouched, and its message is retried."""
        event = begin(deployment, operation.story)
        before = deployment.finding(event)

        with operation.fails(HICCUPS[hiccup]) as failure:
            assert deployment.handle_batch(event) == [0]

        assert failure.hits
        assert is_kept(deployment, operation.story)
        assert deployment.finding(event) == before
        assert deployment.messages() == []
        assert deployment.handle_batch(event, receive_count=2) == []
        assert deployment.finding(event)["UserDefinedFields"]["iam26Outcome"] == "deleted"

    @pytest.mark.parametrize("operation", BEFORE_THE_REPORT, ids=str)
    def test_not_answered_to_a_bare_event(
        self, deployment: Deployment, operation: Operation
    ) -> None:
        """Without a queue the caller gets the error, which names the call, and tries again."""
        event = begin(deployment, operation.story)

        with (
            operation.fails(faults.Throttled()),
            pytest.raises(TransientError, match=f"^{operation.name} answered "),
        ):
            deployment.handle(event)

        assert is_kept(deployment, operation.story)
        assert deployment.status(event) == "NEW"


class TestReport:
    """Errors of the calls that tell what was done."""

    @pytest.mark.parametrize("error", [*REFUSALS, *HICCUPS])
    def test_finding_cannot_be_written(self, deployment: Deployment, error: str) -> None:
        """People are told of the deletion at once, and the finding tells it once it can."""
        fault = HICCUPS.get(error) or REFUSALS[error][0]
        event = begin(deployment, Story.CANDIDATE)

        with WRITE.fails(fault):
            assert deployment.handle_batch(event) == [0]

        assert deployment.status(event) == "NEW"
        [message] = deployment.messages()
        assert message.attributes["outcome"] == "deleted"
        assert states(deployment) == ["deleted"]
        assert deployment.handle_batch(event, receive_count=2) == []
        assert deployment.status(event) == "RESOLVED"
        assert str(deployment.note(event)).startswith("Deleted: ")
        [again] = deployment.messages()
        assert again == message

    @pytest.mark.parametrize("error", [*REFUSALS, *HICCUPS])
    def test_nobody_can_be_told(
        self,
        deployment: Deployment,
        read_log: ReadLog,
        capsys: pytest.CaptureFixture[str],
        error: str,
    ) -> None:
        """A notification that fails is logged and counted, and nothing is redelivered for it."""
        fault = HICCUPS.get(error) or REFUSALS[error][0]
        event = begin(deployment, Story.CANDIDATE)

        with TELL.fails(fault):
            assert deployment.handle_batch(event) == []

        assert deployment.status(event) == "RESOLVED"
        assert read_metrics(capsys)["FailedNotifications"] == 1
        errors = [line["message"] for line in read_log() if line["level"] == "ERROR"]
        assert errors == ["notification was not published"]

    @pytest.mark.parametrize("code", ["ConcurrentUpdateError", "InternalFailure"])
    def test_update_that_passes_later(self, deployment: Deployment, code: str) -> None:
        """What Security Hub could not process at once is tried again at once."""
        event = begin(deployment, Story.CANDIDATE)
        deployment.aws.knobs.unprocessed_findings[finding_of(event)["Id"]] = Unprocessed(code)

        assert deployment.handle_batch(event) == []

        assert deployment.status(event) == "RESOLVED"

    @pytest.mark.parametrize("code", ["ConcurrentUpdateError", "InternalFailure"])
    def test_update_that_does_not_pass(self, deployment: Deployment, code: str) -> None:
        """What Security Hub cannot process now is redelivered; the rest of the update is not."""
        certificate = deployment.upload("old-web")
        events = [deployment.report(certificate["Arn"]) for _ in range(3)]
        busy = finding_of(events[1])["Id"]
        deployment.aws.knobs.unprocessed_findings[busy] = Unprocessed(code, times=99)

        assert deployment.handle_batch(*events) == [1]

        assert [deployment.status(one) for one in events] == ["RESOLVED", "NEW", "RESOLVED"]
        deployment.aws.knobs.unprocessed_findings.clear()
        assert deployment.handle_batch(events[1], receive_count=2) == []
        assert deployment.note(events[1]) == deployment.note(events[0])

    @pytest.mark.parametrize("code", ["FindingNotFound", "InvalidInput", "FindingSizeExceeded"])
    def test_update_that_never_passes(
        self,
        deployment: Deployment,
        read_log: ReadLog,
        capsys: pytest.CaptureFixture[str],
        code: str,
    ) -> None:
        """What Security Hub rejects for good is logged and counted, and the outcome stands."""
        event = begin(deployment, Story.CANDIDATE)
        rejected = finding_of(event)["Id"]
        deployment.aws.knobs.unprocessed_findings[rejected] = Unprocessed(code, times=99)

        outcome = deployment.handle_one(event)

        assert (outcome["outcome"], outcome["workflowStatus"]) == ("deleted", "NEW")
        assert not holds(deployment, "old-web")
        assert read_metrics(capsys)["RejectedFindingUpdates"] == 1
        [error] = [line for line in read_log() if line["level"] == "ERROR"]
        assert (error["findingId"], error["reason"]) == (rejected, code)
        assert deployment.handle_batch(event) == []


class TestDeniedRegions:
    """An explicit deny in a service control policy, where settings put such Regions aside."""

    @pytest.fixture(autouse=True)
    def put_aside(self, deployment: Deployment) -> None:
        """Set DENIED_REGIONS=OutOfScope."""
        deployment.configure(DENIED_REGIONS="OutOfScope")

    @pytest.mark.parametrize("operation", FIRST_CALLS, ids=str)
    def test_region_out_of_scope(self, deployment: Deployment, operation: Operation) -> None:
        """The Region counts as out of scope, and note and evidence name it."""
        event = begin(deployment, Story.CANDIDATE)

        with operation.fails(DENIED_BY_SCP):
            assert deployment.handle_one(event)["outcome"] == "deleted"

        assert f"Out of scope by the settings: {AWAY}." in str(deployment.note(event))
        [record] = deployment.archive().values()
        assert record["regionsOutOfScope"] == [AWAY]
        aside = [one for one in record["evidence"]["coverage"] if one["state"] == "out of scope"]
        assert [(one["source"], one["region"]) for one in aside] == [
            (operation.place.removesuffix(f" in {AWAY}"), AWAY)
        ]

    @pytest.mark.parametrize(
        "operation",
        [one for one in SCAN if one.is_read_by_region and one not in FIRST_CALLS],
        ids=str,
    )
    def test_part_of_a_region(self, deployment: Deployment, operation: Operation) -> None:
        """A Region that answers in part is in scope, and what it denies is a gap."""
        event = begin(deployment, Story.CANDIDATE)

        with operation.fails(DENIED_BY_SCP):
            assert deployment.handle_one(event)["outcome"] == "unverified"

        assert operation.place in str(deployment.note(event))
        assert is_kept(deployment, Story.CANDIDATE)

    @pytest.mark.parametrize(
        "operation", [one for one in BEFORE_THE_REPORT if not one.is_read_by_region], ids=str
    )
    def test_what_is_in_no_region(self, deployment: Deployment, operation: Operation) -> None:
        """What does not stand in a Region of its own cannot be put aside."""
        event = begin(deployment, operation.story)

        with operation.fails(DENIED_BY_SCP):
            assert deployment.handle_one(event)["outcome"] == "unverified"

        assert is_kept(deployment, operation.story)

    @pytest.mark.parametrize("operation", [one for one in SCAN if one.is_read_by_region], ids=str)
    def test_other_denials(self, deployment: Deployment, operation: Operation) -> None:
        """A permission that the role lacks is no Region that the organisation closed."""
        event = begin(deployment, Story.CANDIDATE)

        with operation.fails(faults.AccessDenied()):
            assert deployment.handle_one(event)["outcome"] == "unverified"

        assert holds(deployment, "old-web")

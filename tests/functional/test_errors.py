"""Every error of every AWS operation lands where the contract says, and deletes nothing wrong."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from local import faults, seed
from tests.functional.deployment import MEMBER_ACCOUNT, Deployment

Event = dict[str, Any]

UNKNOWN_CREDENTIALS = faults.AwsFault("UnrecognizedClientException", "The token is invalid.", 403)
INVALID_TOKEN = faults.AwsFault("InvalidClientTokenId", "The token is invalid.", 403)
OPT_IN = faults.AwsFault("OptInRequired", "You are not subscribed to this service.", 403)
OTHER = faults.AwsFault("ValidationError", "Something else is wrong.", 400)

REFUSALS = {
    "access denied": faults.AccessDenied(),
    "denied by a policy": faults.DeniedByScp(),
    "unknown credentials": UNKNOWN_CREDENTIALS,
    "invalid token": INVALID_TOKEN,
    "not opted in": OPT_IN,
    "anything else": OTHER,
}
OUTAGES = {
    "throttled": faults.Throttled(),
    "internal error": faults.InternalFailure(),
    "connection dropped": faults.ConnectionDropped(),
}

# The calls that read an account's references: service, operation.
SCAN = (
    ("ec2", "DescribeRegions"),
    ("elb", "DescribeLoadBalancers"),
    ("elbv2", "DescribeLoadBalancers"),
    ("elbv2", "DescribeListeners"),
    ("elbv2", "DescribeListenerCertificates"),
    ("cloudfront", "ListDistributions"),
    ("appsync", "ListDomainNames"),
    ("elasticbeanstalk", "DescribeApplications"),
    ("elasticbeanstalk", "DescribeEnvironments"),
    ("elasticbeanstalk", "DescribeConfigurationSettings"),
)
# The calls that a proof and a delete need besides; without one there is an `unverified`.
PROOF = (
    ("sts", "GetCallerIdentity"),
    ("sts", "AssumeRole"),
    ("securityhub", "GetFindings"),
    ("iam", "ListServerCertificates"),
    ("iam", "ListServerCertificateTags"),
    ("iam", "GetServerCertificate"),
    ("iam", "DeleteServerCertificate"),
    ("s3", "PutObject"),
)
# The calls that read who deleted a certificate that is gone.
VOUCHING = (("s3", "ListObjectsV2"), ("s3", "GetObject"))
REPORT = (("securityhub", "BatchUpdateFindings"), ("sns", "Publish"))


def name_cell(value: object) -> str:
    return "-".join(value) if isinstance(value, tuple) else str(value)


class Busy:
    """An account in which every call is made: something of every kind, and one clean candidate."""

    def __init__(self, deployment: Deployment, account_id: str = MEMBER_ACCOUNT) -> None:
        client = deployment.aws.client
        deployment.configure(MEMBER_ROLE_NAME="iam26-member")
        used = deployment.upload("used", days=90, account_id=account_id)["Arn"]
        seed.create_load_balancer(client, "shop", used, account_id=account_id)
        seed.create_environment(client, "billing", "prod", used, account_id=account_id)
        certificate = deployment.upload("old-web", account_id=account_id)
        self.deployment = deployment
        self.account_id = account_id
        self.event = deployment.report(certificate["Arn"], account_id=account_id)

    def certificates(self) -> set[str]:
        iam = self.deployment.aws.client("iam", account_id=self.account_id)
        listed = iam.list_server_certificates()["ServerCertificateMetadataList"]
        return {one["ServerCertificateName"] for one in listed}


@pytest.fixture
def busy(deployment: Deployment) -> Busy:
    """A member account in which every call is made, with one clean candidate."""
    return Busy(deployment)


@contextmanager
def failing(cell: tuple[str, str], fault: faults.Fault) -> Iterator[None]:
    service, operation = cell
    with faults.inject(service=service, operation=operation, fault=fault) as injection:
        yield
    assert injection.hits, "the call that should fail was never made"


def test_matrix_has_every_call(busy: Busy) -> None:
    """The matrix below holds exactly the operations that the function calls."""
    with faults.record_calls() as calls:
        busy.deployment.handle(busy.event)
        busy.deployment.handle(busy.event)

    made = {(call.service, call.operation) for call in calls}
    assert busy.certificates() == {"used"}
    assert made | {("sts", "GetCallerIdentity")} == {*SCAN, *PROOF, *VOUCHING, *REPORT}


@pytest.mark.parametrize(
    ("cell", "fault"), itertools.product([*SCAN, *PROOF[1:]], REFUSALS), ids=name_cell
)
def test_refusal_is_unverified(busy: Busy, cell: tuple[str, str], fault: str) -> None:
    """A call that is refused leaves the proof incomplete: kept, and the note says which call."""
    with failing(cell, REFUSALS[fault]):
        [outcome] = busy.deployment.handle(busy.event)["outcomes"]

    assert busy.certificates() == {"used", "old-web"}
    assert (outcome["outcome"], outcome["workflowStatus"]) == ("unverified", "NOTIFIED")
    assert busy.deployment.status(busy.event) == "NOTIFIED"
    gap = busy.deployment.finding(busy.event)["UserDefinedFields"]["iam26References"]
    if cell in PROOF:
        assert cell[1] in gap
    else:
        assert "us-east-1" in gap or "(global)" in gap


@pytest.mark.parametrize(
    ("cell", "fault"), itertools.product([*SCAN, *PROOF[1:]], OUTAGES), ids=name_cell
)
def test_outage_is_tried_again(busy: Busy, cell: tuple[str, str], fault: str) -> None:
    """A call that AWS cannot answer now leaves the finding untouched; the message comes again."""
    with failing(cell, OUTAGES[fault]):
        assert busy.deployment.handle_batch(busy.event) == [0]

    assert "old-web" in busy.certificates()
    assert busy.deployment.status(busy.event) == "NEW"
    assert busy.deployment.note(busy.event) is None
    assert busy.deployment.messages() == []

    assert busy.deployment.handle_batch(busy.event, receive_count=2) == []
    assert busy.certificates() == {"used"}
    assert busy.deployment.status(busy.event) == "RESOLVED"


@pytest.mark.parametrize("cell", VOUCHING, ids=name_cell)
@pytest.mark.parametrize("fault", REFUSALS)
def test_unreadable_archive_is_unverified(busy: Busy, cell: tuple[str, str], fault: str) -> None:
    """Without the archive it cannot be told who deleted a certificate that is gone."""
    busy.deployment.handle(busy.event)

    with failing(cell, REFUSALS[fault]):
        [outcome] = busy.deployment.handle(busy.event)["outcomes"]

    assert outcome["outcome"] == "unverified"
    assert cell[1] in str(busy.deployment.note(busy.event))


@pytest.mark.parametrize("cell", VOUCHING, ids=name_cell)
@pytest.mark.parametrize("fault", OUTAGES)
def test_archive_that_cannot_answer_now(busy: Busy, cell: tuple[str, str], fault: str) -> None:
    """An archive that does not answer now leaves the finding as it is."""
    busy.deployment.handle(busy.event)
    before = busy.deployment.finding(busy.event)

    with failing(cell, OUTAGES[fault]):
        assert busy.deployment.handle_batch(busy.event) == [0]

    assert busy.deployment.finding(busy.event) == before


@pytest.mark.parametrize("fault", [*REFUSALS, *OUTAGES])
def test_finding_that_cannot_be_written(busy: Busy, fault: str) -> None:
    """An update that fails as a whole is not lost: the message comes again, and then tells."""
    with failing(REPORT[0], (REFUSALS | OUTAGES)[fault]):
        assert busy.deployment.handle_batch(busy.event) == [0]
    assert busy.deployment.messages() == []

    assert busy.deployment.handle_batch(busy.event, receive_count=2) == []

    assert busy.deployment.status(busy.event) == "RESOLVED"
    assert str(busy.deployment.note(busy.event)).startswith("Deleted: ")
    assert len(busy.deployment.messages()) == 1


@pytest.mark.parametrize("fault", [*REFUSALS, *OUTAGES])
def test_notification_that_fails(
    busy: Busy, fault: str, read_log: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A notification that fails is logged and counted; nothing comes again for it."""
    with failing(REPORT[1], (REFUSALS | OUTAGES)[fault]):
        assert busy.deployment.handle_batch(busy.event) == []

    assert busy.deployment.status(busy.event) == "RESOLVED"
    assert [line["message"] for line in read_log() if line["level"] == "ERROR"] == [
        "notification was not published"
    ]
    assert '"FailedNotifications":[1.0]' in capsys.readouterr().out


@pytest.mark.parametrize("fault", [*REFUSALS, *OUTAGES])
def test_own_account_unknown(deployment: Deployment, fault: str) -> None:
    """Without knowing our own account no finding is in scope, and nothing is deleted."""
    event = deployment.report(deployment.upload("old-web")["Arn"])

    with failing(("sts", "GetCallerIdentity"), (REFUSALS | OUTAGES)[fault]):
        given_back = deployment.handle_batch(event)

    assert deployment.certificates() == {"old-web"}
    assert given_back == ([0] if fault in OUTAGES else [])
    assert deployment.status(event) == ("NEW" if fault in OUTAGES else "NOTIFIED")


class TestUnprocessedFindings:
    """HTTP 200 that carries a refusal."""

    @pytest.mark.parametrize("code", ["ConcurrentUpdateError", "InternalFailure"])
    def test_retried_at_once(self, deployment: Deployment, code: str) -> None:
        """What may pass is tried again within the invocation."""
        event = deployment.report(deployment.upload("old-web")["Arn"])
        self.refuse(deployment, event, code, times=2)

        assert deployment.handle_batch(event) == []

        assert deployment.status(event) == "RESOLVED"

    @pytest.mark.parametrize("code", ["ConcurrentUpdateError", "InternalFailure"])
    def test_then_transient(self, deployment: Deployment, code: str) -> None:
        """What does not pass after some tries comes again."""
        event = deployment.report(deployment.upload("old-web")["Arn"])
        self.refuse(deployment, event, code, times=99)

        assert deployment.handle_batch(event) == [0]

        assert deployment.status(event) == "NEW"

    @pytest.mark.parametrize("code", ["FindingNotFound", "InvalidInput", "FindingSizeExceeded"])
    def test_outcome_stands(
        self,
        deployment: Deployment,
        code: str,
        read_log: Any,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """What cannot pass is logged and counted; the outcome stands."""
        event = deployment.report(deployment.upload("old-web")["Arn"])
        self.refuse(deployment, event, code, times=99)

        outcome = deployment.handle_one(event)

        assert (outcome["outcome"], outcome["workflowStatus"]) == ("deleted", "NEW")
        errors = [line["reason"] for line in read_log() if line["level"] == "ERROR"]
        assert errors == [code]
        assert '"RejectedFindingUpdates":[1.0]' in capsys.readouterr().out

    @staticmethod
    def refuse(deployment: Deployment, event: Event, code: str, times: int) -> None:
        """Let Security Hub leave the event's finding unprocessed so many times."""
        from local.world import Unprocessed  # noqa: PLC0415 - used here alone

        finding_id = event["detail"]["findings"][0]["Id"]
        deployment.aws.knobs.unprocessed_findings[finding_id] = Unprocessed(code, times)


class TestDeniedByPolicy:
    """An explicit deny in a service control policy."""

    @pytest.fixture(autouse=True)
    def out_of_scope(self, deployment: Deployment) -> None:
        """Count it as out of scope."""
        deployment.configure(DENIED_REGIONS="OutOfScope")

    @pytest.mark.parametrize("service", ["elb", "elbv2", "appsync", "elasticbeanstalk"])
    def test_region_is_named(self, deployment: Deployment, service: str) -> None:
        """A Region that a policy denies is out of scope, and named in note and evidence."""
        event = deployment.report(deployment.upload("old-web")["Arn"])

        with faults.inject(service=service, region="eu-west-1", fault=faults.DeniedByScp()):
            assert deployment.handle_one(event)["outcome"] == "deleted"

        assert "Out of scope by the settings: eu-west-1." in str(deployment.note(event))
        [record] = deployment.archive().values()
        assert record["regionsOutOfScope"] == ["eu-west-1"]
        states = {one["state"] for one in record["evidence"]["coverage"]}
        assert states == {"read", "out of scope"}

    def test_plain_denial_is_a_gap(self, deployment: Deployment) -> None:
        """Access denied without such a policy stays a gap."""
        event = deployment.report(deployment.upload("old-web")["Arn"])

        with faults.inject(service="elb", region="eu-west-1", fault=faults.AccessDenied()):
            assert deployment.handle_one(event)["outcome"] == "unverified"

    def test_cloudfront_is_no_region(self, deployment: Deployment) -> None:
        """CloudFront, which has no Region, stays a gap."""
        event = deployment.report(deployment.upload("old-web")["Arn"])

        with faults.inject(service="cloudfront", fault=faults.DeniedByScp()):
            assert deployment.handle_one(event)["outcome"] == "unverified"

    def test_what_others_show_counts(self, deployment: Deployment) -> None:
        """What the Region's other sources show still keeps the certificate."""
        certificate = deployment.upload("old-web")
        client = deployment.aws.client
        seed.create_classic_load_balancer(client, "edge", certificate["Arn"], region="eu-west-1")

        with faults.inject(service="appsync", region="eu-west-1", fault=faults.DeniedByScp()):
            outcome = deployment.handle_one(deployment.report(certificate["Arn"]))

        assert outcome["outcome"] == "in-use"


class TestEndpointThatDoesNotResolve:
    """A service that a Region may not offer."""

    def test_not_offered(self, deployment: Deployment) -> None:
        """Where the SDK lists no endpoint either, the service is not offered: no gap."""
        deployment.aws.knobs.enabled_regions = ("us-east-1", "mx-central-1")
        event = deployment.report(deployment.upload("old-web")["Arn"])

        assert deployment.handle_one(event)["outcome"] == "deleted"

        [record] = deployment.archive().values()
        missing = {
            (one["source"], one["region"])
            for one in record["evidence"]["coverage"]
            if one["state"] == "not offered"
        }
        assert missing == {
            ("AppSync custom domain", "mx-central-1"),
            ("Elastic Beanstalk", "mx-central-1"),
        }

    @pytest.mark.parametrize("service", ["elb", "elbv2", "appsync", "elasticbeanstalk"])
    def test_listed_endpoint_is_an_outage(self, deployment: Deployment, service: str) -> None:
        """Where the SDK lists one, it is an outage, and comes again."""
        event = deployment.report(deployment.upload("old-web")["Arn"])

        with faults.inject(service=service, region="eu-west-1", fault=faults.NotOffered()):
            assert deployment.handle_batch(event) == [0]

        assert deployment.status(event) == "NEW"

    def test_unlisted_service_that_is_there(self, deployment: Deployment) -> None:
        """A service that is offered although the SDK does not know it is read like any other."""
        deployment.aws.knobs.enabled_regions = ("us-east-1", "mx-central-1")
        deployment.aws.knobs.only_offered_regions = False
        certificate = deployment.upload("old-web")
        seed.create_api_domain(
            deployment.aws.client, "api.example.com", certificate["Arn"], region="mx-central-1"
        )

        assert deployment.handle_one(deployment.report(certificate["Arn"]))["outcome"] == "in-use"


class TestVanished:
    """What was deleted between a list and the question about it is no reference."""

    @pytest.mark.parametrize(
        ("operation", "code", "message"),
        [
            ("DescribeListeners", "LoadBalancerNotFound", "One or more not found"),
            ("DescribeListenerCertificates", "ListenerNotFound", "One or more not found"),
            (
                "DescribeConfigurationSettings",
                "InvalidParameterValue",
                "No Environment found for EnvironmentName = 'prod'.",
            ),
            (
                "DescribeConfigurationSettings",
                "InvalidParameterValue",
                "No Configuration Template named 'billing/old' found.",
            ),
        ],
    )
    def test_no_reference(self, busy: Busy, operation: str, code: str, message: str) -> None:
        """The certificate goes although a holder of others vanished on the way."""
        with faults.inject(operation=operation, fault=faults.AwsFault(code, message, 400)):
            [outcome] = busy.deployment.handle(busy.event)["outcomes"]

        assert outcome["outcome"] == "deleted"


class TestBeanstalkAnswersEmptyLists:
    """Beanstalk answers a missing permission with an empty list."""

    @pytest.mark.parametrize("operation", ["DescribeConfigurationSettings", "DescribeApplications"])
    def test_is_a_gap(self, busy: Busy, operation: str) -> None:
        """What one list names must come back from the others."""
        busy.deployment.aws.knobs.beanstalk_denied = frozenset({operation})

        [outcome] = busy.deployment.handle(busy.event)["outcomes"]

        assert outcome["outcome"] == "unverified"
        assert "as if permission were missing" in str(busy.deployment.note(busy.event))
        assert "old-web" in busy.certificates()


class TestTime:
    """An invocation that runs out of time, and a proof that grows old."""

    def test_no_time_left(self, deployment: Deployment) -> None:
        """With seconds left nothing is begun: the finding is untouched, the message comes again."""
        event = deployment.report(deployment.upload("old-web")["Arn"])
        batch = seed.sqs_batch([event])

        answer = deployment.handle(batch, milliseconds_left=9_000)

        assert len(answer["batchItemFailures"]) == 1
        assert deployment.status(event) == "NEW"

    def test_scan_that_takes_too_long(self, deployment: Deployment) -> None:
        """A scan is given up in time for the report."""
        event = deployment.report(deployment.upload("old-web")["Arn"])

        with faults.inject(service="appsync", region="eu-west-1", fault=faults.Slow(3)):
            answer = deployment.handle(seed.sqs_batch([event]), milliseconds_left=11_500)

        assert len(answer["batchItemFailures"]) == 1
        assert deployment.status(event) == "NEW"
        assert deployment.certificates() == {"old-web"}

"""Invocations that are really killed, from outside, at every call they make.

Each one runs in a process of its own against the local AWS as a server, which tells when a call has
come; then the process gets SIGKILL, and the message is delivered again.
"""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_socket import enable_socket

from handlers import wiring
from local.aws import faults
from local.aws.knobs import HOME_REGION
from local.aws.server import LocalAws
from local.fixtures import seed
from local.fixtures.invocation import Moment, Watch, kill_invocation, run_invocation
from tests.functional.deployment import BUCKET, MEMBER_ACCOUNT, Deployment, Event, finding_of
from tests.functional.holders import create_holders

NAME = "old-web"
CERTIFICATE_ID = re.compile("ASCA[A-Z0-9]+")
DELETE = "iam.DeleteServerCertificate"

# Every operation that an invocation makes between parse and report.
OPERATIONS = (
    "sts.GetCallerIdentity",
    "securityhub.GetFindings",
    "sts.AssumeRole",
    "iam.ListServerCertificates",
    "iam.ListServerCertificateTags",
    "ec2.DescribeRegions",
    "elb.DescribeLoadBalancers",
    "elbv2.DescribeLoadBalancers",
    "elbv2.DescribeListeners",
    "elbv2.DescribeListenerCertificates",
    "cloudfront.ListDistributions",
    "appsync.ListDomainNames",
    "elasticbeanstalk.DescribeApplications",
    "elasticbeanstalk.DescribeEnvironments",
    "elasticbeanstalk.DescribeConfigurationSettings",
    "iam.GetServerCertificate",
    "s3.PutObject",
    DELETE,
    "securityhub.BatchUpdateFindings",
    "sns.Publish",
)
# What one makes that finds the certificate of its finding gone.
OPERATIONS_AFTER_A_DELETE = (
    "iam.ListServerCertificates",
    "s3.ListObjectsV2",
    "s3.GetObject",
    "securityhub.BatchUpdateFindings",
    "sns.Publish",
)

EndState = dict[str, Any]


@pytest.fixture(autouse=True)
def no_sockets() -> None:
    """Here there is a server, so this takes the place of the fixture that forbids sockets."""
    enable_socket()


@pytest.fixture(scope="module")
def server() -> Iterator[LocalAws]:
    """A local AWS whose member account has one of everything that can hold a certificate."""
    enable_socket()
    with LocalAws() as aws:

        def client(service: str, *, region: str = HOME_REGION, account_id: str = "") -> Any:
            return aws.client(service, region=region, account_id=MEMBER_ACCOUNT)

        later = datetime.now(UTC) + timedelta(days=900)
        everyday = seed.upload_certificate(client, "everyday", expires=later)
        create_holders(client, HOME_REGION, everyday)
        yield aws


@pytest.fixture
def deployment(server: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """The application in that AWS, which a test leaves as it found it."""
    server.knobs.enabled_regions = (HOME_REGION,)
    server.knobs.guard_certificates_in_use = False
    deployment = Deployment(server, monkeypatch)
    deployment.create()
    deployment.configure(MEMBER_ROLE_NAME="iam26-member")
    yield deployment
    deployment.messages()
    forget_archive(deployment)


def forget_archive(deployment: Deployment) -> None:
    for key in deployment.archive():
        deployment.aws.client("s3").delete_object(Bucket=BUCKET, Key=key)


def begin(deployment: Deployment) -> Event:
    """Return the event of a clean candidate in the member account."""
    certificate = deployment.upload(NAME, account_id=MEMBER_ACCOUNT)
    return deployment.report(certificate["Arn"], account_id=MEMBER_ACCOUNT, unique_id="1")


def kill(event: Event, operation: str, moment: Moment, *, receive_count: int = 1) -> Watch:
    """Kill an invocation at the first call of an operation, and return what was seen of it."""
    batch = seed.sqs_batch([event], receive_count=receive_count)
    return kill_invocation(batch, os.environ, operation, moment)


def count_deletes(*watches: Watch) -> int:
    """Return how many deletes took effect."""
    return sum(one.operation == DELETE and one.status == 200 for w in watches for one in w.answered)


def redeliver(deployment: Deployment, event: Event) -> int:
    """Deliver the message again, to its end, and return how many deletes that took."""
    wiring._wire_remediation.cache_clear()
    with faults.record_calls() as calls:
        assert deployment.handle_batch(event, receive_count=2) == []
    return len(calls.named("DeleteServerCertificate"))


def read_end_state(deployment: Deployment, event: Event) -> EndState:
    """Return what there is in the end, without times and ids that are never the same."""
    finding = deployment.finding(event)
    fields = dict(finding["UserDefinedFields"])
    fields.pop("iam26CheckedAt")
    fields.pop("iam26CertificateId")
    records = [
        (
            key.rpartition("/")[0],
            # Killed before it could write that IAM accepted, the record goes on saying deleting.
            record["state"] in {"deleting", "deleted"},
            record["findingIds"],
            {
                (one["source"], one["region"], one["state"], one["examined"])
                for one in record["evidence"]["coverage"]
            },
        )
        for key, record in deployment.archive().items()
    ]
    iam = deployment.aws.client("iam", account_id=MEMBER_ACCOUNT)
    held = iam.list_server_certificates()["ServerCertificateMetadataList"]
    return {
        "certificates": {one["ServerCertificateName"] for one in held},
        "status": finding["Workflow"]["Status"],
        "note": CERTIFICATE_ID.sub("<id>", finding["Note"]["Text"]),
        "fields": fields,
        "archive": records,
        # At least once: a message that got out twice is the same message.
        "told": {CERTIFICATE_ID.sub("<id>", one.text) for one in deployment.messages()},
    }


@pytest.fixture(scope="module")
def unkilled(server: LocalAws) -> tuple[EndState, Watch]:
    """The end state of an invocation that nobody kills, and what the server saw of it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        server.knobs.enabled_regions = (HOME_REGION,)
        deployment = Deployment(server, monkeypatch)
        deployment.create()
        deployment.configure(MEMBER_ROLE_NAME="iam26-member")
        event = begin(deployment)
        watch = run_invocation(seed.sqs_batch([event]), os.environ)
        state = read_end_state(deployment, event)
        forget_archive(deployment)
        return state, watch


def test_end_state_of_an_unkilled_invocation(unkilled: tuple[EndState, Watch]) -> None:
    """What all the killed ones are compared with is what should be."""
    state, watch = unkilled

    assert NAME not in state["certificates"]
    assert state["status"] == "RESOLVED"
    assert state["note"].startswith(f"Deleted: certificate {NAME} expired on ")
    assert state["fields"]["iam26Outcome"] == "deleted"
    assert state["fields"]["iam26Certificate"] == (
        f"arn:aws:iam::{MEMBER_ACCOUNT}:server-certificate/{NAME}"
    )
    assert [record[1] for record in state["archive"]] == [True]
    assert len(state["told"]) == 1
    assert count_deletes(watch) == 1


def test_every_operation_is_among_them(unkilled: tuple[EndState, Watch]) -> None:
    """Invocations are killed at exactly the operations that one makes."""
    _, watch = unkilled

    assert {one.operation for one in watch.answered} == set(OPERATIONS)


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed_at(
    unkilled: tuple[EndState, Watch], deployment: Deployment, operation: str, moment: Moment
) -> None:
    """Killed there and delivered again, it ends as if nothing had happened, with one delete."""
    event = begin(deployment)
    killed = kill(event, operation, moment)

    deletes = redeliver(deployment, event)

    assert read_end_state(deployment, event) == unkilled[0]
    assert count_deletes(killed) + deletes == 1


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("operation", OPERATIONS_AFTER_A_DELETE)
def test_killed_again_at(
    unkilled: tuple[EndState, Watch], deployment: Deployment, operation: str, moment: Moment
) -> None:
    """Killed right after the delete, and its redelivery killed too: the third one ends the same."""
    event = begin(deployment)
    first = kill(event, DELETE, Moment.AFTER)
    second = kill(event, operation, moment, receive_count=2)

    deletes = redeliver(deployment, event)

    assert read_end_state(deployment, event) == unkilled[0]
    assert count_deletes(first, second) == 1
    assert deletes == 0


def test_a_kill_stops_everything(deployment: Deployment) -> None:
    """What the invocation had not called when it was killed, it never calls."""
    event = begin(deployment)

    killed = kill(event, "iam.GetServerCertificate", Moment.BEFORE)

    called = {one.operation for one in killed.answered}
    assert "ec2.DescribeRegions" in called
    assert not called & {"iam.GetServerCertificate", "s3.PutObject", DELETE, "sns.Publish"}
    assert finding_of(event)["Workflow"]["Status"] == deployment.status(event) == "NEW"
    assert redeliver(deployment, event) == 1

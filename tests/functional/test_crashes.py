"""Crashes and races: whatever happens between two calls, each finding ends as it should."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ConnectionClosedError

from local.aws import faults
from local.aws.server import LocalAws
from local.fixtures import seed
from local.fixtures.invocation import Moment, kill_invocation
from tests.builders import MEMBER_ACCOUNT
from tests.functional.conftest import REGIONS
from tests.functional.deployment import Deployment, Event, finding_of
from tests.functional.holders import ATTACHMENTS

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

DELETE = "iam.DeleteServerCertificate"


@pytest.fixture(scope="module")
def server() -> Iterator[LocalAws]:
    """A local AWS that other processes reach."""
    with LocalAws() as aws, faults.skip_backoff():
        yield aws


@pytest.fixture
def aws(server: LocalAws) -> LocalAws:
    """That local AWS, empty, in the place of the one in this process."""
    server.reset()
    server.knobs.enabled_regions = REGIONS
    server.knobs.guard_certificates_in_use = False
    return server


def kill(*events: Event, moment: Moment = Moment.AFTER) -> None:
    """Kill an invocation at its first delete."""
    kill_invocation(seed.sqs_batch(events), os.environ, DELETE, moment)


@pytest.mark.parametrize("form", ["Arn", "ServerCertificateId", "ServerCertificateName"])
def test_archive_vouches_for_every_form_of_id(deployment: Deployment, form: str) -> None:
    """However the finding names its certificate, the archive knows who deleted it."""
    certificate = deployment.upload("old-web")
    event = deployment.report(certificate[form])
    kill(event)

    outcome = deployment.handle_one(event)

    assert (outcome["outcome"], outcome["certificate"]) == ("deleted", certificate["Arn"])


def test_evidence_is_the_original(deployment: Deployment) -> None:
    """The finding tells what was examined before the delete, not what there is to see now."""
    event = deployment.report(deployment.upload("old-web")["Arn"])
    kill(event)
    before = deployment.archive()
    deployment.configure(REGIONS="us-east-1")
    seed.create_classic_load_balancer(deployment.aws.client, "plain")

    with faults.record_calls() as calls:
        assert deployment.handle_batch(event, receive_count=2) == []

    assert "examined 0 resources of 5 kinds in 2 Regions" in str(deployment.note(event))
    assert deployment.archive() == before
    assert calls.named("DescribeRegions") == []
    assert calls.named("DeleteServerCertificate") == []


def test_killed_between_two_deletes(deployment: Deployment) -> None:
    """Of two certificates the first is vouched for, and the second proven anew."""
    events = [deployment.report(deployment.upload(name)["Arn"]) for name in ("one", "two")]
    kill(*events)
    assert len(deployment.certificates()) == 1

    assert deployment.handle_batch(*events, receive_count=2) == []

    assert deployment.certificates() == set()
    outcomes = [deployment.finding(one)["UserDefinedFields"]["iam26Outcome"] for one in events]
    assert outcomes == ["deleted", "deleted"]


def test_archive_of_another_account_vouches_for_nothing(deployment: Deployment) -> None:
    """A certificate of the same name that was deleted in another account is another one."""
    deployment.configure(MEMBER_ROLE_NAME="iam26-member")
    certificate = deployment.upload("web", account_id=MEMBER_ACCOUNT)
    deployment.handle(deployment.report(certificate["Arn"], account_id=MEMBER_ACCOUNT))
    own = deployment.upload("web")
    event = deployment.report(own["Arn"])
    deployment.aws.client("iam").delete_server_certificate(ServerCertificateName="web")

    assert deployment.handle_one(event)["outcome"] == "already-gone"


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (lambda aws, one: ATTACHMENTS["sni"](aws, "shop", "eu-west-1", one), "in-use"),
        (
            lambda aws, one: aws("iam").tag_server_certificate(
                ServerCertificateName=one["ServerCertificateName"],
                Tags=[{"Key": "iam26:keep", "Value": ""}],
            ),
            "exempt",
        ),
    ],
    ids=["attached", "exempted"],
)
def test_changed_after_the_kill(
    deployment: Deployment, change: Callable[..., object], outcome: str
) -> None:
    """An archive record does not license a delete: the redelivery proves everything anew."""
    certificate = deployment.upload("old-web")
    event = deployment.report(certificate["Arn"])
    kill(event, moment=Moment.BEFORE)
    change(deployment.aws.client, certificate)

    assert deployment.handle_batch(event, receive_count=2) == []

    assert "old-web" in deployment.certificates()
    assert deployment.finding(event)["UserDefinedFields"]["iam26Outcome"] == outcome


def test_lost_answer_of_the_delete(deployment: Deployment) -> None:
    """A delete whose answer is lost is repeated by the SDK, and still counts as ours."""
    event = deployment.report(deployment.upload("old-web")["Arn"])

    with faults.inject(
        operation="DeleteServerCertificate",
        fault=faults.ConnectionDropped(after_effect=True),
        times=1,
    ):
        outcome = deployment.handle_one(event)

    assert (outcome["outcome"], outcome["workflowStatus"]) == ("deleted", "RESOLVED")
    assert deployment.certificates() == set()
    assert [one["state"] for one in deployment.archive().values()] == ["deleting"]
    assert len(deployment.messages()) == 1


def test_name_taken_while_the_delete_is_unanswered(deployment: Deployment) -> None:
    """A delete whose answer is lost never hits the certificate that took the name, and is told."""
    event = deployment.report(deployment.upload("web")["Arn"])

    def renew() -> None:
        deployment.upload("web", days=300)
        raise ConnectionClosedError(endpoint_url="https://iam.amazonaws.com")

    lost = faults.inject(operation="DeleteServerCertificate", fault=faults.Then(renew), times=1)
    with lost, faults.record_calls() as calls:
        outcome = deployment.handle_one(event)

    assert outcome["outcome"] == "deleted"
    assert deployment.certificates() == {"web"}
    assert [one.attributes["outcome"] for one in deployment.messages()] == ["deleted"]
    assert len(calls.named("DeleteServerCertificate")) == 1


def test_kept_record_hides_older_ones(deployment: Deployment) -> None:
    """The newest record of a name decides: an older one is of a certificate before."""
    first = deployment.report(deployment.upload("web")["Arn"])
    deployment.handle(first)
    second = deployment.report(deployment.upload("web")["Arn"], standard="cis-3.0")
    with faults.inject(operation="DeleteServerCertificate", fault=faults.AccessDenied()):
        assert deployment.handle_one(second)["outcome"] == "unverified"
    deployment.aws.client("iam").delete_server_certificate(ServerCertificateName="web")

    assert deployment.handle_one(second)["outcome"] == "already-gone"


def test_id_that_was_renamed_on_the_way(deployment: Deployment) -> None:
    """A certificate that is named by its id is not gone because its name is."""
    certificate = deployment.upload("web")
    event = deployment.report(certificate["ServerCertificateId"])

    def rename() -> None:
        deployment.aws.client("iam").update_server_certificate(
            ServerCertificateName="web", NewServerCertificateName="old-web"
        )

    with faults.inject(operation="GetServerCertificate", fault=faults.Call(rename), times=1):
        assert deployment.handle_batch(event) == [0]

    assert deployment.status(event) == "NEW"
    assert deployment.handle_batch(event, receive_count=2) == []
    assert deployment.finding(event)["UserDefinedFields"]["iam26Outcome"] == "deleted"


def test_second_finding_after_the_delete(deployment: Deployment) -> None:
    """The finding of another standard that comes after the delete is told who deleted it."""
    certificate = deployment.upload("old-web")
    first = deployment.report(certificate["Arn"], standard="cis-3.0")
    second = deployment.report(certificate["Arn"], standard="cis-5.0")
    deployment.handle(first)

    assert deployment.handle_one(second)["outcome"] == "deleted"
    assert deployment.note(first) == deployment.note(second)
    assert deployment.status(second) == "RESOLVED"


def test_findings_from_before_and_after_the_delete(deployment: Deployment) -> None:
    """In one batch the archive vouches for the finding that is older than the delete alone."""
    certificate = deployment.upload("old-web")
    earlier = deployment.report(certificate["Arn"], standard="cis-3.0")
    kill(earlier)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    later = deployment.report(certificate["Arn"], standard="cis-5.0", created_at=tomorrow)

    assert deployment.handle_batch(earlier, later, receive_count=2) == []

    outcomes = [
        deployment.finding(one)["UserDefinedFields"]["iam26Outcome"] for one in (earlier, later)
    ]
    assert outcomes == ["deleted", "already-gone"]


def test_old_record_vouches_for_nothing(deployment: Deployment) -> None:
    """A record from before the finding is about an earlier certificate of that name."""
    certificate = deployment.upload("old-web")
    deployment.handle(deployment.report(certificate["Arn"]))
    later = deployment.report(certificate["Arn"], CreatedAt="2099-01-01T00:00:00.000Z")

    assert deployment.handle_one(later)["outcome"] == "already-gone"


def test_kept_record_vouches_for_nothing(deployment: Deployment) -> None:
    """A certificate that was kept and then deleted by somebody else is already gone."""
    certificate = deployment.upload("old-web")
    event = deployment.report(certificate["Arn"])
    denied = faults.inject(operation="DeleteServerCertificate", fault=faults.AccessDenied())
    with denied:
        assert deployment.handle_one(event)["outcome"] == "unverified"
    [record] = deployment.archive().values()
    assert record["state"] == "kept"
    deployment.aws.client("iam").delete_server_certificate(ServerCertificateName="old-web")

    assert deployment.handle_one(event)["outcome"] == "already-gone"


@pytest.mark.parametrize(
    ("days", "outcome"), [(90, "not-expired"), (-400, "unverified")], ids=["renewed", "replaced"]
)
def test_replaced_under_its_name(deployment: Deployment, days: int, outcome: str) -> None:
    """A certificate that took the name since the lookup stays, valid or not."""
    iam = deployment.aws.client("iam")
    event = deployment.report(deployment.upload("old-web")["Arn"])

    def replace() -> None:
        iam.delete_server_certificate(ServerCertificateName="old-web")
        deployment.upload("old-web", days=days)

    with faults.inject(operation="GetServerCertificate", fault=faults.Call(replace)):
        assert deployment.handle_one(event)["outcome"] == outcome

    assert deployment.certificates() == {"old-web"}
    assert deployment.archive() == {}


def test_exempted_in_the_last_moment(deployment: Deployment) -> None:
    """A tag that appears between the tags read and the delete keeps the certificate."""
    event = deployment.report(deployment.upload("old-web")["Arn"])
    tag = faults.Call(
        lambda: deployment.aws.client("iam").tag_server_certificate(
            ServerCertificateName="old-web", Tags=[{"Key": "iam26:keep", "Value": ""}]
        )
    )

    with faults.inject(operation="GetServerCertificate", fault=tag):
        assert deployment.handle_one(event)["outcome"] == "exempt"

    assert deployment.certificates() == {"old-web"}


@pytest.mark.parametrize(
    "operation", ["ListServerCertificateTags", "GetServerCertificate", "DeleteServerCertificate"]
)
def test_another_invocation_is_faster(deployment: Deployment, operation: str) -> None:
    """Two invocations that race for one certificate both tell that it was deleted."""
    event = deployment.report(deployment.upload("old-web")["Arn"])
    twin = deployment.report(finding_of(event)["Resources"][0]["Id"], standard="cis-5.0")
    race = faults.Call(lambda: deployment.handle(twin))

    with faults.inject(operation=operation, fault=race, times=1):
        outcome = deployment.handle_one(event)

    assert outcome["outcome"] == "deleted"
    assert (deployment.status(event), deployment.status(twin)) == ("RESOLVED", "RESOLVED")

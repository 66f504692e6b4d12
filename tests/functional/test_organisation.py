"""A whole organisation: many accounts, races, warm functions, and too little time."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from botocore.awsrequest import AWSResponse

from handlers.remediation import batch
from local.aws import faults
from local.aws.knobs import OWN_ACCOUNT, Unprocessed
from local.aws.wire import ApiCall, Proceed
from local.organisation import organisation
from local.organisation.prediction import OUTCOMES, Kind
from models.outcome import Outcome
from tests.functional.deployment import MEMBER_ACCOUNT, Deployment, Event, finding_of
from tests.functional.holders import attach_to_classic

ROLE = "iam26-member"


def account_of(number: int) -> str:
    return f"{500_000_000_000 + number}"


def report_in(deployment: Deployment, account_id: str, name: str = "old-web") -> Event:
    """Return the event of a clean candidate in an account."""
    certificate = deployment.upload(name, account_id=account_id)
    return deployment.report(certificate["Arn"], account_id=account_id)


def holds(deployment: Deployment, account_id: str, name: str = "old-web") -> bool:
    iam = deployment.aws.client("iam", account_id=account_id)
    held = iam.list_server_certificates()["ServerCertificateMetadataList"]
    return any(one["ServerCertificateName"] == name for one in held)


def outcome_of(deployment: Deployment, event: Event) -> str | None:
    fields: dict[str, str] = deployment.finding(event).get("UserDefinedFields", {})
    return fields.get("iam26Outcome")


@pytest.fixture(scope="module")
def result() -> organisation.Result:
    """What came of twenty accounts with a hundred findings."""
    return organisation.play(accounts=20)


class TestEverything:
    """The organisation of `make organisation`, with fewer accounts."""

    def test_all_is_as_it_should_be(self, result: organisation.Result) -> None:
        """Every finding and certificate is, each deleted once, with the calls predicted."""
        assert result.surprises == []
        assert result.made.total() > 500

    def test_everything_happened(self, result: organisation.Result) -> None:
        """Every outcome that the organisation has a reason for came about."""
        expected = {*map(OUTCOMES.__getitem__, Kind), Outcome.UNVERIFIED}
        assert result.outcomes.keys() == expected
        assert result.outcomes.total() == 100

    def test_more_was_delivered_than_there_was(self, result: organisation.Result) -> None:
        """There were duplicates and redeliveries, and still each certificate was deleted once."""
        assert result.deliveries > 20 + 60
        deletes = result.made["iam.DeleteServerCertificate"]
        assert 2 * deletes == result.made["s3.PutObject"]
        assert deletes < result.outcomes[Outcome.DELETED]

    def test_a_surprise_is_noticed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A function that calls more than it must, and keeps what it should not, is found out."""
        monkeypatch.setattr("handlers.aws.findings.IDS_PER_READ", 1)
        monkeypatch.setattr("models.certificate.ServerCertificate.is_expired", lambda *_: False)

        surprises = organisation.play(accounts=1).surprises

        assert any(one.startswith("calls of securityhub.GetFindings") for one in surprises)
        assert any(one.startswith("outcome of ") for one in surprises)
        assert any(one.startswith("certificates of ") for one in surprises)


class TestMembers:
    """Accounts that are worked on through the member role."""

    @pytest.fixture(autouse=True)
    def member_role(self, deployment: Deployment) -> None:
        """Set the name of the member role."""
        deployment.configure(MEMBER_ROLE_NAME=ROLE)

    def test_role_and_session(self, deployment: Deployment) -> None:
        """The role is assumed by its name, with a session that an auditor recognises."""
        with faults.record_calls() as calls:
            deployment.handle(report_in(deployment, MEMBER_ACCOUNT))

        [assumed] = calls.named("AssumeRole")
        assert assumed.params["RoleArn"] == f"arn:aws:iam::{MEMBER_ACCOUNT}:role/{ROLE}"
        assert assumed.params["RoleSessionName"] == "iam26-remediation"

    def test_whose_credentials(self, deployment: Deployment) -> None:
        """The member's own are used in its account, the administrator's for everything else."""
        event = report_in(deployment, MEMBER_ACCOUNT)

        with faults.record_calls() as calls:
            deployment.handle(event)

        ours = {call.service for call in calls if call.account == OWN_ACCOUNT}
        theirs = {call.service for call in calls if call.account == MEMBER_ACCOUNT}
        assert ours == {"sts", "securityhub", "s3", "sns"}
        assert not ours & theirs
        assert "iam" in theirs

    def test_credentials_are_kept(self, deployment: Deployment) -> None:
        """A warm function enters an account once for as long as its credentials last."""
        with faults.record_calls() as calls:
            for number in range(3):
                event = report_in(deployment, MEMBER_ACCOUNT, f"old-{number}")
                assert deployment.handle_one(event)["outcome"] == "deleted"

        assert len(calls.named("AssumeRole")) == 1

    @pytest.mark.parametrize(("minutes_left", "renewals"), [(16, 0), (14, 1)])
    def test_credentials_are_renewed(
        self, deployment: Deployment, minutes_left: int, renewals: int
    ) -> None:
        """They are renewed when less is left of them than the longest invocation takes."""
        deployment.handle(report_in(deployment, MEMBER_ACCOUNT, "first"))
        event = report_in(deployment, MEMBER_ACCOUNT, "second")
        later = datetime.now(UTC) + timedelta(minutes=60 - minutes_left)

        with time_machine.travel(later, tick=True), faults.record_calls() as calls:
            assert deployment.handle_one(event)["outcome"] == "deleted"

        assert len(calls.named("AssumeRole")) == renewals

    @pytest.mark.parametrize("fault", [faults.AccessDenied(), faults.DeniedByScp()])
    def test_missing_role_stops_no_other_account(
        self, deployment: Deployment, fault: faults.Fault
    ) -> None:
        """That account's findings are unverified and say what to deploy; the others are done."""
        events = [report_in(deployment, account_of(number)) for number in range(3)]
        missing = account_of(1)

        with faults.inject(
            operation="AssumeRole",
            fault=fault,
            when=lambda params: missing in params["RoleArn"],
        ):
            assert deployment.handle_batch(*events) == []

        outcomes = [outcome_of(deployment, event) for event in events]
        assert outcomes == ["deleted", "unverified", "deleted"]
        assert holds(deployment, missing)
        assert "deploy/member-role.yaml" in str(deployment.note(events[1]))

    def test_role_that_came_later(self, deployment: Deployment) -> None:
        """A refusal is not remembered: once the role is there, the account is worked on."""
        event = report_in(deployment, MEMBER_ACCOUNT)
        with faults.inject(operation="AssumeRole", fault=faults.AccessDenied()):
            deployment.handle(event)

        assert deployment.handle_one(event)["outcome"] == "deleted"

    def test_an_account_that_is_throttled_stops_no_other(self, deployment: Deployment) -> None:
        """Its messages alone are redelivered, and nothing of it was touched."""
        events = [report_in(deployment, account_of(number)) for number in range(6)]

        with faults.inject(
            service="elb", account=account_of(4), region="eu-west-1", fault=faults.Throttled()
        ):
            assert deployment.handle_batch(*events) == [4]

        assert [deployment.status(one) for one in events].count("RESOLVED") == 5
        assert holds(deployment, account_of(4))
        assert deployment.handle_batch(events[4], receive_count=2) == []
        assert outcome_of(deployment, events[4]) == "deleted"


class OneAtATime:
    """A fault that is none: calls take effect one after the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __call__(self, call: ApiCall, proceed: Proceed) -> AWSResponse:
        """Answer as AWS does, one call at a time."""
        with self._lock:
            return proceed()


class TestRaces:
    """Two at once, and a world that moves."""

    @pytest.fixture(autouse=True)
    def careful_archive(self, deployment: Deployment) -> Iterator[None]:
        """S3 takes two writes of one object at once; moto closes one under the other's hands."""
        with faults.inject(service="s3", fault=OneAtATime()):
            yield

    def test_two_invocations_at_once(self, deployment: Deployment) -> None:
        """Both come to their delete at the same time: one deletes, both tell that we did."""
        certificate = deployment.upload("old-web")
        events = [
            deployment.report(certificate["Arn"], standard=standard)
            for standard in ("cis-3.0", "cis-5.0")
        ]
        together = threading.Barrier(2, timeout=30)
        meet = faults.Call(together.wait)

        with (
            faults.inject(operation="DeleteServerCertificate", fault=meet, times=2) as deletes,
            ThreadPoolExecutor(2) as pool,
        ):
            outcomes = list(pool.map(deployment.handle_one, events))

        assert deletes.hits == 2
        assert [one["outcome"] for one in outcomes] == ["deleted", "deleted"]
        assert [deployment.status(one) for one in events] == ["RESOLVED", "RESOLVED"]
        assert deployment.certificates() == set()
        assert [one["state"] for one in deployment.archive().values()] == ["deleted"]

    def test_the_same_message_twice_at_once(self, deployment: Deployment) -> None:
        """SQS may hand a message to two invocations; the finding ends the same."""
        event = deployment.report(deployment.upload("old-web")["Arn"])
        together = threading.Barrier(2, timeout=30)

        with (
            faults.inject(
                operation="GetServerCertificate", fault=faults.Call(together.wait), times=2
            ),
            ThreadPoolExecutor(2) as pool,
        ):
            answers = list(pool.map(lambda _: deployment.handle_batch(event), range(2)))

        assert answers == [[], []]
        assert (deployment.status(event), outcome_of(deployment, event)) == ("RESOLVED", "deleted")
        assert {one.attributes["outcome"] for one in deployment.messages()} == {"deleted"}

    def test_finding_updated_by_someone_else(self, deployment: Deployment) -> None:
        """Someone writes on the finding at the same moment: ours comes after theirs."""
        event = deployment.report(deployment.upload("old-web")["Arn"])
        finding_id = finding_of(event)["Id"]
        deployment.aws.knobs.unprocessed_findings[finding_id] = Unprocessed(
            "ConcurrentUpdateError", times=2
        )

        with faults.record_calls() as calls:
            assert deployment.handle_one(event)["workflowStatus"] == "RESOLVED"

        assert len(calls.named("BatchUpdateFindings")) == 3
        assert deployment.status(event) == "RESOLVED"

    def test_finding_that_someone_else_keeps_updating(self, deployment: Deployment) -> None:
        """Where ours does not get through, people are told all the same, and it is retried."""
        event = deployment.report(deployment.upload("old-web")["Arn"])
        finding_id = finding_of(event)["Id"]
        deployment.aws.knobs.unprocessed_findings[finding_id] = Unprocessed(
            "ConcurrentUpdateError", times=4
        )

        assert deployment.handle_batch(event) == [0]
        assert deployment.certificates() == set()
        assert [one.attributes["outcome"] for one in deployment.messages()] == ["deleted"]
        assert deployment.handle_batch(event, receive_count=2) == []

        assert (deployment.status(event), outcome_of(deployment, event)) == ("RESOLVED", "deleted")

    @pytest.mark.parametrize(
        "operation",
        ["ListServerCertificateTags", "DescribeRegions", "ListDistributions"],
    )
    def test_renewed_in_the_middle(self, deployment: Deployment, operation: str) -> None:
        """Whenever a certificate is renewed under its name, the new one stays."""
        iam = deployment.aws.client("iam")
        event = deployment.report(deployment.upload("old-web")["Arn"])

        def renew() -> None:
            iam.delete_server_certificate(ServerCertificateName="old-web")
            deployment.upload("old-web", days=300)

        with faults.inject(operation=operation, fault=faults.Call(renew), times=1):
            assert deployment.handle_one(event)["outcome"] == "not-expired"

        assert deployment.certificates() == {"old-web"}
        assert deployment.archive() == {}
        assert deployment.status(event) == "NOTIFIED"

    def test_attached_between_two_invocations(self, deployment: Deployment) -> None:
        """A scan never serves another invocation."""
        first = deployment.report(deployment.upload("one")["Arn"])
        certificate = deployment.upload("two")
        second = deployment.report(certificate["Arn"])
        deployment.handle(first)
        attach_to_classic(deployment.aws.client, "shop", "eu-west-1", certificate)

        assert deployment.handle_one(second)["outcome"] == "in-use"


class TestDeadline:
    """Too many accounts for the time of one invocation."""

    @pytest.fixture(autouse=True)
    def member_role(self, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
        """Set the name of the member role, and let one account be worked on at a time."""
        deployment.configure(MEMBER_ROLE_NAME=ROLE)
        monkeypatch.setattr(batch, "ACCOUNTS_AT_ONCE", 1)

    def test_what_cannot_be_finished_goes_back_whole(self, deployment: Deployment) -> None:
        """The first account is finished; the others are redelivered, with nothing of them begun."""
        events = [report_in(deployment, account_of(number)) for number in range(4)]
        slow = faults.inject(operation="DeleteServerCertificate", fault=faults.Slow(6.2))

        # Ten seconds of these are the report's.
        with slow as deletes, faults.record_calls() as calls:
            given_back = deployment.handle_batch(*events, milliseconds_left=16_000)

        assert given_back == [1, 2, 3]
        assert deletes.hits == 1
        assert {call.account for call in calls} == {OWN_ACCOUNT, account_of(0)}
        assert [deployment.status(one) for one in events] == ["RESOLVED", "NEW", "NEW", "NEW"]
        assert len(deployment.archive()) == 1

    def test_all_are_done_in_the_end(self, deployment: Deployment) -> None:
        """However little an invocation finishes, the receives of a message suffice."""
        events = [report_in(deployment, account_of(number)) for number in range(3)]
        left = list(events)
        with faults.inject(operation="ListDistributions", fault=faults.Slow(1.8)):
            for receive in range(1, 6):
                given_back = deployment.handle_batch(
                    *left, receive_count=receive, milliseconds_left=13_500
                )
                left = [left[number] for number in given_back]
                if not left:
                    break

        assert left == []
        assert [outcome_of(deployment, event) for event in events] == ["deleted"] * 3
        assert len(deployment.messages()) == 3

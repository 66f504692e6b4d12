"""The sweep: what is still open is retried, what is not ours or not open stays where it is."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from handlers import sweep
from handlers.remediate import handler as remediate
from handlers.remediation.sweep import Swept
from local.aws import faults
from local.aws.knobs import OWN_ACCOUNT
from local.fixtures.context import Context
from local.fixtures.mapping import EventSourceMapping, Message
from models.errors import AwsCallError, SettingsError, TransientError
from tests.builders import MEMBER_ACCOUNT
from tests.functional.deployment import Deployment, Event, arn_of, finding_of
from tests.functional.holders import attach_to_classic
from tests.functional.page_size import small_pages

OURS = {"iam26Outcome": "in-use", "iam26References": "somewhere"}
CHECKED = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
CLOSED = {
    "workflow_status": "RESOLVED",
    "UserDefinedFields": {
        "iam26Outcome": "already-gone",
        "iam26CheckedAt": f"{CHECKED:%Y-%m-%dT%H:%M:%SZ}",
    },
}
DAY_AFTER = {"UpdatedAt": (CHECKED + timedelta(hours=27)).isoformat()}
LOOK_ALIKE = f"arn:aws:securityhub:us-east-1:{OWN_ACCOUNT}:product/{OWN_ACCOUNT}/default"


@pytest.fixture
def queue(deployment: Deployment) -> EventSourceMapping:
    """The queue that the sweep sends to, with the remediation behind it."""
    sqs = deployment.aws.client("sqs")
    url = sqs.create_queue(QueueName="iam26", Attributes={"VisibilityTimeout": "3600"})["QueueUrl"]
    deployment.configure(QUEUE_URL=url)
    return EventSourceMapping(sqs, url, remediate, batch_size=20)


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between pages, which are not waited for."""
    waited: list[float] = []
    monkeypatch.setattr("handlers.aws.findings.Findings.__init__.__defaults__", (waited.append,))
    return waited


def run_sweep() -> Swept:
    return sweep.handler({"source": "aws.events", "detail-type": "Scheduled Event"}, Context())


def read_bodies(messages: list[Message]) -> list[Event]:
    return [json.loads(one["Body"]) for one in messages]


def sweep_and_work(queue: EventSourceMapping) -> None:
    """Sweep, and let the remediation work on all that this put on the queue."""
    run_sweep()
    assert queue.drain() <= 1


def read_outcomes(deployment: Deployment) -> list[str]:
    """Return the outcomes that people were notified of since this was last asked."""
    outcomes = (one.attributes["outcome"] for one in deployment.messages())
    return [one for one in outcomes if one != "digest"]


def find_outcome(deployment: Deployment, event: Event) -> str:
    return str(deployment.finding(event)["UserDefinedFields"]["iam26Outcome"])


# What there may be in Security Hub, and whether the sweep takes it.
FINDINGS: dict[str, tuple[dict[str, Any], bool]] = {
    "new": ({}, True),
    "told by us": ({"workflow_status": "NOTIFIED", "UserDefinedFields": OURS}, True),
    "of CIS v3.0.0": ({"standard": "cis-3.0"}, True),
    "NOTIFIED by a person": ({"workflow_status": "NOTIFIED"}, False),
    "NOTIFIED by a ticket system": (
        {"workflow_status": "NOTIFIED", "UserDefinedFields": {"ticket": "SEC-1"}},
        False,
    ),
    "suppressed": ({"workflow_status": "SUPPRESSED"}, False),
    "suppressed after our note": (
        {"workflow_status": "SUPPRESSED", "UserDefinedFields": OURS},
        False,
    ),
    "resolved": ({"workflow_status": "RESOLVED"}, False),
    "resolved by a person after our note": (
        {"workflow_status": "RESOLVED", "UserDefinedFields": OURS} | DAY_AFTER,
        False,
    ),
    "closed by us": (CLOSED | {"UpdatedAt": (CHECKED + timedelta(hours=25)).isoformat()}, False),
    "closed by us and still there": (CLOSED | DAY_AFTER, True),
    "closed by us, still there and suppressed": (
        CLOSED | DAY_AFTER | {"workflow_status": "SUPPRESSED"},
        False,
    ),
    "archived": ({"record_state": "ARCHIVED"}, False),
    "passed": ({"compliance_status": "PASSED"}, False),
    "of another control": (
        {"Compliance": {"Status": "FAILED", "SecurityControlId": "IAM.3"}},
        False,
    ),
    "a look-alike": ({"ProductArn": LOOK_ALIKE}, False),
    "of another account": ({"account_id": MEMBER_ACCOUNT}, False),
}


class TestChoice:
    """Which findings are swept."""

    @pytest.mark.parametrize("kind", FINDINGS)
    def test_takes_what_is_open_and_ours(
        self, deployment: Deployment, queue: EventSourceMapping, kind: str
    ) -> None:
        """What is new, ours, or closed and still there; never what somebody else decided."""
        more, is_swept = FINDINGS[kind]
        event = deployment.report(arn_of("web"), **more)

        counts = run_sweep()

        bodies = read_bodies(queue.receive())
        swept = [one["Id"] for body in bodies for one in body["detail"]["findings"]]
        assert swept == ([finding_of(event)["Id"]] if is_swept else [])
        assert counts == {"accounts": is_swept, "findings": is_swept, "messages": is_swept}

    def test_nothing_open(self, deployment: Deployment, queue: EventSourceMapping) -> None:
        """Where nothing is open, nothing is sent."""
        assert run_sweep() == {"accounts": 0, "findings": 0, "messages": 0}
        assert queue.receive() == []

    def test_other_accounts_need_the_member_role(
        self, deployment: Deployment, queue: EventSourceMapping
    ) -> None:
        """Findings of other accounts are swept once there is a role to work there with."""
        deployment.report(arn_of("a", account_id=MEMBER_ACCOUNT), account_id=MEMBER_ACCOUNT)
        deployment.report(arn_of("b"))
        with faults.record_calls() as calls:
            assert run_sweep()["accounts"] == 1
        [search] = calls.named("GetFindings")
        assert "AwsAccountId" in search.params["Filters"]
        deployment.configure(MEMBER_ROLE_NAME="iam26-member")

        assert run_sweep()["accounts"] == 2


class TestMessages:
    """What is put on the queue."""

    def test_one_an_account(self, deployment: Deployment, queue: EventSourceMapping) -> None:
        """All findings of an account come in one message, so that one scan serves them."""
        deployment.configure(MEMBER_ROLE_NAME="iam26-member")
        for account_id, count in ((OWN_ACCOUNT, 3), (MEMBER_ACCOUNT, 2)):
            for number in range(count):
                arn = arn_of(f"web-{number}", account_id=account_id)
                deployment.report(arn, account_id=account_id)

        assert run_sweep() == {"accounts": 2, "findings": 5, "messages": 2}

        bodies = read_bodies(queue.receive())
        accounts = [{one["AwsAccountId"] for one in body["detail"]["findings"]} for body in bodies]
        assert accounts == [{OWN_ACCOUNT}, {MEMBER_ACCOUNT}]
        assert [len(body["detail"]["findings"]) for body in bodies] == [3, 2]

    def test_envelope(self, deployment: Deployment, queue: EventSourceMapping) -> None:
        """A message looks like an EventBridge event of this application, from this account."""
        before = datetime.now(UTC).replace(microsecond=0)
        deployment.report(arn_of("web"))

        run_sweep()

        [body] = read_bodies(queue.receive())
        assert body["source"] == "iam26-remediation"
        assert body["detail-type"] == "IAM.26 Sweep"
        assert (body["account"], body["region"]) == (OWN_ACCOUNT, "us-east-1")
        assert before <= datetime.fromisoformat(body["time"]) <= datetime.now(UTC)

    def test_split_below_the_size_limit(
        self, deployment: Deployment, queue: EventSourceMapping
    ) -> None:
        """What is too much for one message comes in several, and nothing is left out."""
        long = {f"field-{number:02}": "é" * 1000 for number in range(40)}
        events = [
            deployment.report(f"AWS::IAM::ServerCertificate:web-{number}", UserDefinedFields=long)
            for number in range(7)
        ]

        counts = run_sweep()

        messages = queue.receive()
        assert counts == {"accounts": 1, "findings": 7, "messages": len(messages)}
        assert len(messages) == 3
        assert all(len(one["Body"].encode()) <= 256 * 1024 for one in messages)
        swept = [one["Id"] for body in read_bodies(messages) for one in body["detail"]["findings"]]
        assert sorted(swept) == sorted(finding_of(event)["Id"] for event in events)

    def test_reads_to_the_last_page(
        self, deployment: Deployment, queue: EventSourceMapping, waits: list[float]
    ) -> None:
        """Every page is read, and between two pages the sweep waits."""
        for number in range(5):
            deployment.report(arn_of(f"web-{number}"))

        with small_pages(2), faults.record_calls() as calls:
            assert run_sweep()["findings"] == 5

        assert len(calls.named("GetFindings")) == 3
        assert len(waits) == 2
        # GetFindings allows 3 calls a second to all who use it.
        assert all(1 / wait < 3 for wait in waits)

    def test_asks_for_full_pages(self, deployment: Deployment, queue: EventSourceMapping) -> None:
        """A page has as many findings as Security Hub gives, and an only page no wait."""
        deployment.report(arn_of("web"))

        with faults.record_calls() as calls:
            run_sweep()

        assert [one.params["MaxResults"] for one in calls.named("GetFindings")] == [100]


class TestAgain:
    """What the remediation makes of swept findings."""

    def test_was_there_before_the_deployment(
        self, deployment: Deployment, queue: EventSourceMapping
    ) -> None:
        """A finding whose event nobody heard is worked on all the same."""
        event = deployment.report(deployment.upload("old-web")["Arn"])

        sweep_and_work(queue)

        assert deployment.certificates() == set()
        assert (deployment.status(event), find_outcome(deployment, event)) == (
            "RESOLVED",
            "deleted",
        )
        assert run_sweep()["findings"] == 0

    def test_unchanged_writes_nothing_and_tells_nobody(
        self, deployment: Deployment, queue: EventSourceMapping
    ) -> None:
        """As long as nothing changes, a sweep costs reads alone."""
        certificate = deployment.upload("old-web")
        attach_to_classic(deployment.aws.client, "shop", "us-east-1", certificate)
        event = deployment.report(certificate["Arn"])
        sweep_and_work(queue)
        before = deployment.finding(event)
        assert before["UserDefinedFields"]["iam26Outcome"] == "in-use"
        assert read_outcomes(deployment) == ["in-use"]

        with faults.record_calls() as calls:
            sweep_and_work(queue)

        assert deployment.finding(event) == before
        assert read_outcomes(deployment) == []
        assert not {"BatchUpdateFindings", "PutObject"} & {call.operation for call in calls}

    def test_no_longer_in_use(self, deployment: Deployment, queue: EventSourceMapping) -> None:
        """Once the load balancer is gone, the next sweep deletes the certificate and says so."""
        certificate = deployment.upload("old-web")
        attach_to_classic(deployment.aws.client, "shop", "us-east-1", certificate)
        event = deployment.report(certificate["Arn"])
        sweep_and_work(queue)
        deployment.messages()
        deployment.aws.client("elb").delete_load_balancer(LoadBalancerName="shop")

        sweep_and_work(queue)

        assert deployment.certificates() == set()
        assert deployment.status(event) == "RESOLVED"
        assert read_outcomes(deployment) == ["deleted"]

    def test_enforced_after_a_dry_run(
        self, deployment: Deployment, queue: EventSourceMapping
    ) -> None:
        """What would have been deleted is, by the first sweep after MODE became Enforce."""
        deployment.configure(MODE="DryRun")
        event = deployment.report(deployment.upload("old-web")["Arn"])
        sweep_and_work(queue)
        sweep_and_work(queue)
        assert read_outcomes(deployment) == ["would-delete"]
        deployment.configure(MODE="Enforce")

        sweep_and_work(queue)

        assert deployment.certificates() == set()
        assert find_outcome(deployment, event) == "deleted"
        assert read_outcomes(deployment) == ["deleted"]

    def test_grace_period_is_over(self, deployment: Deployment, queue: EventSourceMapping) -> None:
        """A certificate in grace is kept by each sweep, until the first one after the grace."""
        deployment.configure(GRACE_PERIOD_DAYS="30")
        event = deployment.report(deployment.upload("old-web", days=-20)["Arn"])
        sweep_and_work(queue)
        assert find_outcome(deployment, event) == "in-grace-period"

        with time_machine.travel(datetime.now(UTC) + timedelta(days=9), tick=True):
            sweep_and_work(queue)
            assert deployment.certificates() == {"old-web"}
        with time_machine.travel(datetime.now(UTC) + timedelta(days=11), tick=True):
            sweep_and_work(queue)

        assert deployment.certificates() == set()
        assert find_outcome(deployment, event) == "deleted"

    def test_someone_set_it_back_to_new(
        self, deployment: Deployment, queue: EventSourceMapping
    ) -> None:
        """The status is written again, and nobody is told what they know."""
        certificate = deployment.upload("old-web")
        attach_to_classic(deployment.aws.client, "shop", "us-east-1", certificate)
        event = deployment.report(certificate["Arn"])
        sweep_and_work(queue)
        deployment.messages()
        told = deployment.finding(event)
        deployment.import_findings([told | {"Workflow": {"Status": "NEW"}}])

        sweep_and_work(queue)

        assert deployment.status(event) == "NOTIFIED"
        assert deployment.note(event) == told["Note"]["Text"]
        assert read_outcomes(deployment) == []

    def test_another_load_balancer(self, deployment: Deployment, queue: EventSourceMapping) -> None:
        """The same outcome with other referrers is news."""
        certificate = deployment.upload("old-web")
        attach_to_classic(deployment.aws.client, "shop", "us-east-1", certificate)
        event = deployment.report(certificate["Arn"])
        sweep_and_work(queue)
        attach_to_classic(deployment.aws.client, "till", "eu-west-1", certificate)
        deployment.messages()

        sweep_and_work(queue)

        assert "till:443" in str(deployment.note(event))
        assert read_outcomes(deployment) == ["in-use"]

    def test_a_whole_account_shares_a_scan(
        self, deployment: Deployment, queue: EventSourceMapping
    ) -> None:
        """However many findings of an account are open, they cost one look at the account."""
        for number in range(12):
            deployment.report(deployment.upload(f"old-{number}")["Arn"])

        with faults.record_calls() as calls:
            sweep_and_work(queue)

        assert len(calls.named("DescribeRegions")) == 1
        assert deployment.certificates() == set()

    def test_closed_by_mistake(self, deployment: Deployment, queue: EventSourceMapping) -> None:
        """A finding that we closed although it is true is worked on once it was evaluated again."""
        certificate = deployment.upload("old-web")
        event = deployment.report(certificate["Arn"], **CLOSED, UpdatedAt=CHECKED.isoformat())
        run_sweep()
        assert queue.drain() == 0
        deployment.edit_finding(event, **DAY_AFTER)

        sweep_and_work(queue)

        assert deployment.certificates() == set()
        assert find_outcome(deployment, event) == "deleted"
        assert read_outcomes(deployment) == ["deleted"]

    def test_accepted_after_it_was_swept(
        self, deployment: Deployment, queue: EventSourceMapping
    ) -> None:
        """The message may be old: a finding that was suppressed meanwhile is left alone."""
        event = deployment.report(deployment.upload("old-web")["Arn"])
        run_sweep()
        deployment.edit_finding(event, Workflow={"Status": "SUPPRESSED"})

        queue.drain()

        assert deployment.certificates() == {"old-web"}
        assert deployment.status(event) == "SUPPRESSED"


class TestDigest:
    """What a sweep tells of all accounts."""

    def test_from_sweep_to_sweep(self, deployment: Deployment, queue: EventSourceMapping) -> None:
        """It tells what is to be done, then what came of it, and in the end nothing."""
        attach_to_classic(
            deployment.aws.client, "shop", "us-east-1", busy := deployment.upload("busy")
        )
        deployment.report(busy["Arn"])
        old = deployment.report(deployment.upload("old-web")["Arn"])
        run_sweep()
        [first] = deployment.messages()
        queue.drain()
        deployment.messages()

        run_sweep()

        [second] = deployment.messages()
        assert first.subject == "IAM.26: 2 to be examined"
        assert second.subject == "IAM.26: 1 deleted, 1 in use"
        assert second.attributes == {"outcome": "digest", "accountId": OWN_ACCOUNT}
        assert (
            f"Account {OWN_ACCOUNT} (1):\n- {finding_of(old)['Resources'][0]['Id']}" in second.text
        )
        assert "shop:443" in second.text
        queue.drain()
        deployment.aws.client("elb").delete_load_balancer(LoadBalancerName="shop")
        with time_machine.travel(datetime.now(UTC) + timedelta(days=2), tick=True):
            run_sweep()
            [third] = deployment.messages()
        assert third.subject == "IAM.26: 1 in use"

    def test_costs_one_call(self, deployment: Deployment, queue: EventSourceMapping) -> None:
        """It is made of what the sweep read anyway."""
        for number in range(3):
            deployment.report(arn_of(f"web-{number}"))

        with faults.record_calls() as calls:
            run_sweep()

        assert len(calls.named("GetFindings")) == 1
        assert len(calls.named("Publish")) == 1

    def test_nothing_to_tell(self, deployment: Deployment, queue: EventSourceMapping) -> None:
        """Where nothing fails, nobody is told so each day."""
        deployment.report(arn_of("web"), compliance_status="PASSED")

        run_sweep()

        assert deployment.messages() == []

    def test_no_topic(self, deployment: Deployment, queue: EventSourceMapping) -> None:
        """Without a topic the sweep works all the same."""
        deployment.report(arn_of("web"))
        deployment.configure(TOPIC_ARN="")

        assert run_sweep()["messages"] == 1


class TestRefusal:
    """A person approves each finding, and a person starts the sweep all the same."""

    def test_refuses(self, deployment: Deployment, queue: EventSourceMapping) -> None:
        """It calls nothing, sends nothing, and says why."""
        deployment.report(deployment.upload("old-web")["Arn"])
        deployment.configure(AUTO_REMEDIATION="Disabled")

        with faults.record_calls() as calls:
            swept = run_sweep()

        assert "AUTO_REMEDIATION is Disabled" in swept["refused"]
        assert (swept["accounts"], swept["findings"], swept["messages"]) == (0, 0, 0)
        assert calls == []
        assert queue.receive() == []
        assert deployment.certificates() == {"old-web"}


FAULTS: dict[str, tuple[faults.Fault, type[Exception]]] = {
    "throttled": (faults.Throttled(), TransientError),
    "500": (faults.InternalFailure(), TransientError),
    "dropped": (faults.ConnectionDropped(), TransientError),
    "denied": (faults.AccessDenied(), AwsCallError),
}
OPERATIONS = ["GetFindings", "GetCallerIdentity", "SendMessage", "Publish"]
ACCOUNTS = (OWN_ACCOUNT, MEMBER_ACCOUNT, "777788889999")


class TestErrors:
    """Every AWS call of the sweep, failing in every way: it says so, and nothing is lost."""

    @pytest.fixture(autouse=True)
    def open_findings(self, deployment: Deployment, queue: EventSourceMapping) -> None:
        """Three accounts with an open finding each."""
        deployment.configure(MEMBER_ROLE_NAME="iam26-member")
        for account_id in ACCOUNTS:
            certificate = deployment.upload("old-web", account_id=account_id)
            deployment.report(certificate["Arn"], account_id=account_id)

    def test_every_operation_is_in_it(self) -> None:
        """The sweep calls these operations and no other."""
        with faults.record_calls() as calls:
            run_sweep()

        assert {call.operation for call in calls} == {
            "GetFindings",
            "GetCallerIdentity",
            "SendMessage",
            "Publish",
        }

    @pytest.mark.parametrize("kind", FAULTS)
    @pytest.mark.parametrize("operation", ["GetFindings", "GetCallerIdentity"])
    def test_cannot_search(self, queue: EventSourceMapping, operation: str, kind: str) -> None:
        """Without what it must know the sweep fails, sends nothing, and the next one has it all."""
        fault, error = FAULTS[kind]

        with (
            faults.inject(operation=operation, fault=fault) as failure,
            pytest.raises(error, match=operation),
        ):
            run_sweep()

        assert failure.hits <= 5
        assert queue.receive() == []
        assert run_sweep()["accounts"] == 3

    @pytest.mark.parametrize("kind", FAULTS)
    def test_page_is_missing(
        self, queue: EventSourceMapping, kind: str, deployment: Deployment
    ) -> None:
        """A later page that cannot be read fails the sweep like the first."""
        fault, error = FAULTS[kind]

        with (
            small_pages(2),
            faults.inject(operation="GetFindings", fault=fault, after=1),
            pytest.raises(error, match="GetFindings"),
        ):
            run_sweep()

        assert run_sweep()["accounts"] == 3

    @pytest.mark.parametrize("kind", FAULTS)
    def test_cannot_send(self, queue: EventSourceMapping, kind: str) -> None:
        """An account that cannot be sent fails the sweep in the end; all others were sent."""
        fault, error = FAULTS[kind]

        with (
            faults.inject(
                operation="SendMessage",
                fault=fault,
                when=lambda params: MEMBER_ACCOUNT in params["MessageBody"],
            ) as failure,
            pytest.raises(error, match="SendMessage"),
        ):
            run_sweep()

        assert 1 <= failure.hits <= 5
        bodies = read_bodies(queue.receive())
        sent = [body["detail"]["findings"][0]["AwsAccountId"] for body in bodies]
        assert sent == [OWN_ACCOUNT, "777788889999"]
        assert run_sweep()["messages"] == 3

    @pytest.mark.parametrize("kind", FAULTS)
    def test_cannot_publish(
        self, deployment: Deployment, queue: EventSourceMapping, kind: str
    ) -> None:
        """A digest that is lost costs nothing else, and the next sweep sends another."""
        with faults.inject(operation="Publish", fault=FAULTS[kind][0]) as failure:
            assert run_sweep() == {"accounts": 3, "findings": 3, "messages": 3}

        assert 1 <= failure.hits <= 5
        assert len(read_bodies(queue.receive())) == 3
        assert deployment.messages() == []
        run_sweep()
        assert len(deployment.messages()) == 1

    @pytest.mark.parametrize("operation", OPERATIONS)
    @pytest.mark.parametrize("kind", ["throttled", "500", "dropped"])
    def test_answered_in_the_end(self, operation: str, kind: str) -> None:
        """What passes within the SDK's own retries changes nothing."""
        with faults.inject(operation=operation, fault=FAULTS[kind][0], times=2) as failure:
            assert run_sweep() == {"accounts": 3, "findings": 3, "messages": 3}

        assert failure.hits == 2

    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_slow(self, operation: str) -> None:
        """A slow answer is waited for."""
        with faults.inject(operation=operation, fault=faults.Slow(0.3), times=1) as failure:
            assert run_sweep() == {"accounts": 3, "findings": 3, "messages": 3}

        assert failure.hits == 1

    def test_sent_although_the_answer_was_lost(
        self, deployment: Deployment, queue: EventSourceMapping
    ) -> None:
        """A message that the SDK sends twice is worked on twice, and deletes once."""
        lost = faults.ConnectionDropped(after_effect=True)
        with faults.inject(operation="SendMessage", fault=lost, times=1):
            run_sweep()

        with faults.record_calls() as calls:
            assert queue.drain() == 1

        assert len(calls.named("DeleteServerCertificate")) == 3

    def test_swept_while_still_on_the_queue(
        self, deployment: Deployment, queue: EventSourceMapping
    ) -> None:
        """Sweeps that come faster than the work do no harm."""
        run_sweep()
        run_sweep()

        with faults.record_calls() as calls:
            queue.drain()

        assert len(calls.named("DeleteServerCertificate")) == 3
        assert read_outcomes(deployment) == ["deleted"] * 3


class TestSettings:
    """What the sweep must be told."""

    @pytest.mark.parametrize("url", ["", "  ", "the-queue"])
    def test_no_queue(self, deployment: Deployment, url: str) -> None:
        """Without a usable URL of the queue it fails before any call, and names the variable."""
        deployment.configure(QUEUE_URL=url)

        with faults.record_calls() as calls, pytest.raises(SettingsError, match="QUEUE_URL"):
            run_sweep()

        assert calls == []

    def test_member_role_that_is_none(
        self, deployment: Deployment, queue: EventSourceMapping
    ) -> None:
        """The role's name is checked like the remediation checks it."""
        deployment.configure(MEMBER_ROLE_NAME="arn:aws:iam::111122223333:role/iam26-member")

        with pytest.raises(SettingsError, match="MEMBER_ROLE_NAME"):
            run_sweep()

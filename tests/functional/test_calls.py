"""What a batch costs in AWS calls: one scan per account, and a handful for each certificate."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from local.aws import faults
from local.aws.knobs import HOME_REGION, OWN_ACCOUNT
from local.aws.wire import ApiCall, Proceed
from local.fixtures import seed
from tests.builders import MEMBER_ACCOUNT, OTHER_ACCOUNT
from tests.functional.deployment import Deployment, arn_of
from tests.functional.holders import ATTACHMENTS, create_holders

Event = dict[str, Any]

SCANNED = frozenset({"ec2", "elb", "elbv2", "cloudfront", "appsync", "elasticbeanstalk"})


def count_calls(deployment: Deployment, *events: Event) -> Counter[str]:
    """Handle a batch to its end, and count the calls by service and operation."""
    with faults.record_calls() as calls:
        assert deployment.handle_batch(*events) == []
    return Counter(f"{call.service}.{call.operation}" for call in calls)


def only_scan(calls: Counter[str]) -> Counter[str]:
    return Counter({name: n for name, n in calls.items() if name.split(".")[0] in SCANNED})


def beyond_scan(calls: Counter[str]) -> dict[str, int]:
    """Return the calls that are no part of the scan; who we are is asked once for good."""
    asked_once = only_scan(calls) + Counter({"sts.GetCallerIdentity": 1})
    return dict(calls - asked_once)


def report_expired(deployment: Deployment, count: int) -> list[Event]:
    return [
        deployment.report(deployment.upload(f"old-{number:02}")["Arn"]) for number in range(count)
    ]


@dataclass
class Crowd:
    """A fault that makes calls slow, and sees how many of them are under way at once."""

    seconds: float
    calls: int = 0
    most_at_once: int = 0
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, call: ApiCall, proceed: Proceed) -> AWSResponse:
        """Wait, then answer as AWS does."""
        with self._lock:
            self.calls += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        time.sleep(self.seconds)
        with self._lock:
            self._at_once -= 1
        return proceed()


class TestScan:
    """The look at everything that could hold a certificate."""

    def test_does_not_grow_with_the_findings(self, deployment: Deployment) -> None:
        """One scan serves a batch, however many findings are in it."""
        everyday = deployment.upload("everyday", days=900)
        create_holders(deployment.aws.client, "eu-west-1", everyday)

        scans = [
            only_scan(count_calls(deployment, *report_expired(deployment, count)))
            for count in (1, 5, 45)
        ]

        assert scans[0] == scans[1] == scans[2]
        assert scans[0] == {
            "ec2.DescribeRegions": 1,
            "elb.DescribeLoadBalancers": 2,
            "elbv2.DescribeLoadBalancers": 2,
            "elbv2.DescribeListeners": 3,
            "elbv2.DescribeListenerCertificates": 3,
            "cloudfront.ListDistributions": 1,
            "appsync.ListDomainNames": 2,
            "elasticbeanstalk.DescribeApplications": 2,
            "elasticbeanstalk.DescribeEnvironments": 2,
            "elasticbeanstalk.DescribeConfigurationSettings": 3,
        }
        assert deployment.certificates() == {"everyday", "the-sni-default"}

    def test_asks_only_where_certificates_can_be(self, deployment: Deployment) -> None:
        """Gateway load balancers have no listeners to ask for, plain listeners no certificates."""
        client = deployment.aws.client
        seed.create_load_balancer(client, "inspection", kind="gateway")
        plain, _ = seed.create_load_balancer(client, "plain")
        client("elbv2").create_listener(
            LoadBalancerArn=plain,
            Protocol="HTTP",
            Port=80,
            DefaultActions=[
                {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
            ],
        )

        calls = count_calls(deployment, *report_expired(deployment, 1))

        assert calls["elbv2.DescribeListeners"] == 1
        assert calls["elbv2.DescribeListenerCertificates"] == 0

    def test_one_an_account(self, deployment: Deployment) -> None:
        """Each account is scanned with its own credentials, once."""
        deployment.configure(MEMBER_ROLE_NAME="iam26-member")
        events = report_expired(deployment, 2)
        for name in ("theirs", "theirs-too"):
            certificate = deployment.upload(name, account_id=MEMBER_ACCOUNT)
            events.append(deployment.report(certificate["Arn"], account_id=MEMBER_ACCOUNT))

        with faults.record_calls() as calls:
            assert deployment.handle_batch(*events) == []

        scanned = Counter(call.account for call in calls.named("DescribeRegions"))
        assert scanned == {OWN_ACCOUNT: 1, MEMBER_ACCOUNT: 1}
        assert len(calls.named("AssumeRole")) == 1

    def test_member_account_like_our_own(self, deployment: Deployment) -> None:
        """Whatever can hold a certificate is read in a member account too, with its credentials."""

        def make_client(service: str, *, region: str = HOME_REGION, **_: object) -> Any:
            return deployment.aws.client(service, region=region, account_id=MEMBER_ACCOUNT)

        deployment.configure(MEMBER_ROLE_NAME="iam26-member")
        certificate = deployment.upload("old-web", account_id=MEMBER_ACCOUNT)
        everyday = deployment.upload("everyday", days=900, account_id=MEMBER_ACCOUNT)
        create_holders(make_client, "eu-west-1", everyday)
        event = deployment.report(certificate["Arn"], account_id=MEMBER_ACCOUNT)

        with faults.record_calls() as calls:
            assert deployment.handle_one(event)["outcome"] == "deleted"

        scanned = {call.operation: call.account for call in calls if call.service in SCANNED}
        assert set(scanned.values()) == {MEMBER_ACCOUNT}
        assert scanned.keys() >= {
            "DescribeListeners",
            "DescribeListenerCertificates",
            "DescribeConfigurationSettings",
        }

    def test_runs_in_parallel(self, deployment: Deployment) -> None:
        """The scan takes as long as its longest chain of calls, and never crowds AWS."""
        everyday = deployment.upload("everyday", days=900)
        for number in range(40):
            seed.create_load_balancer(deployment.aws.client, f"lb-{number}", everyday["Arn"])
        [event] = report_expired(deployment, 1)
        deployment.configure(MODE="DryRun", ELB_CALLS_PER_SECOND="100")
        deployment.handle(event)
        slow = Crowd(0.2)

        with faults.inject(service="elbv2", fault=slow):
            started = time.monotonic()
            deployment.handle(event)
            took = time.monotonic() - started

        assert slow.calls == 2 + 40 + 40
        assert took < slow.calls * slow.seconds / 5
        assert 16 <= slow.most_at_once <= 32

    def test_leaves_half_of_the_rate_to_others(self, deployment: Deployment) -> None:
        """Beyond half of ELB's bucket a scan makes half of the calls that flow in, and no more."""
        everyday = deployment.upload("everyday", days=900)
        for number in range(15):
            seed.create_load_balancer(deployment.aws.client, f"lb-{number}", everyday["Arn"])
        [event] = report_expired(deployment, 1)
        deployment.aws.knobs.elb_rate_limit = True

        started = time.monotonic()
        with faults.record_calls() as calls:
            assert deployment.handle_one(event)["outcome"] == "deleted"
        took = time.monotonic() - started

        balanced = [one for one in calls if one.service == "elbv2" and one.region == "us-east-1"]
        assert len(balanced) == 1 + 15 + 15
        assert took > (len(balanced) - 20) / 5 - 0.1

    def test_pace_is_a_setting(self, deployment: Deployment) -> None:
        """Where nobody else calls, a scan may go as fast as AWS lets it."""
        everyday = deployment.upload("everyday", days=900)
        for number in range(30):
            seed.create_load_balancer(deployment.aws.client, f"lb-{number}", everyday["Arn"])
        [event] = report_expired(deployment, 1)
        deployment.configure(ELB_CALLS_PER_SECOND="10")

        started = time.monotonic()
        deployment.handle(event)

        assert time.monotonic() - started < (61 - 20) / 5


class TestCertificates:
    """What one certificate costs beyond the scan."""

    @pytest.mark.parametrize("count", [1, 5, 45])
    def test_deletion(self, deployment: Deployment, count: int) -> None:
        """A deletion costs one read of the tags, two Gets, two Puts and one Delete."""
        calls = count_calls(deployment, *report_expired(deployment, count))

        assert deployment.certificates() == set()
        assert beyond_scan(calls) == {
            # Of each finding, and once of what is suppressed in the account.
            "securityhub.GetFindings": -(-count // 20) + 1,
            "iam.ListServerCertificates": 1,
            "iam.ListServerCertificateTags": count,
            "iam.GetServerCertificate": 2 * count,
            "s3.PutObject": 2 * count,
            "iam.DeleteServerCertificate": count,
            "securityhub.BatchUpdateFindings": count,
            "sns.Publish": 1,
        }

    def test_dry_run(self, deployment: Deployment) -> None:
        """A dry run costs no more than the proof."""
        deployment.configure(MODE="DryRun")

        calls = count_calls(deployment, *report_expired(deployment, 3))

        assert beyond_scan(calls) == {
            "securityhub.GetFindings": 2,
            "iam.ListServerCertificates": 1,
            "iam.ListServerCertificateTags": 3,
            "securityhub.BatchUpdateFindings": 3,
            "sns.Publish": 1,
        }

    def test_certificate_in_use(self, deployment: Deployment) -> None:
        """A certificate that something uses is neither read again nor archived."""
        certificate = deployment.upload("busy")
        ATTACHMENTS["alb"](deployment.aws.client, "shop", "us-east-1", certificate)

        calls = count_calls(deployment, deployment.report(certificate["Arn"]))

        assert beyond_scan(calls) == {
            "securityhub.GetFindings": 2,
            "iam.ListServerCertificates": 1,
            "iam.ListServerCertificateTags": 1,
            "securityhub.BatchUpdateFindings": 1,
            "sns.Publish": 1,
        }


def report_valid(deployment: Deployment) -> Event:
    return deployment.report(deployment.upload("valid", days=90)["Arn"])


def report_young(deployment: Deployment) -> Event:
    deployment.configure(GRACE_PERIOD_DAYS="120")
    return deployment.report(deployment.upload("young", days=-90)["Arn"])


def report_exempt(deployment: Deployment) -> Event:
    return deployment.report(deployment.upload("exempt", tags={"iam26:keep": ""})["Arn"])


def report_gone(deployment: Deployment) -> Event:
    return deployment.report(arn_of("gone"))


def report_unknown_name(deployment: Deployment) -> Event:
    return deployment.report("no-such-name")


def report_what_is_no_certificate(deployment: Deployment) -> Event:
    return deployment.report("arn:aws:s3:::bucket")


LOOKED_UP: dict[str, tuple[Callable[[Deployment], Event], dict[str, int]]] = {
    "valid": (report_valid, {}),
    "in grace": (report_young, {}),
    "exempt": (report_exempt, {"iam.ListServerCertificateTags": 1}),
    "gone": (report_gone, {"s3.ListObjectsV2": 1}),
    "unknown name": (report_unknown_name, {"s3.ListObjectsV2": 1, "sns.Publish": 1}),
    "no certificate": (report_what_is_no_certificate, {"sns.Publish": 1}),
}

FOREIGN: dict[str, dict[str, Any]] = {
    "another control": {"Compliance": {"Status": "FAILED", "SecurityControlId": "IAM.1"}},
    "another product": {
        "ProductArn": f"arn:aws:securityhub:us-east-1:{OWN_ACCOUNT}:product/{OWN_ACCOUNT}/default"
    },
    "another account": {"account_id": OTHER_ACCOUNT},
}

SETTLED: dict[str, dict[str, Any]] = {
    "passed": {"compliance_status": "PASSED"},
    "archived": {"record_state": "ARCHIVED"},
    "suppressed": {"workflow_status": "SUPPRESSED"},
}


class TestNoCandidate:
    """Findings that need no scan get none."""

    @pytest.mark.parametrize("reason", LOOKED_UP)
    def test_looked_up(self, deployment: Deployment, reason: str) -> None:
        """What the certificate itself tells costs a look at it, and the report."""
        report, more = LOOKED_UP[reason]
        event = report(deployment)

        calls = count_calls(deployment, event)

        assert beyond_scan(calls) == {
            "securityhub.GetFindings": 1,
            "iam.ListServerCertificates": 1,
            "securityhub.BatchUpdateFindings": 1,
            **more,
        }
        assert only_scan(calls) == {}

    @pytest.mark.parametrize("reason", FOREIGN)
    def test_foreign(self, deployment: Deployment, reason: str) -> None:
        """A finding that is not ours costs at most the question who we are."""
        event = deployment.report(deployment.upload("old-web")["Arn"], **FOREIGN[reason])

        assert set(count_calls(deployment, event)) <= {"sts.GetCallerIdentity"}

    @pytest.mark.parametrize("reason", SETTLED)
    def test_settled(self, deployment: Deployment, reason: str) -> None:
        """A finding that asks for no action costs the look whether that is still so."""
        event = deployment.report(deployment.upload("old-web")["Arn"], **SETTLED[reason])

        assert beyond_scan(count_calls(deployment, event)) == {"securityhub.GetFindings": 1}

    def test_all_of_them_together(self, deployment: Deployment) -> None:
        """A batch without a candidate needs no scan; one candidate in it needs one."""
        events = [report(deployment) for report, _ in LOOKED_UP.values()]
        old = deployment.report(deployment.upload("old-web", days=-400)["Arn"])

        assert only_scan(count_calls(deployment, *events)) == {}
        assert only_scan(count_calls(deployment, *events, old))["ec2.DescribeRegions"] == 1


class TestReport:
    """What telling it costs."""

    def test_update_for_each_note_and_fields(self, deployment: Deployment) -> None:
        """Findings that get the same note and fields get them in one update."""
        certificate = deployment.upload("old-web")
        events = [deployment.report(certificate["Arn"]) for _ in range(4)]
        ticket = {"ticket": "SEC-1"}
        events += [
            deployment.report(certificate["Arn"], UserDefinedFields=ticket) for _ in range(3)
        ]

        calls = count_calls(deployment, *events)

        assert calls["securityhub.BatchUpdateFindings"] == 2
        assert {deployment.status(one) for one in events} == {"RESOLVED"}

    def test_message_for_each_account_and_outcome(self, deployment: Deployment) -> None:
        """People get one message for each account and outcome that they must know of."""
        deployment.configure(MEMBER_ROLE_NAME="iam26-member")
        events = report_expired(deployment, 3)
        for name in ("busy", "busy-too"):
            certificate = deployment.upload(name)
            ATTACHMENTS["classic"](deployment.aws.client, name, "us-east-1", certificate)
            events.append(deployment.report(certificate["Arn"]))
        events.append(report_valid(deployment))
        theirs = deployment.upload("theirs", account_id=MEMBER_ACCOUNT)
        events.append(deployment.report(theirs["Arn"], account_id=MEMBER_ACCOUNT))

        calls = count_calls(deployment, *events)

        assert calls["sns.Publish"] == 3
        told = {tuple(sorted(one.attributes.items())) for one in deployment.messages()}
        assert told == {
            (("accountId", OWN_ACCOUNT), ("outcome", "deleted")),
            (("accountId", OWN_ACCOUNT), ("outcome", "in-use")),
            (("accountId", MEMBER_ACCOUNT), ("outcome", "deleted")),
        }

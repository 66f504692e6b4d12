"""What counts as an answer: the proof rests on what was read, all of it, and not long ago."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError

from local.aws import faults
from local.aws.wire import ApiCall, Proceed
from local.fixtures import seed
from models.errors import TransientError
from tests.functional.deployment import Deployment
from tests.functional.holders import ATTACHMENTS, Certificate
from tests.functional.page_size import small_pages

AWAY = "eu-west-1"
UNLISTED = "mx-central-1"


def match(**wanted: object) -> Callable[[Mapping[str, Any]], bool]:
    """Return whether the parameters of a call are these, among others."""
    return lambda params: wanted.items() <= params.items()


@pytest.fixture
def everyday(deployment: Deployment) -> Certificate:
    """A valid certificate, for holders that are not what a test is about."""
    return deployment.upload("everyday", days=900)


class TestPages:
    """Lists of which AWS answers one item at a time."""

    @pytest.fixture(autouse=True)
    def one_item_a_page(self) -> Iterator[None]:
        """Let every list come in pages of one item."""
        with small_pages(1):
            yield

    @pytest.mark.parametrize("kind", ATTACHMENTS)
    def test_holder(self, deployment: Deployment, everyday: Certificate, kind: str) -> None:
        """The last holder of a list counts like the first."""
        certificate = deployment.upload("old-web")
        for name, held in (("a", everyday), ("b", everyday), ("z", certificate)):
            ATTACHMENTS[kind](deployment.aws.client, f"{name}-edge", AWAY, held)

        outcome = deployment.handle_one(deployment.report(certificate["Arn"]))

        assert outcome["outcome"] == "in-use"
        assert len(outcome["references"]) == 1

    def test_listener(self, deployment: Deployment, everyday: Certificate) -> None:
        """The last listener of a load balancer counts like the first."""
        certificate = deployment.upload("old-web")
        client = deployment.aws.client
        balancer, first = seed.create_load_balancer(client, "shop", everyday["Arn"], region=AWAY)
        elbv2 = client("elbv2", region=AWAY)
        [like] = elbv2.describe_listeners(ListenerArns=[first])["Listeners"]
        elbv2.create_listener(
            LoadBalancerArn=balancer,
            Protocol="HTTPS",
            Port=8443,
            Certificates=[{"CertificateArn": certificate["Arn"]}],
            DefaultActions=[
                {"Type": "forward", "TargetGroupArn": like["DefaultActions"][0]["TargetGroupArn"]}
            ],
        )

        outcome = deployment.handle_one(deployment.report(certificate["Arn"]))

        assert outcome["references"] == [f"Load balancer listener shop:8443 in {AWAY}"]

    def test_certificate(self, deployment: Deployment, everyday: Certificate) -> None:
        """The last certificate of the account is found like the first."""
        certificate = deployment.upload("old-web")

        outcome = deployment.handle_one(deployment.report(certificate["Arn"]))

        assert outcome["outcome"] == "deleted"

    def test_tag(self, deployment: Deployment) -> None:
        """The last tag of a certificate counts like the first."""
        deployment.configure(MODE="DryRun")
        tags = {"team": "web", "iam26:keep": ""}
        certificate = deployment.upload("old-web", tags=tags)

        assert deployment.handle_one(deployment.report(certificate["Arn"]))["outcome"] == "exempt"

    def test_finding(self, deployment: Deployment) -> None:
        """The last finding is read as it is now, like the first."""
        events = [deployment.report(deployment.upload(name)["Arn"]) for name in ("one", "two")]
        deployment.edit_finding(events[1], Workflow={"Status": "SUPPRESSED"})

        assert deployment.handle_batch(*events) == []

        assert deployment.certificates() == {"two"}
        assert deployment.status(events[1]) == "SUPPRESSED"

    @pytest.mark.parametrize("named_by", ["Arn", "ServerCertificateId"])
    def test_archive_record(self, deployment: Deployment, named_by: str) -> None:
        """The last record of the archive vouches like the first."""
        certificates = [deployment.upload(name) for name in ("one", "two")]
        events = [deployment.report(one["Arn"]) for one in certificates]
        assert deployment.handle_batch(*events) == []

        late = deployment.report(certificates[1][named_by], standard="cis-5.0")

        assert deployment.handle_one(late)["outcome"] == "deleted"


class TestDeniedRegions:
    """A Region that an organisation closed, and that the settings put out of scope."""

    @pytest.mark.parametrize("kind", ["alb", "nlb"])
    def test_what_was_seen_all_the_same(self, deployment: Deployment, kind: str) -> None:
        """A use that was seen before the policy denied the next call counts."""
        deployment.configure(DENIED_REGIONS="OutOfScope")
        certificate = deployment.upload("old-web")
        ATTACHMENTS[kind](deployment.aws.client, "shop", AWAY, certificate)

        with faults.inject(operation="DescribeListenerCertificates", fault=faults.DeniedByScp()):
            outcome = deployment.handle_one(deployment.report(certificate["Arn"]))

        assert outcome["outcome"] == "in-use"


class TestEndpoints:
    """Endpoints that do not resolve."""

    @pytest.fixture(autouse=True)
    def enable_young_region(self, deployment: Deployment) -> None:
        """Enable a Region for which the SDK lists neither AppSync nor Elastic Beanstalk."""
        deployment.aws.knobs.enabled_regions = ("us-east-1", UNLISTED)
        # moto knows only the Regions that the SDK lists.
        deployment.configure(MOTO_ALLOW_NONEXISTENT_REGION="true")

    def test_not_offered(self, deployment: Deployment) -> None:
        """A service that the SDK does not list there is not offered, as the evidence says."""
        event = deployment.report(deployment.upload("old-web")["Arn"])

        assert deployment.handle_one(event)["outcome"] == "deleted"

        [record] = deployment.archive().values()
        states_there = {
            one["source"]: one["state"]
            for one in record["evidence"]["coverage"]
            if one["region"] == UNLISTED
        }
        assert states_there == {
            "Classic Load Balancer": "read",
            "Load balancer listener": "read",
            "AppSync custom domain": "not offered",
            "Elastic Beanstalk": "not offered",
        }

    @pytest.mark.parametrize("service", ["elb", "elbv2", "appsync", "elasticbeanstalk"])
    def test_listed_endpoint(self, deployment: Deployment, service: str) -> None:
        """A service that the SDK does list there is out of reach only for now."""
        deployment.aws.knobs.not_offered = frozenset({(service, "us-east-1")})
        event = deployment.report(deployment.upload("old-web")["Arn"])

        assert deployment.handle_batch(event) == [0]

        assert "old-web" in deployment.certificates()
        assert deployment.status(event) == "NEW"

    def test_offered_since(self, deployment: Deployment) -> None:
        """A service that answers counts, whether the SDK lists it or not."""
        deployment.aws.knobs.only_offered_regions = False
        certificate = deployment.upload("old-web")
        seed.create_api_domain(
            deployment.aws.client, "young.example.com", certificate["Arn"], region=UNLISTED
        )

        outcome = deployment.handle_one(deployment.report(certificate["Arn"]))

        assert outcome["references"] == [f"AppSync custom domain young.example.com in {UNLISTED}"]

    def test_lost_after_an_answer(self, deployment: Deployment) -> None:
        """An endpoint that answered before is offered: what it does not answer now is retried."""
        deployment.aws.knobs.only_offered_regions = False
        certificate = deployment.upload("old-web")
        seed.create_environment(
            deployment.aws.client, "young", "young-env", certificate["Arn"], region=UNLISTED
        )
        event = deployment.report(certificate["Arn"])

        with faults.inject(
            operation="DescribeConfigurationSettings",
            region=UNLISTED,
            fault=faults.NotOffered(),
        ):
            assert deployment.handle_batch(event) == [0]

        assert "old-web" in deployment.certificates()

    @pytest.mark.parametrize(
        "cause",
        [
            ConnectionRefusedError(111, "Connection refused"),
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        ],
        ids=["refused", "resolver-down"],
    )
    def test_unreachable(self, deployment: Deployment, cause: OSError) -> None:
        """Only a name that does not exist means that a Region lacks a service."""
        event = deployment.report(deployment.upload("old-web")["Arn"])

        def refuse(call: ApiCall, proceed: Proceed) -> AWSResponse:
            raise EndpointConnectionError(endpoint_url=call.url, error=cause)

        with faults.inject(service="appsync", region=UNLISTED, fault=refuse):
            assert deployment.handle_batch(event) == [0]

        assert "old-web" in deployment.certificates()

    def test_load_balancers_are_everywhere(self, deployment: Deployment) -> None:
        """No Region lacks load balancers, even one that the SDK knows nothing of."""
        event = deployment.report(deployment.upload("old-web")["Arn"])
        deployment.aws.knobs.enabled_regions = ("us-east-1", "mx-nowhere-1")

        with faults.inject(service="elb", region="mx-nowhere-1", fault=faults.NotOffered()):
            assert deployment.handle_batch(event) == [0]

        assert "old-web" in deployment.certificates()


@contextmanager
def vanish_listener(deployment: Deployment, certificate: Certificate) -> Iterator[faults.Injection]:
    """Create a listener with a certificate, which is gone when its SNI list is asked for."""
    client = deployment.aws.client
    _, listener = seed.create_load_balancer(client, "hasty", certificate["Arn"], region=AWAY)
    elbv2 = client("elbv2", region=AWAY)
    with faults.inject(
        operation="DescribeListenerCertificates",
        fault=faults.Call(lambda: elbv2.delete_listener(ListenerArn=listener)),
        when=match(ListenerArn=listener),
    ) as vanishing:
        yield vanishing


class TestVanished:
    """What was deleted since it was listed refers to nothing but what was seen of it."""

    def test_load_balancer(self, deployment: Deployment) -> None:
        """A load balancer that is gone when its listeners are asked for holds no certificate."""
        certificate = deployment.upload("old-web")
        client = deployment.aws.client
        balancer, _ = seed.create_load_balancer(client, "brief", certificate["Arn"], region=AWAY)
        elbv2 = client("elbv2", region=AWAY)
        vanish = faults.Call(lambda: elbv2.delete_load_balancer(LoadBalancerArn=balancer))

        with faults.inject(
            operation="DescribeListeners",
            fault=vanish,
            when=match(LoadBalancerArn=balancer),
        ) as vanishing:
            outcome = deployment.handle_one(deployment.report(certificate["Arn"]))

        assert (outcome["outcome"], vanishing.hits) == ("deleted", 1)

    def test_listener(self, deployment: Deployment) -> None:
        """What was seen of a listener that is gone when its SNI list is asked for stays seen."""
        certificate = deployment.upload("old-web")

        with vanish_listener(deployment, certificate) as vanishing:
            outcome = deployment.handle_one(deployment.report(certificate["Arn"]))

        assert (outcome["outcome"], vanishing.hits) == ("in-use", 1)

    @pytest.mark.parametrize(
        ("kind", "operation", "named"),
        [
            ("environment", "terminate_environment", {"EnvironmentName": "brief-env"}),
            (
                "saved",
                "delete_configuration_template",
                {"ApplicationName": "brief-app", "TemplateName": "brief-saved"},
            ),
        ],
    )
    def test_beanstalk(
        self, deployment: Deployment, kind: str, operation: str, named: dict[str, str]
    ) -> None:
        """An environment or saved configuration that is gone has no settings."""
        certificate = deployment.upload("old-web")
        ATTACHMENTS[kind](deployment.aws.client, "brief", AWAY, certificate)
        delete = getattr(deployment.aws.client("elasticbeanstalk", region=AWAY), operation)

        with faults.inject(
            operation="DescribeConfigurationSettings",
            fault=faults.Call(lambda: delete(**named)),
            when=match(**named),
        ) as vanishing:
            outcome = deployment.handle_one(deployment.report(certificate["Arn"]))

        assert (outcome["outcome"], vanishing.hits) == ("deleted", 1)

    def test_nothing_is_forgotten(self, deployment: Deployment) -> None:
        """Another listener of the same source counts beside the one that is gone."""
        certificate = deployment.upload("old-web")
        client = deployment.aws.client
        seed.create_load_balancer(client, "steady", certificate["Arn"], region=AWAY)

        with vanish_listener(deployment, certificate):
            outcome = deployment.handle_one(deployment.report(certificate["Arn"]))

        assert outcome["references"] == [
            f"Load balancer listener {name}:443 in {AWAY}" for name in ("hasty", "steady")
        ]

    def test_beanstalk_says_something_else(self, deployment: Deployment) -> None:
        """Not every value that Elastic Beanstalk refuses is one that vanished."""
        certificate = deployment.upload("old-web")
        ATTACHMENTS["saved"](deployment.aws.client, "billing", AWAY, certificate)
        event = deployment.report(certificate["Arn"])
        refused = faults.AwsFault("InvalidParameterValue", "The parameter is not valid.")

        with faults.inject(operation="DescribeConfigurationSettings", fault=refused):
            assert deployment.handle_one(event)["outcome"] == "unverified"

    def test_certificate(self, deployment: Deployment) -> None:
        """A certificate that somebody deletes before its tags are read is gone already."""
        event = deployment.report(deployment.upload("old-web")["Arn"])
        iam = deployment.aws.client("iam")
        vanish = faults.Call(lambda: iam.delete_server_certificate(ServerCertificateName="old-web"))

        with faults.inject(operation="ListServerCertificateTags", fault=vanish):
            assert deployment.handle_one(event)["outcome"] == "already-gone"


class TestBeanstalksValues:
    """Option settings are text that people write."""

    @pytest.mark.parametrize(
        "written", ["{},{}", "{},", "{};{}", "{} {}", "{}\n{}", "{}, ,{}", "{},,{}", "{}"]
    )
    @pytest.mark.parametrize("ours", [0, 1])
    def test_however_they_are_separated(
        self, deployment: Deployment, everyday: Certificate, written: str, ours: int
    ) -> None:
        """Each certificate of a list counts, whatever stands between them."""
        certificate = deployment.upload("old-web")
        arns = [everyday["Arn"], everyday["Arn"]]
        arns[min(ours, written.count("{}") - 1)] = certificate["Arn"]
        seed.create_saved_configuration(
            deployment.aws.client, "shop", "saved", written.format(*arns), region=AWAY
        )

        outcome = deployment.handle_one(deployment.report(certificate["Arn"]))

        assert outcome["outcome"] == "in-use"


class TestBeanstalksEmptyLists:
    """Elastic Beanstalk answers a missing permission with an empty list."""

    @pytest.mark.parametrize(
        ("denied", "says"),
        [
            ("DescribeConfigurationSettings", "no settings of "),
            ("DescribeApplications", "is not listed"),
        ],
    )
    def test_believed_by_nobody(self, deployment: Deployment, denied: str, says: str) -> None:
        """Nothing where something must be is a gap."""
        certificate = deployment.upload("old-web")
        ATTACHMENTS["environment"](deployment.aws.client, "billing", AWAY, certificate)
        event = deployment.report(certificate["Arn"])
        deployment.aws.knobs.beanstalk_denied = frozenset({denied})

        outcome = deployment.handle_one(event)

        assert outcome["outcome"] == "unverified"
        assert f"Elastic Beanstalk in {AWAY} (" in outcome["reason"]
        assert says in outcome["reason"]
        assert "as if permission were missing" in outcome["reason"]
        assert "old-web" in deployment.certificates()


class TestTime:
    """Time that runs out, and proof that grows old."""

    def test_no_time_left(self, deployment: Deployment) -> None:
        """An invocation about to end begins no account; its findings are redelivered untouched."""
        event = deployment.report(deployment.upload("old-web")["Arn"])
        batch = seed.sqs_batch([event])

        with faults.record_calls() as calls:
            answer = deployment.handle(batch, milliseconds_left=5_000)

        assert len(answer["batchItemFailures"]) == 1
        assert {call.service for call in calls} <= {"sts", "securityhub"}
        assert deployment.status(event) == "NEW"
        with pytest.raises(TransientError, match="no time left"):
            deployment.handle(event, milliseconds_left=5_000)

    @pytest.fixture
    def stopwatch(self, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
        """What invocations are timed with: it stands still unless a test moves it."""
        watch = SimpleNamespace(seconds=0.0)
        watch.monotonic = lambda: watch.seconds
        monkeypatch.setattr("handlers.remediation.deadline.time", watch)
        return watch

    def test_slow_source(self, deployment: Deployment, stopwatch: SimpleNamespace) -> None:
        """A source that takes longer than there is time keeps the certificate for now."""
        event = deployment.report(deployment.upload("old-web")["Arn"])
        answered = threading.Event()
        slow = faults.Call(lambda: answered.wait(30))

        with faults.inject(service="elbv2", region=AWAY, fault=slow):
            with pytest.raises(TransientError, match="the scan took longer than"):
                deployment.handle(event, milliseconds_left=10_500)
            answered.set()

        assert "old-web" in deployment.certificates()
        assert deployment.status(event) == "NEW"

    def test_no_time_left_for_the_next(
        self, deployment: Deployment, stopwatch: SimpleNamespace
    ) -> None:
        """What was done in time is reported; the certificates after it are retried untouched."""
        events = [deployment.report(deployment.upload(name)["Arn"]) for name in ("one", "two")]
        batch = seed.sqs_batch(events)
        pass_time = faults.Then(lambda: setattr(stopwatch, "seconds", 55.0))

        with faults.inject(operation="DeleteServerCertificate", fault=pass_time):
            answer = deployment.handle(batch, milliseconds_left=60_000)

        returned = [one["itemIdentifier"] for one in answer["batchItemFailures"]]
        assert returned == [batch["Records"][1]["messageId"]]
        assert deployment.certificates() == {"two"}
        assert [deployment.status(one) for one in events] == ["RESOLVED", "NEW"]

    @pytest.fixture
    def clock(self) -> Iterator[time_machine.Traveller]:
        """A clock that ticks, and that a test can put forward."""
        with time_machine.travel(datetime.now(UTC), tick=True) as traveller:
            yield traveller

    def test_old_scan_is_made_again(
        self, deployment: Deployment, clock: time_machine.Traveller
    ) -> None:
        """A scan older than five minutes proves nothing of the next certificate."""
        first, second = deployment.upload("old-api"), deployment.upload("old-web")
        events = [deployment.report(one["Arn"]) for one in (first, second)]

        def pass_time() -> None:
            clock.shift(timedelta(minutes=5))
            ATTACHMENTS["classic"](deployment.aws.client, "late", AWAY, second)

        with (
            faults.inject(
                operation="DeleteServerCertificate", fault=faults.Then(pass_time), times=1
            ),
            faults.record_calls() as calls,
        ):
            assert deployment.handle_batch(*events) == []

        assert len(calls.named("DescribeRegions")) == 2
        outcomes = [deployment.finding(one)["UserDefinedFields"]["iam26Outcome"] for one in events]
        assert outcomes == ["deleted", "in-use"]

    def test_old_scan_promises_nothing(
        self, deployment: Deployment, clock: time_machine.Traveller
    ) -> None:
        """Nor does a dry run conclude on a scan that took more than five minutes."""
        deployment.configure(MODE="DryRun")
        event = deployment.report(deployment.upload("old-web")["Arn"])
        pass_time = faults.Call(lambda: clock.shift(timedelta(minutes=6)))

        with faults.inject(operation="ListDistributions", fault=pass_time, times=1):
            assert deployment.handle_batch(event) == [0]

        assert deployment.status(event) == "NEW"

    @pytest.mark.parametrize(
        "operation", ["ListDistributions", "GetServerCertificate", "PutObject"]
    )
    def test_proof_that_grows_old(
        self, deployment: Deployment, clock: time_machine.Traveller, operation: str
    ) -> None:
        """No delete rests on a scan that began more than five minutes before."""
        event = deployment.report(deployment.upload("old-web")["Arn"])
        pass_time = faults.Call(lambda: clock.shift(timedelta(minutes=5)))

        with faults.inject(operation=operation, fault=pass_time, times=1):
            assert deployment.handle_batch(event) == [0]

        assert "old-web" in deployment.certificates()
        assert deployment.status(event) == "NEW"
        assert deployment.handle_batch(event, receive_count=2) == []
        assert deployment.status(event) == "RESOLVED"

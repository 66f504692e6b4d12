"""Faults: each is the error that botocore makes of what AWS would have answered."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import boto3
import pytest
import time_machine
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
)

from local.aws import faults
from local.aws.faults import Fault
from local.aws.server import Aws
from local.aws.wire import ApiCall, Proceed
from local.fixtures import seed
from tests.local.answers import code_of

SDK_ATTEMPTS = 3


class Operation(NamedTuple):
    """A read of one service, in that service's protocol, and the codes that it answers with."""

    service: str
    protocol: str
    method: str
    params: dict[str, Any]
    denied: str = "AccessDenied"
    throttled: str = "Throttling"
    failed: str = "InternalFailure"


OPERATIONS = (
    Operation("iam", "query", "list_server_certificates", {}, failed="ServiceFailure"),
    Operation("sts", "query", "get_caller_identity", {}),
    Operation("elb", "query", "describe_load_balancers", {}),
    Operation("elbv2", "query", "describe_load_balancers", {}),
    Operation("elasticbeanstalk", "query", "describe_applications", {}),
    Operation("sns", "query", "list_topics", {}, denied="AuthorizationError"),
    Operation(
        "ec2",
        "ec2",
        "describe_regions",
        {},
        denied="UnauthorizedOperation",
        throttled="RequestLimitExceeded",
        failed="InternalError",
    ),
    Operation("cloudfront", "rest-xml", "list_distributions", {}),
    Operation(
        "s3",
        "rest-xml",
        "get_object",
        {"Bucket": "archive", "Key": "key"},
        throttled="SlowDown",
        failed="InternalError",
    ),
    Operation(
        "securityhub",
        "rest-json",
        "get_findings",
        {},
        denied="AccessDeniedException",
        throttled="TooManyRequestsException",
    ),
    Operation(
        "appsync",
        "rest-json",
        "list_domain_names",
        {},
        denied="AccessDeniedException",
        throttled="TooManyRequestsException",
    ),
    Operation(
        "events",
        "json",
        "list_rules",
        {},
        denied="AccessDeniedException",
        throttled="ThrottlingException",
    ),
    Operation("sqs", "json", "list_queues", {}, throttled="RequestThrottled"),
    Operation(
        "acm",
        "json",
        "list_certificates",
        {},
        denied="AccessDeniedException",
        throttled="ThrottlingException",
    ),
    Operation("cloudwatch", "json", "describe_alarms", {}),
    Operation(
        "resourcegroupstaggingapi",
        "json",
        "get_resources",
        {},
        denied="AccessDeniedException",
        throttled="ThrottledException",
    ),
)

every_operation = pytest.mark.parametrize(
    "operation", OPERATIONS, ids=[f"{one.service}, {one.protocol}" for one in OPERATIONS]
)


@cache
def make_session() -> Any:
    """Return one session, because each reads the services' models anew."""
    return boto3.Session()


@cache
def make_client(service: str, region: str = "us-east-1") -> Any:
    session = make_session()
    config = Config(retries={"mode": "standard", "total_max_attempts": SDK_ATTEMPTS})
    return session.client(service, region_name=region, config=config)


def fail(operation: Operation, fault: Fault) -> tuple[Exception, int]:
    """Return the error that a faulty call raises, and how often the SDK tried."""
    call = getattr(make_client(operation.service), operation.method)
    with (
        faults.inject(fault=fault, service=operation.service),
        faults.record_calls() as calls,
        pytest.raises((ClientError, HTTPClientError, EndpointConnectionError)) as raised,
    ):
        call(**operation.params)
    return raised.value, len(calls)


def error_of(operation: Operation, fault: Fault) -> tuple[dict[str, Any], int, int]:
    """Return the answered error, its HTTP status, and how often the SDK tried."""
    error, attempts = fail(operation, fault)
    assert isinstance(error, ClientError)
    answer: dict[str, Any] = dict(error.response)
    return answer["Error"], answer["ResponseMetadata"]["HTTPStatusCode"], attempts


def test_every_protocol_is_played(aws: Aws) -> None:
    """The operations below cover the protocols that the application's services speak."""
    spoken = {
        one.service: make_client(one.service).meta.service_model.resolved_protocol
        for one in OPERATIONS
    }
    assert spoken == {one.service: one.protocol for one in OPERATIONS}


class TestAnswers:
    """Errors that AWS answers."""

    @every_operation
    def test_access_denied(self, aws: Aws, operation: Operation) -> None:
        """A missing permission is answered in the service's words, and not tried again."""
        error, status, attempts = error_of(operation, faults.AccessDenied())
        assert (error["Code"], status, attempts) == (operation.denied, 403, 1)
        assert "is not authorized to perform" in error["Message"]
        assert "because no identity-based policy allows" in error["Message"]
        assert "service control policy" not in error["Message"]

    @pytest.mark.parametrize(
        ("service", "action"),
        [
            ("acm", "acm:ListCertificates"),
            ("elb", "elasticloadbalancing:DescribeLoadBalancers"),
            ("elbv2", "elasticloadbalancing:DescribeLoadBalancers"),
            ("resourcegroupstaggingapi", "tag:GetResources"),
        ],
    )
    def test_a_denial_names_the_action_as_a_policy_does(
        self, aws: Aws, service: str, action: str
    ) -> None:
        """The permission that is missing can be copied from the message."""
        [operation] = [one for one in OPERATIONS if one.service == service]
        error, _, _ = error_of(operation, faults.AccessDenied())
        assert f"not authorized to perform: {action} on" in error["Message"]

    @every_operation
    def test_denied_by_a_service_control_policy(self, aws: Aws, operation: Operation) -> None:
        """An explicit deny of the organisation has the same code and says so in its message."""
        error, status, attempts = error_of(operation, faults.DeniedByScp())
        assert (error["Code"], status, attempts) == (operation.denied, 403, 1)
        assert "with an explicit deny in a service control policy" in error["Message"]

    @every_operation
    def test_throttled(self, aws: Aws, operation: Operation) -> None:
        """The SDK knows each service's throttling for what it is, and tries again."""
        error, _, attempts = error_of(operation, faults.Throttled())
        assert (error["Code"], attempts) == (operation.throttled, SDK_ATTEMPTS)

    @every_operation
    def test_internal_failure(self, aws: Aws, operation: Operation) -> None:
        """A 500 is tried again, and raised when it stays."""
        error, status, attempts = error_of(operation, faults.InternalFailure())
        assert (error["Code"], status, attempts) == (operation.failed, 500, SDK_ATTEMPTS)

    @every_operation
    def test_any_other_error(self, aws: Aws, operation: Operation) -> None:
        """Code, message and status arrive as they were given, whatever they contain."""
        fault = faults.AwsFault("Strange", 'a <b> & "c"', 418)
        error, status, attempts = error_of(operation, fault)
        assert (error["Code"], error["Message"], status, attempts) == (
            "Strange",
            'a <b> & "c"',
            418,
            1,
        )

    @pytest.mark.parametrize(
        ("service", "root"),
        [
            ("iam", "ErrorResponse"),
            ("cloudfront", "ErrorResponse"),
            ("ec2", "Response"),
            ("s3", "Error"),
        ],
    )
    def test_xml_has_the_root_that_the_service_writes(
        self, aws: Aws, service: str, root: str
    ) -> None:
        """Services that write XML wrap their errors each in its own way."""
        [operation] = [one for one in OPERATIONS if one.service == service]
        bodies: list[str] = []

        def look(call: ApiCall, proceed: Proceed) -> AWSResponse:
            answer = proceed()
            bodies.append(answer.text)
            return answer

        read = getattr(make_client(service), operation.method)
        with faults.inject(fault=faults.AccessDenied()), faults.inject(fault=look):
            assert code_of(read, **operation.params) == operation.denied
        assert [body.startswith(f"<{root}>") for body in bodies] == [True]

    @pytest.mark.parametrize(
        ("service", "method", "params", "code", "exception"),
        [
            (
                "iam",
                "get_server_certificate",
                {"ServerCertificateName": "web"},
                "NoSuchEntity",
                "NoSuchEntityException",
            ),
            (
                "iam",
                "delete_server_certificate",
                {"ServerCertificateName": "web"},
                "DeleteConflict",
                "DeleteConflictException",
            ),
            (
                "securityhub",
                "get_findings",
                {},
                "InvalidAccessException",
                "InvalidAccessException",
            ),
            ("appsync", "list_domain_names", {}, "BadRequestException", "BadRequestException"),
            ("s3", "get_object", {"Bucket": "archive", "Key": "key"}, "NoSuchKey", "NoSuchKey"),
            (
                "elbv2",
                "describe_listeners",
                {"LoadBalancerArn": "arn"},
                "LoadBalancerNotFound",
                "LoadBalancerNotFoundException",
            ),
            ("cloudfront", "get_distribution", {"Id": "E"}, "NoSuchDistribution", None),
            (
                "sqs",
                "receive_message",
                {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/111122223333/none"},
                "AWS.SimpleQueueService.NonExistentQueue",
                None,
            ),
        ],
    )
    def test_an_error_of_the_services_model_is_its_exception(
        self,
        aws: Aws,
        service: str,
        method: str,
        params: dict[str, str],
        code: str,
        exception: str | None,
    ) -> None:
        """A code that the service documents raises the class that `client.exceptions` has."""
        client = make_client(service)
        kind = getattr(client.exceptions, exception or code.rsplit(".", 1)[-1], ClientError)
        with faults.inject(fault=faults.AwsFault(code, "…")), pytest.raises(kind) as raised:
            getattr(client, method)(**params)
        assert raised.value.response["Error"]["Code"] == code


class TestConnections:
    """Errors of the connection, of which AWS knows nothing."""

    @every_operation
    def test_a_dropped_connection(self, aws: Aws, operation: Operation) -> None:
        """The SDK tries again, then says that the connection was closed."""
        error, attempts = fail(operation, faults.ConnectionDropped())
        assert isinstance(error, ConnectionClosedError)
        assert attempts == SDK_ATTEMPTS

    @every_operation
    def test_an_endpoint_that_does_not_resolve(self, aws: Aws, operation: Operation) -> None:
        """The SDK tries again, then says that it could not connect."""
        error, attempts = fail(operation, faults.NotOffered())
        assert isinstance(error, EndpointConnectionError)
        assert attempts == SDK_ATTEMPTS

    @pytest.mark.parametrize(("after_effect", "left"), [(False, {"web"}), (True, set())])
    def test_a_call_whose_answer_is_lost_may_have_taken_effect(
        self, aws: Aws, *, after_effect: bool, left: set[str]
    ) -> None:
        """The connection can drop before the call arrives, or before its answer does."""
        seed.upload_certificate(aws.client, "web")
        dropped = faults.ConnectionDropped(after_effect=after_effect)
        delete = make_client("iam").delete_server_certificate
        with (
            faults.inject(fault=dropped, operation="DeleteServerCertificate", times=3),
            pytest.raises((ConnectionClosedError, ClientError)),
        ):
            delete(ServerCertificateName="web")
        assert list_certificates(aws) == left


def list_certificates(aws: Aws) -> set[str]:
    listed = aws.client("iam").list_server_certificates()["ServerCertificateMetadataList"]
    return {one["ServerCertificateName"] for one in listed}


class TestTargets:
    """Which calls a fault meets."""

    @pytest.mark.parametrize(
        ("narrowing", "codes"),
        [
            ({}, ["Denied", "Denied", "Denied", "Denied"]),
            ({"service": "iam"}, ["Denied", "Denied", "OK", "OK"]),
            ({"operation": "GetServerCertificate"}, ["OK", "Denied", "OK", "OK"]),
            ({"region": "eu-west-1"}, ["OK", "OK", "OK", "Denied"]),
            ({"service": "elb", "region": "us-east-1"}, ["OK", "OK", "Denied", "OK"]),
            ({"account": "444455556666"}, ["OK", "OK", "OK", "OK"]),
            ({"account": "111122223333"}, ["Denied", "Denied", "Denied", "Denied"]),
            (
                {"when": lambda params: params.get("ServerCertificateName") == "web"},
                ["OK", "Denied", "OK", "OK"],
            ),
        ],
        ids="-".join,
    )
    def test_a_fault_meets_the_calls_it_is_for(
        self, aws: Aws, narrowing: dict[str, Any], codes: list[str]
    ) -> None:
        """Service, operation, Region, account and parameters narrow a fault down."""
        seed.upload_certificate(aws.client, "web")
        iam, elb = aws.client("iam"), aws.client("elb")
        with faults.inject(fault=faults.AwsFault("Denied", "…"), **narrowing) as injection:
            answered = [
                code_of(iam.list_server_certificates),
                code_of(iam.get_server_certificate, ServerCertificateName="web"),
                code_of(elb.describe_load_balancers),
                code_of(aws.client("elb", region="eu-west-1").describe_load_balancers),
            ]
        assert answered == codes
        assert injection.hits == codes.count("Denied")

    def test_a_fault_meets_an_account_whoever_calls(self, aws: Aws) -> None:
        """The account is the one whose credentials sign the call."""
        with faults.inject(fault=faults.AwsFault("Denied", "…"), account="444455556666"):
            other = aws.client("iam", account_id="444455556666").list_server_certificates
            own = aws.client("iam").list_server_certificates
            assert (code_of(other), code_of(own)) == ("Denied", "OK")

    def test_a_fault_happens_when_and_as_often_as_it_is_told(self, aws: Aws) -> None:
        """`after` calls pass, then `times` calls fail, then calls pass again."""
        call = aws.client("iam").list_server_certificates
        with faults.inject(fault=faults.AwsFault("Denied", "…"), after=1, times=2) as injection:
            codes = [code_of(call) for _ in range(5)]
        assert codes == ["OK", "Denied", "Denied", "OK", "OK"]
        assert (injection.hits, injection.matched) == (2, 5)

    def test_a_fault_is_over_after_its_block(self, aws: Aws) -> None:
        """Calls pass again, also when the block raised."""
        call = aws.client("iam").list_server_certificates
        with pytest.raises(ClientError), faults.inject(fault=faults.AwsFault("Denied", "…")):
            call()
        assert code_of(call) == "OK"

    def test_the_fault_injected_last_happens_first(self, aws: Aws) -> None:
        """An outer fault is only met by what an inner one lets through."""
        call = aws.client("iam").list_server_certificates
        with (
            faults.inject(fault=faults.AwsFault("Outer", "…")),
            faults.inject(fault=faults.AwsFault("Inner", "…"), times=1),
        ):
            assert (code_of(call), code_of(call)) == ("Inner", "Outer")


class TestTiming:
    """Faults that do something around a call instead of failing it."""

    def test_a_function_runs_before_the_call(self, aws: Aws) -> None:
        """The world can change between two calls."""
        later = faults.Call(lambda: seed.upload_certificate(aws.client, "web"))
        with faults.inject(fault=later, operation="ListServerCertificates"):
            assert list_certificates(aws) == {"web"}

    def test_a_function_runs_after_the_call_took_effect(self, aws: Aws) -> None:
        """What goes wrong after a call leaves its effect behind."""

        def fail() -> None:
            raise ConnectionAbortedError

        seed.upload_certificate(aws.client, "web")
        delete = aws.client("iam").delete_server_certificate
        with (
            faults.inject(fault=faults.Then(fail), operation="DeleteServerCertificate"),
            pytest.raises(ConnectionAbortedError),
        ):
            delete(ServerCertificateName="web")
        assert list_certificates(aws) == set()

    def test_after_the_function_the_answer_is_given(self, aws: Aws) -> None:
        """A function that raises nothing does not keep the answer back."""
        seen: list[set[str]] = []
        after = faults.Then(lambda: seen.append(list_certificates(aws)))
        with faults.inject(fault=after, operation="UploadServerCertificate"):
            uploaded = seed.upload_certificate(aws.client, "web")
        assert (uploaded["ServerCertificateName"], seen) == ("web", [{"web"}])

    def test_a_slow_call_is_answered_after_its_time(
        self, aws: Aws, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The answer is the real one, only late."""
        waited: list[float] = []
        monkeypatch.setattr("local.aws.faults.time.sleep", waited.append)
        with faults.inject(fault=faults.Slow(7), operation="ListServerCertificates"):
            assert list_certificates(aws) == set()
        assert waited == [7]


class TestRecordings:
    """What went out."""

    def test_every_attempt_is_recorded(self, aws: Aws) -> None:
        """A retry is a call of its own, and the SDK's waits are skipped and told."""
        call = make_client("iam", "eu-west-1").list_server_certificates
        with (
            faults.skip_backoff() as waits,
            faults.record_calls() as calls,
            faults.inject(fault=faults.Throttled(), times=1),
        ):
            call(PathPrefix="/team/")
        assert [(one.service, one.operation, one.account) for one in calls] == [
            ("iam", "ListServerCertificates", "111122223333")
        ] * 2
        assert calls[0].params == {"PathPrefix": "/team/"}
        assert len(waits) == 1

    def test_calls_are_told_apart_by_name_and_region(self, aws: Aws) -> None:
        """A recording can be asked for the calls of one operation."""
        with faults.record_calls() as calls:
            for region in ("us-east-1", "eu-west-1"):
                aws.client("elb", region=region).describe_load_balancers()
            aws.client("iam").list_server_certificates()
        described = calls.named("DescribeLoadBalancers")
        assert [call.region for call in described] == ["us-east-1", "eu-west-1"]
        assert len(calls) == 3

    def test_a_recording_ends_with_its_block(self, aws: Aws) -> None:
        """What is called afterwards is not in it."""
        with faults.record_calls() as calls:
            pass
        aws.client("iam").list_server_certificates()
        assert calls == []


class TestNotOffered:
    """Endpoints of services that a Region does not have."""

    @pytest.mark.parametrize("service", ["appsync", "elasticbeanstalk"])
    def test_where_a_service_is_missing_its_endpoint_does_not_resolve(
        self, aws: Aws, service: str
    ) -> None:
        """AppSync and Beanstalk are not in every Region; moto's answer is a bug of its own."""
        region = find_region_without(service)
        method = {"appsync": "list_domain_names", "elasticbeanstalk": "describe_applications"}
        call = getattr(make_client(service, region), method[service])
        with pytest.raises(EndpointConnectionError, match=region):
            call()
        aws.knobs.only_offered_regions = False
        with pytest.raises(KeyError, match=region):
            call()

    def test_a_knob_takes_a_service_out_of_a_region(self, aws: Aws) -> None:
        """One service in one Region is gone; the rest answers as ever."""
        aws.knobs.not_offered = frozenset({("elb", "eu-west-1")})
        with pytest.raises(EndpointConnectionError):
            make_client("elb", "eu-west-1").describe_load_balancers()
        assert code_of(make_client("elb").describe_load_balancers) == "OK"
        assert code_of(make_client("elbv2", "eu-west-1").describe_load_balancers) == "OK"

    def test_a_reset_turns_every_knob_back(self, aws: Aws) -> None:
        """What one test turned, the next does not find turned."""
        aws.knobs.not_offered = frozenset({("elb", "us-east-1")})
        aws.knobs.unprocessed_findings["id"] = None  # type: ignore[assignment]
        aws.reset()
        assert aws.knobs == type(aws.knobs)()


def find_region_without(service: str) -> str:
    session = make_session()
    offered = session.get_available_regions(service)
    without: set[str] = set(session.get_available_regions("ec2")) - set(offered)
    return min(without)


class TestElbRateLimit:
    """ELB's bucket of 40 that refills at 10 a second, an account, Region and generation."""

    @pytest.fixture
    def clock(self) -> Iterator[time_machine.Traveller]:
        """Let time stand still until it is moved."""
        with time_machine.travel(0, tick=False) as clock:
            yield clock

    @pytest.fixture
    def drain(self, aws: Aws, clock: time_machine.Traveller) -> Callable[[Any], int]:
        """Call DescribeLoadBalancers until it is throttled, and return how often it was not."""
        aws.knobs.elb_rate_limit = True

        def count(client: Any) -> int:
            answered = 0
            while code_of(client.describe_load_balancers) == "OK":
                answered += 1
                assert answered < 100, "no limit"
            return answered

        return count

    def test_forty_calls_then_ten_a_second(
        self, aws: Aws, clock: time_machine.Traveller, drain: Callable[[Any], int]
    ) -> None:
        """A full bucket lasts 40 calls, a second brings ten more, and it never overflows."""
        client = make_client("elbv2")
        counts = [drain(client)]
        for seconds in (1, 0.5, 60):
            clock.shift(seconds)
            counts.append(drain(client))
        assert counts == [40, 10, 5, 40]

    def test_buckets_are_apart(self, aws: Aws, drain: Callable[[Any], int]) -> None:
        """Another Region, account or generation of load balancers has a bucket of its own."""
        clients = [
            make_client("elbv2"),
            make_client("elb"),
            make_client("elbv2", "eu-west-1"),
            aws.client("elbv2", account_id="444455556666"),
        ]
        assert [drain(client) for client in clients] == [40] * 4
        assert drain(clients[0]) == 0

    def test_all_describe_calls_share_a_bucket(self, aws: Aws, drain: Callable[[Any], int]) -> None:
        """The limit counts calls, not operations, and only those that describe."""
        seed.create_load_balancer(aws.client, "shop")
        client = make_client("elbv2")
        for _ in range(30):
            client.describe_target_groups()
        assert drain(client) == 10
        assert code_of(client.create_target_group, Name="more", TargetType="lambda") == "OK"

    def test_without_the_knob_there_is_no_limit(self, aws: Aws) -> None:
        """As many calls are answered as there are."""
        client = make_client("elbv2")
        assert {code_of(client.describe_load_balancers) for _ in range(60)} == {"OK"}

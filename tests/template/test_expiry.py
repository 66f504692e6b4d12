"""The expiry alarms' template, alone in any Region, and what its alarms do over months."""

import re
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from local.aws.patches.events import matches
from local.fixtures.stack import Stack, load_stack
from models.expiry import Kind, Watched, compose_alarm, count_days, name_alarm
from models.settings import ExpirySettings
from tests.builders import NOW, make_arn, make_certificate
from tests.fakes_expiry import TOPIC, make_acm_arn, make_settings
from tests.template.alarms import Series, list_states
from tests.template.policies import find_policy, list_actions, list_of

REGIONS = {
    "us-east-1": "aws",
    "eu-west-1": "aws",
    "us-gov-west-1": "aws-us-gov",
    "cn-north-1": "aws-cn",
}
DEFAULTS = {
    "TopicArn": "",
    "TopicName": "",
    "ThresholdDays": 45,
    "IssuedThresholdDays": 30,
    "Scope": "Imported",
    "IamCertificates": "HomeRegion",
    "MaxAlarms": 500,
    "CodeBucketPrefix": None,
    "CodeKey": None,
    "Schedule": "rate(12 hours)",
    "ReservedConcurrency": 0,
    "LogLevel": "INFO",
    "LogRetentionDays": 365,
    "Architecture": "arm64",
}
FUNCTION = "<ExpiryFunction.Arn>"
QUEUE = "<ExpiryDeadLetterQueue.Arn>"
ROLE = "ExpiryRole"


def load(region: str = "us-east-1", **values: Any) -> Stack:
    """Return the stack in a Region, with what must be given."""
    pseudo = {"AWS::Region": region, "AWS::Partition": REGIONS[region]}
    given = {"TopicArn": TOPIC, "CodeBucketPrefix": "code", "CodeKey": "1.zip"}
    return load_stack("deploy/expiry-alarms.yaml", **pseudo, **given | values)


def read_environment(stack: Stack) -> dict[str, str]:
    return stack.environment("ExpiryFunction")


def read_settings(stack: Stack) -> ExpirySettings:
    return ExpirySettings.from_environment(read_environment(stack))


# What is deployed


def test_parameters_have_the_defaults_of_the_reference() -> None:
    """Only the code has to be named, and the topic, in one of two ways; each says what it is."""
    stack = load()
    [assertion] = stack.template["Rules"]["OneTopic"]["Assertions"]

    assert {name: one.get("Default") for name, one in stack.parameters.items()} == DEFAULTS
    assert all(one["Description"] for one in stack.parameters.values())
    groups = stack.template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for one in groups for name in one["Parameters"]) == sorted(DEFAULTS)
    for arn, name, accepted in (
        (TOPIC, "", True),
        ("", "pagerduty", True),
        ("", "", False),
        (TOPIC, "pagerduty", False),
    ):
        chosen = load(TopicArn=arn, TopicName=name)
        assert bool(chosen.resolve(assertion["Assert"])) is accepted


def test_the_settings_are_the_parameters() -> None:
    """Every variable that the function reads is set, and each has its parameter's value."""
    read = {str(field.alias) for field in ExpirySettings.model_fields.values()}

    assert read_environment(load()).keys() - read == {
        "POWERTOOLS_SERVICE_NAME",
        "POWERTOOLS_LOG_LEVEL",
    }
    assert read_settings(load(IamCertificates="Disabled")) == make_settings()
    assert read_settings(
        load(ThresholdDays=60, IssuedThresholdDays=20, Scope="All", MaxAlarms=7)
    ) == make_settings(
        threshold_days=60,
        issued_threshold_days=20,
        scope="All",
        max_alarms=7,
        iam_certificates="Enabled",
    )


@pytest.mark.parametrize("name", ["ThresholdDays", "IssuedThresholdDays", "MaxAlarms"])
def test_numbers_have_the_bounds_of_the_settings(name: str) -> None:
    """What the function would refuse cannot be deployed, and nothing else is refused."""
    declared = load().parameters[name]
    field = {"ThresholdDays": "threshold_days", "MaxAlarms": "max_alarms"}.get(
        name, "issued_threshold_days"
    )

    for value in (declared["MinValue"], declared["MaxValue"]):
        assert getattr(read_settings(load(**{name: value})), field) == value
    for value in (declared["MinValue"] - 1, declared["MaxValue"] + 1):
        with pytest.raises(ValueError, match=field.upper()):
            read_settings(load(**{name: value}))


@pytest.mark.parametrize(
    ("region", "choice", "expected"),
    [
        ("us-east-1", "HomeRegion", True),
        ("eu-west-1", "HomeRegion", False),
        ("us-gov-west-1", "HomeRegion", True),
        ("cn-north-1", "HomeRegion", True),
        ("eu-west-1", "Enabled", True),
        ("us-east-1", "Disabled", False),
    ],
)
def test_one_region_looks_at_iam(region: str, choice: str, *, expected: bool) -> None:
    """A StackSet over every Region watches IAM once, with the permissions for it there alone."""
    stack = load(region, IamCertificates=choice)
    actions = list_actions(stack.statements(ROLE))

    assert (read_environment(stack)["IAM_CERTIFICATES"] == "Enabled") is expected
    assert ({"iam:ListServerCertificates", "cloudwatch:PutMetricData"} <= actions) is expected


@pytest.mark.parametrize("region", REGIONS)
def test_a_stack_set_finds_topic_and_code_in_each_region(region: str) -> None:
    """The topic's name and the buckets' prefix lead to those of the Region."""
    stack = load(region, TopicArn="", TopicName="pagerduty-platform")
    topic = f"arn:{REGIONS[region]}:sns:{region}:111122223333:pagerduty-platform"

    assert read_settings(stack).topic_arn == topic
    assert read_settings(stack).topic_region == region
    assert stack.properties("ExpiryFunction")["Code"]["S3Bucket"] == f"code-{region}"
    for alarm in stack.of_type("AWS::CloudWatch::Alarm").values():
        assert alarm["Properties"]["AlarmActions"] == [topic]


def test_a_stack_set_takes_the_template() -> None:
    """There is no transform, which service-managed StackSets refuse, and no name of a role."""
    stack = load()

    assert "Transform" not in stack.template
    assert "RoleName" not in stack.properties(ROLE)


def test_a_region_has_one_stack_at_most() -> None:
    """Two would undo each other's alarms, so what they create has the same names."""
    stack = load(**{"AWS::StackName": "StackSet-any-name"})

    assert stack.properties("ExpiryFunction")["FunctionName"] == "iam26-expiry-alarms"
    assert stack.properties("ExpiryLogGroup")["LogGroupName"] == "/aws/lambda/iam26-expiry-alarms"
    assert stack.properties("ExpiryDeadLetterQueue")["QueueName"] == "iam26-expiry-alarms-failed"


def test_the_function_runs_the_entry_point() -> None:
    """It has Python 3.13, the chosen processor, JSON logs and a log group of its own."""
    function = load(Architecture="x86_64", LogLevel="DEBUG").properties("ExpiryFunction")

    assert function["Handler"] == "handlers.expiry_alarms.handler"
    assert function["Runtime"] == "python3.13"
    assert function["Architectures"] == ["x86_64"]
    assert function["LoggingConfig"] == {
        "LogGroup": "<ExpiryLogGroup>",
        "LogFormat": "JSON",
        "ApplicationLogLevel": "DEBUG",
    }
    assert load(LogRetentionDays=30).properties("ExpiryLogGroup")["RetentionInDays"] == 30


def test_a_first_run_of_the_default_cap_has_time() -> None:
    """Three alarms a second, which CloudWatch takes, make up the cap in half the timeout."""
    stack = load()

    assert (
        stack.parameters["MaxAlarms"]["Default"] / 3
        < stack.properties("ExpiryFunction")["Timeout"] / 2
    )


# What starts it


@pytest.mark.parametrize(
    ("source", "kind", "expected"),
    [
        ("aws.acm", "ACM Certificate Available", True),
        ("aws.acm", "ACM Certificate Approaching Expiration", True),
        ("aws.acm", "ACM Certificate Expired", False),
        ("aws.acm", "ACM Certificate Renewal Action Required", False),
        ("custom.acm", "ACM Certificate Available", False),
    ],
)
def test_events_of_acm_start_it(source: str, kind: str, *, expected: bool) -> None:
    """A new certificate has its alarm without waiting for the schedule."""
    event = {
        "source": source,
        "detail-type": kind,
        "resources": [make_acm_arn(1)],
        "detail": {"DaysToExpiry": 31},
    }

    assert matches(load().properties("AcmRule")["EventPattern"], event) is expected


@pytest.mark.parametrize("rule", ["ScheduleRule", "AcmRule"])
def test_each_rule_starts_the_function_and_saves_what_it_cannot(rule: str) -> None:
    """The function lets the rule invoke it, and the queue lets the rule save its event."""
    stack = load()
    [target] = stack.properties(rule)["Targets"]
    permissions = [one["Properties"] for one in stack.of_type("AWS::Lambda::Permission").values()]
    allowed, *_ = find_policy(stack, "AWS::SQS::QueuePolicy", "<ExpiryDeadLetterQueue>")

    assert (target["Arn"], target["DeadLetterConfig"]["Arn"]) == (FUNCTION, QUEUE)
    assert {
        "FunctionName": "<ExpiryFunction>",
        "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com",
        "SourceArn": f"<{rule}.Arn>",
    } in permissions
    assert f"<{rule}.Arn>" in allowed["Condition"]["ArnEquals"]["aws:SourceArn"]


def test_the_schedule_is_a_parameter() -> None:
    """What is asked for is the rule's schedule, and only what EventBridge takes can be."""
    stack = load(Schedule="rate(6 hours)")
    allowed = stack.parameters["Schedule"]["AllowedPattern"]

    assert stack.properties("ScheduleRule")["ScheduleExpression"] == "rate(6 hours)"
    assert re.fullmatch(allowed, "cron(0 6 * * ? *)")
    assert not re.fullmatch(allowed, "12 hours")


# What happens when it fails


def test_an_abandoned_run_is_saved_and_told() -> None:
    """It is retried twice, then saved in a queue that has an alarm, as each failure has."""
    stack = load()
    config = stack.properties("ExpiryInvocations")
    watched = {
        (one["Properties"]["MetricName"], one["Properties"]["Dimensions"][0]["Value"])
        for one in stack.of_type("AWS::CloudWatch::Alarm").values()
    }

    assert config["MaximumRetryAttempts"] == 2
    assert config["MaximumEventAgeInSeconds"] == 6 * 3600
    assert config["DestinationConfig"] == {"OnFailure": {"Destination": QUEUE}}
    assert watched == {
        ("Errors", "<ExpiryFunction>"),
        ("ApproximateNumberOfMessagesVisible", "<ExpiryDeadLetterQueue.QueueName>"),
        ("InvocationsFailedToBeSentToDlq", "<ScheduleRule>"),
    }


@pytest.mark.parametrize(("chosen", "reserved"), [(0, "<AWS::NoValue>"), (1, 1), (10, 10)])
def test_runs_at_once_are_limited_if_asked_for(chosen: int, reserved: object) -> None:
    """By default nothing is reserved, which accounts with the smallest quota would refuse."""
    function = load(ReservedConcurrency=chosen).properties("ExpiryFunction")

    assert function.get("ReservedConcurrentExecutions", "<AWS::NoValue>") == reserved


def test_every_alarm_on_a_failure_fires_at_the_first() -> None:
    """One failure is enough, and where nothing runs nothing fires."""
    for alarm in load().of_type("AWS::CloudWatch::Alarm").values():
        properties = alarm["Properties"]
        assert (properties["Threshold"], properties["EvaluationPeriods"]) == (1, 1)
        assert properties["TreatMissingData"] == "notBreaching"
        assert "docs/runbook.md" in properties["AlarmDescription"]


def test_the_queue_is_for_these_runs_alone() -> None:
    """It is encrypted, keeps for 14 days, takes nobody else's messages and requires TLS."""
    stack = load()
    queue = stack.properties("ExpiryDeadLetterQueue")
    _, others, plain = find_policy(stack, "AWS::SQS::QueuePolicy", "<ExpiryDeadLetterQueue>")

    assert queue["SqsManagedSseEnabled"] is True
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert queue["RedriveAllowPolicy"] == {"redrivePermission": "denyAll"}
    assert (others["Effect"], others["Principal"], others["Action"]) == (
        "Deny",
        "*",
        "sqs:SendMessage",
    )
    assert others["Condition"] == {
        "ArnNotEquals": {"aws:PrincipalArn": "<ExpiryRole.Arn>"},
        "Bool": {"aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false"},
    }
    assert (plain["Effect"], plain["Condition"]) == (
        "Deny",
        {"Bool": {"aws:SecureTransport": "false"}},
    )


# What it may do

ON_EVERYTHING = {
    "acm:ListCertificates": "has no resource-level permissions",
    "cloudwatch:DescribeAlarms": "lists every alarm, whose names are only known then",
    "iam:ListServerCertificates": "has no resource-level permissions",
    "cloudwatch:PutMetricData": "metrics are no resources; narrowed to the namespace",
}
ON_OURS = {
    "cloudwatch:ListTagsForResource",
    "cloudwatch:PutMetricAlarm",
    "cloudwatch:TagResource",
    "cloudwatch:DeleteAlarms",
}


def test_the_role_allows_what_is_needed_and_no_more() -> None:
    """Each action is spelled out, and those on every resource are listed with a reason."""
    statements = load().statements(ROLE)
    on_everything = [one for one in statements if one["Resource"] == "*"]

    assert list_actions(on_everything) == ON_EVERYTHING.keys()
    assert list_actions(statements) - ON_EVERYTHING.keys() == ON_OURS | {
        "sqs:SendMessage",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }
    assert "ManagedPolicyArns" not in load().properties(ROLE)
    [publishing] = [one for one in statements if one["Sid"] == "PublishDaysToExpiry"]
    assert publishing["Condition"] == {"StringEquals": {"cloudwatch:namespace": "IAM26Remediation"}}


@pytest.mark.parametrize("region", REGIONS)
def test_only_alarms_with_our_names_can_be_changed(region: str) -> None:
    """Every name that is made is allowed, and what an operator would type is not."""
    names = [
        name_alarm(Watched(kind, make_acm_arn(1), name))
        for kind in Kind
        for name in ("api.example.com", "*.example.com", "a" * 300)
    ]
    theirs = ["acm-imported-api-example-com-expiry", "iam-role-changes", "payments-errors"]
    start = f"arn:{REGIONS[region]}:cloudwatch:{region}:111122223333:alarm:"

    for action in ON_OURS:
        [statement] = [
            one for one in load(region).statements(ROLE) if action in list_of(one["Action"])
        ]
        patterns = [re.escape(one) for one in statement["Resource"]]
        patterns = [one.replace(r"\*", ".*").replace(r"\?", ".") for one in patterns]
        allowed = re.compile("|".join(patterns))
        assert all(allowed.fullmatch(start + name) for name in names)
        assert not [name for name in theirs if allowed.fullmatch(start + name)]


def test_only_alarms_with_our_tag_can_be_removed() -> None:
    """Even a defect could not delete what somebody else made."""
    [statement] = [
        one for one in load().statements(ROLE) if one["Action"] == "cloudwatch:DeleteAlarms"
    ]

    assert statement["Condition"] == {"StringEquals": {"aws:ResourceTag/iam26": "expiry-alarm"}}


def test_only_lambda_assumes_the_role() -> None:
    """Nobody else may act as the function."""
    [trust] = load().properties(ROLE)["AssumeRolePolicyDocument"]["Statement"]

    assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}


# What an alarm does, day by day

HALF_A_DAY = 12 * 60
DAY = 2 * HALF_A_DAY


def measure(days_left: list[int | None]) -> Series:
    """Return a metric that has a value every 12 hours while a certificate is valid."""
    return [
        left if minute in {0, HALF_A_DAY} else None for left in days_left for minute in range(DAY)
    ]


def play(days_left: list[int | None], kind: Kind = Kind.IMPORTED, every: int = DAY) -> list[str]:
    """Return the state of an alarm at the end of each day, or of each so many minutes."""
    watched = Watched(kind, make_arn(), "example-cert")
    alarm = compose_alarm(watched, make_settings()).model_dump(by_alias=True)
    series = {(alarm["Namespace"], alarm["MetricName"], make_arn()): measure(days_left)}
    return list_states(alarm, series, range(every - 1, len(days_left) * DAY, every))


def count_down(first: int, last: int) -> list[int | None]:
    """Return the days left of a certificate, none of which are measured once it has expired."""
    return [left if left >= 0 else None for left in range(first, last - 1, -1)]


@pytest.mark.parametrize(
    ("kind", "threshold"), [(Kind.IMPORTED, 45), (Kind.ISSUED, 30), (Kind.IAM, 45)]
)
def test_an_alarm_fires_once_at_its_threshold_and_stays(kind: Kind, threshold: int) -> None:
    """From 90 days to 5 after the end it changes once, and an expired certificate is in ALARM."""
    states = play(count_down(90, -5), kind)

    fires = 90 - threshold
    assert states == ["OK"] * fires + ["ALARM"] * (len(states) - fires)


def test_an_alarm_recovers_after_the_renewal() -> None:
    """Renewed with 20 days left, it is OK from then on, having fired once, at 45 days."""
    states = play([*count_down(90, 20), *count_down(397, 300)])

    assert states == ["OK"] * 45 + ["ALARM"] * 26 + ["OK"] * 98


def test_no_hour_of_a_day_is_different() -> None:
    """Between two values nothing changes: it fires once, and recovers once."""
    hours = play([*count_down(48, 20), *count_down(397, 390)], every=60)
    changes = [one for before, one in pairwise(hours) if one != before]

    assert changes == ["ALARM", "OK"]
    assert hours.index("ALARM") == 3 * 24


def test_a_renewal_in_time_pages_nobody() -> None:
    """Renewed with 46 days left, it never fires."""
    assert set(play([*count_down(90, 46), *count_down(397, 350)])) == {"OK"}


def test_a_new_certificate_pages_nobody() -> None:
    """Before its first value, the alarm says that it knows nothing."""
    assert play([None, None, 397]) == ["INSUFFICIENT_DATA", "INSUFFICIENT_DATA", "OK"]


def test_the_metric_for_iam_counts_as_that_of_acm() -> None:
    """What is published of a server certificate goes down to 0 and ends, as the series here do."""
    certificate = make_certificate(expiration=NOW + timedelta(days=3))

    counted = [
        count_days([certificate], NOW + timedelta(days=day)).get(certificate.arn)
        for day in range(5)
    ]

    assert counted == [3, 2, 1, None, None]

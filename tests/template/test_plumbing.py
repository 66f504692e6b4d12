"""Queues, archive, topic, logs and alarms: nothing is lost, nothing fails silently."""

import json
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped] # cfn-lint brings it; it ships no types

from local.fixtures.stack import PROJECT, Stack, Statement, load_stack
from tests.template.policies import find_policy, list_of

STACK = load_stack()
OBSERVABILITY = STACK.nested("ObservabilityStack")
QUEUES = ["Queue", "DeadLetterQueue", "SweepDeadLetterQueue"]
RULES = ["ImportedRule", "CustomActionRule", "SweepRule"]
FUNCTIONS = ["RemediateFunction", "SweepFunction"]
FOURTEEN_DAYS = 14 * 24 * 3600
CHECKOV = PROJECT / ".checkov.yaml"


def allowed_senders(queue: str) -> list[Any]:
    """Return who may send to a queue: rules, and principals of AWS accounts."""
    senders: list[Any] = []
    for statement in find_policy(STACK, "AWS::SQS::QueuePolicy", f"<{queue}>"):
        if statement["Effect"] == "Allow":
            assert statement["Action"] == "sqs:SendMessage"
            assert statement["Resource"] == f"<{queue}.Arn>"
            senders += _list_senders(statement)
    return senders


def _list_senders(statement: Statement) -> list[Any]:
    if "AWS" in statement["Principal"]:
        return [statement["Principal"]["AWS"]]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    return list_of(statement["Condition"]["ArnEquals"]["aws:SourceArn"])


@pytest.mark.parametrize("queue", sorted(STACK.of_type("AWS::SQS::Queue")))
def test_every_queue_is_encrypted_and_keeps_for_14_days(queue: str) -> None:
    """SQS encrypts each queue, and messages are kept for as long as SQS allows."""
    properties = STACK.properties(queue)

    assert properties["SqsManagedSseEnabled"] is True
    assert properties["MessageRetentionPeriod"] == FOURTEEN_DAYS


@pytest.mark.parametrize("queue", sorted(STACK.of_type("AWS::SQS::Queue")))
def test_every_queue_requires_tls(queue: str) -> None:
    """Each queue's policy denies sending and receiving without TLS."""
    denials = [
        statement
        for statement in find_policy(STACK, "AWS::SQS::QueuePolicy", f"<{queue}>")
        if statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
    ]

    [denial] = denials
    assert denial["Effect"] == "Deny"
    assert denial["Principal"] == "*"
    assert denial["Resource"] == f"<{queue}.Arn>"
    assert {"sqs:SendMessage", "sqs:ReceiveMessage"} <= set(denial["Action"])


def test_only_the_rules_and_the_sweep_can_send() -> None:
    """Each queue's policy allows exactly the senders that the queue is for."""
    assert {queue: allowed_senders(queue) for queue in QUEUES} == {
        "Queue": ["<ImportedRule.Arn>", "<CustomActionRule.Arn>", "<SweepRole.Arn>"],
        "DeadLetterQueue": ["<ImportedRule.Arn>", "<CustomActionRule.Arn>"],
        "SweepDeadLetterQueue": ["<SweepRule.Arn>"],
    }


# Who of the account's own principals sends to each queue; rules are services of AWS.
OWN_SENDERS = {
    "Queue": "<SweepRole.Arn>",
    "DeadLetterQueue": None,
    "SweepDeadLetterQueue": "<SweepRole.Arn>",
}


@pytest.mark.parametrize("queue", sorted(STACK.of_type("AWS::SQS::Queue")))
def test_a_permission_to_send_to_any_queue_is_not_enough(queue: str) -> None:
    """Each queue denies sending to everyone but AWS services and whoever it is for."""
    [denial] = [
        statement
        for statement in find_policy(STACK, "AWS::SQS::QueuePolicy", f"<{queue}>")
        if statement["Sid"] == "NobodyElseSends"
    ]
    sender = OWN_SENDERS[queue]
    but = {"ArnNotEquals": {"aws:PrincipalArn": sender}} if sender else {}

    assert denial == {
        "Sid": "NobodyElseSends",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:SendMessage",
        "Resource": f"<{queue}.Arn>",
        "Condition": but
        | {"Bool": {"aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false"}},
    }


def test_no_queue_of_somebody_else_gives_its_dead_letters_to_ours() -> None:
    """Only the remediation queue has its dead letters here, and only in the dead-letter queue."""
    name = STACK.properties("Queue")["QueueName"]
    nobody = {"redrivePermission": "denyAll"}

    assert {
        queue: one["Properties"].get("RedriveAllowPolicy")
        for queue, one in STACK.of_type("AWS::SQS::Queue").items()
    } == {
        "Queue": nobody,
        "DeadLetterQueue": {
            "redrivePermission": "byQueue",
            "sourceQueueArns": [f"arn:aws:sqs:us-east-1:111122223333:{name}"],
        },
        "SweepDeadLetterQueue": nobody,
    }


def test_a_message_received_five_times_moves_to_the_dead_letter_queue() -> None:
    """After five receives a message moves to the dead-letter queue."""
    assert STACK.properties("Queue")["RedrivePolicy"] == {
        "deadLetterTargetArn": "<DeadLetterQueue.Arn>",
        "maxReceiveCount": 5,
    }


@pytest.mark.parametrize("rule", sorted(STACK.of_type("AWS::Events::Rule")))
def test_every_target_has_a_dead_letter_queue_that_accepts_its_rule(rule: str) -> None:
    """What a rule cannot deliver is saved, and the queue's policy allows the rule to send it."""
    for target in STACK.properties(rule)["Targets"]:
        saved_in = target["DeadLetterConfig"]["Arn"].strip("<>").removesuffix(".Arn")

        assert f"<{rule}.Arn>" in allowed_senders(saved_in)


def test_events_go_to_the_queue_and_the_schedule_to_the_sweep() -> None:
    """Each rule has one target, which accepts it."""
    targets = {
        rule: [target["Arn"] for target in STACK.properties(rule)["Targets"]] for rule in RULES
    }
    permission = STACK.properties("SweepPermission")

    assert targets == {
        "ImportedRule": ["<Queue.Arn>"],
        "CustomActionRule": ["<Queue.Arn>"],
        "SweepRule": ["<SweepFunction.Arn>"],
    }
    assert permission["SourceArn"] == "<SweepRule.Arn>"
    assert permission["FunctionName"] == "<SweepFunction>"
    assert permission["Principal"] == "events.amazonaws.com"


def test_a_message_is_retried_only_after_its_invocation_ended() -> None:
    """The visibility timeout is six times the function's timeout plus the batching window."""
    function = STACK.properties("RemediateFunction")
    source = function["Events"]["Queue"]["Properties"]
    window = source["MaximumBatchingWindowInSeconds"]

    assert STACK.properties("Queue")["VisibilityTimeout"] == 6 * function["Timeout"] + window


def test_messages_of_a_batch_fail_one_by_one() -> None:
    """The event source delivers batches, retries single messages and starts few invocations."""
    source = STACK.properties("RemediateFunction")["Events"]["Queue"]

    assert source["Type"] == "SQS"
    assert source["Properties"] == {
        "Queue": "<Queue.Arn>",
        "BatchSize": 20,
        "MaximumBatchingWindowInSeconds": 60,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 2},
    }


def test_an_abandoned_sweep_is_saved() -> None:
    """Lambda retries a failed sweep, and then sends it to the queue of failed sweeps."""
    config = STACK.properties("SweepFunction")["EventInvokeConfig"]

    assert config["MaximumRetryAttempts"] == 2
    assert config["DestinationConfig"]["OnFailure"] == {
        "Type": "SQS",
        "Destination": "<SweepDeadLetterQueue.Arn>",
    }


def test_the_archive_is_protected_and_outlives_the_stack() -> None:
    """The bucket is versioned, encrypted and private, and is retained with its policy."""
    bucket = STACK.properties("ArchiveBucket")
    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]

    for name in ("ArchiveBucket", "ArchiveBucketPolicy"):
        assert STACK.resources[name]["DeletionPolicy"] == "Retain"
        assert STACK.resources[name]["UpdateReplacePolicy"] == "Retain"
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4


def test_the_archive_requires_tls() -> None:
    """Every request to the bucket or its objects without TLS is denied."""
    [denial] = find_policy(STACK, "AWS::S3::BucketPolicy", "<ArchiveBucket>")

    assert denial["Effect"] == "Deny"
    assert denial["Principal"] == "*"
    assert denial["Action"] == "s3:*"
    assert denial["Resource"] == ["<ArchiveBucket.Arn>", "<ArchiveBucket.Arn>/*"]
    assert denial["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_alarms_can_publish_to_the_topic() -> None:
    """The topic allows alarms of this account to publish, and no KMS key prevents it."""
    policy = find_policy(STACK, "AWS::SNS::TopicPolicy", "<Topic>")
    [alarms] = [one for one in policy if one["Sid"] == "OurAlarmsPublish"]

    assert alarms["Effect"] == "Allow"
    assert alarms["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert alarms["Action"] == "sns:Publish"
    assert alarms["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111122223333"},
        "ArnLike": {"aws:SourceArn": "arn:aws:cloudwatch:us-east-1:111122223333:alarm:*"},
    }
    assert "KmsMasterKeyId" not in STACK.properties("Topic")


def test_nobody_else_can_publish_to_the_topic() -> None:
    """Besides alarms, only the two functions may publish, and only over TLS."""
    policy = find_policy(STACK, "AWS::SNS::TopicPolicy", "<Topic>")

    assert [one["Principal"] for one in policy if one["Effect"] == "Allow"] == [
        {"AWS": ["<RemediateRole.Arn>", "<SweepRole.Arn>"]},
        {"Service": "cloudwatch.amazonaws.com"},
    ]
    assert [one["Condition"] for one in policy if one["Effect"] == "Deny"] == [
        {"Bool": {"aws:SecureTransport": "false"}}
    ]


def test_the_email_address_is_subscribed() -> None:
    """NotificationEmail is subscribed to the topic."""
    properties = load_stack(NotificationEmail="team@example.com").properties("EmailSubscription")

    assert properties == {
        "TopicArn": "<Topic>",
        "Protocol": "email",
        "Endpoint": "team@example.com",
    }


def list_receivers(stack: Stack, attributes: dict[str, str], *topics: str) -> list[str]:
    """Return the addresses that get a message, once for each subscription that lets it pass.

    https://docs.aws.amazon.com/sns/latest/dg/attribute-key-matching.html: without any attribute
    no filter policy lets it pass.
    """
    return [
        properties["Endpoint"]
        for one in stack.of_type("AWS::SNS::Subscription").values()
        if (properties := one["Properties"])["TopicArn"] in topics
        and all(
            attributes.get(name) in accepted
            for name, accepted in properties.get("FilterPolicy", {}).items()
        )
    ]


@pytest.mark.parametrize(
    ("frequency", "outcome", "is_received"),
    [
        ("Each", "deleted", True),
        ("Each", "digest", True),
        ("Daily", "deleted", False),
        ("Daily", "unverified", False),
        ("Daily", "digest", True),
    ],
)
def test_the_address_gets_what_was_asked_for(
    frequency: str, outcome: str, *, is_received: bool
) -> None:
    """With `Each` every message reaches the address, with `Daily` the digest alone."""
    stack = load_stack(NotificationEmail="team@example.com", EmailFrequency=frequency)
    attributes = {"outcome": outcome, "accountId": "111122223333"}

    received = list_receivers(stack, attributes, "<Topic>")

    assert received == ["team@example.com"] * is_received


@pytest.mark.parametrize("frequency", ["Each", "Daily"])
@pytest.mark.parametrize(
    "alarm",
    [
        name
        for kind in ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
        for name in sorted(OBSERVABILITY.of_type(kind))
        # The halves of a composite alarm tell nobody by themselves.
        if name not in {"MessagesWait", "RemediateRuns"}
    ],
)
def test_the_address_gets_each_alarm_once(alarm: str, frequency: str) -> None:
    """Alarms have no attributes, and reach the address whatever it wants to hear of besides."""
    stack = load_stack(NotificationEmail="team@example.com", EmailFrequency=frequency)
    topics = stack.nested("ObservabilityStack").properties(alarm)["AlarmActions"]

    assert "<Topic>" in topics
    assert list_receivers(stack, {}, *topics) == ["team@example.com"]


def test_alarms_can_publish_to_a_topic_of_their_own() -> None:
    """The topic for alarms alone lets alarms of this account publish over TLS, and nobody else."""
    stack = load_stack(NotificationEmail="team@example.com", EmailFrequency="Daily")
    allowed, denied = find_policy(stack, "AWS::SNS::TopicPolicy", "<AlarmTopic>")
    [alarms] = [
        one
        for one in find_policy(stack, "AWS::SNS::TopicPolicy", "<Topic>")
        if one["Sid"] == "OurAlarmsPublish"
    ]

    assert allowed == alarms | {"Resource": "<AlarmTopic>"}
    assert (denied["Effect"], denied["Principal"]) == ("Deny", "*")
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert "KmsMasterKeyId" not in stack.properties("AlarmTopic")


@pytest.mark.parametrize("values", [{}, {"EmailFrequency": "Daily"}])
def test_without_an_address_there_is_nothing_to_subscribe(values: dict[str, str]) -> None:
    """A topic for alarms alone is there only for an address that wants the digest alone."""
    stack = load_stack(**values)

    assert not stack.of_type("AWS::SNS::Subscription")
    assert stack.of_type("AWS::SNS::Topic").keys() == {"Topic"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_logs_are_json_and_kept_for_the_retention_period(function: str) -> None:
    """Each function logs JSON to a log group of the stack, with the retention asked for."""
    stack = load_stack(LogRetentionDays=30)
    config = stack.function(function)["LoggingConfig"]

    assert config["LogFormat"] == "JSON"
    assert stack.properties(config["LogGroup"].strip("<>"))["RetentionInDays"] == 30


# Alarms

ALARMS = {
    name: one["Properties"] for name, one in OBSERVABILITY.of_type("AWS::CloudWatch::Alarm").items()
}
NOTIFYING = {
    name: one["Properties"]
    for kind in ("Alarm", "CompositeAlarm")
    for name, one in OBSERVABILITY.of_type(f"AWS::CloudWatch::{kind}").items()
    if "AlarmActions" in one["Properties"]
}


def watched() -> set[tuple[str, str, str]]:
    """Return what the alarms watch: namespace, metric and resource."""
    return {
        (one["Namespace"], one["MetricName"], dimension["Value"].strip("<>"))
        for one in ALARMS.values()
        for dimension in one["Dimensions"]
    }


def test_every_resource_that_can_fail_has_an_alarm() -> None:
    """All queues, functions, rules and the topic of the stack are watched, and nothing else."""
    wanted = {
        ("AWS/Lambda", "Invocations", "RemediateFunction"),
        ("AWS/SNS", "NumberOfNotificationsFailed", "Topic.TopicName"),
    }
    for queue in STACK.of_type("AWS::SQS::Queue"):
        wanted.add(("AWS/SQS", "ApproximateNumberOfMessagesVisible", f"{queue}.QueueName"))
    for function in STACK.of_type("AWS::Serverless::Function"):
        wanted |= {("AWS/Lambda", metric, function) for metric in ("Errors", "Throttles")}
    for rule in STACK.of_type("AWS::Events::Rule"):
        wanted |= {
            ("AWS/Events", metric, rule)
            for metric in ("FailedInvocations", "InvocationsFailedToBeSentToDlq")
        }
    for metric in ("PostponedFindings", "RejectedFindingUpdates", "FailedNotifications"):
        wanted.add(("IAM26Remediation", metric, "iam26-remediation"))

    assert watched() == wanted


@pytest.mark.parametrize("alarm", sorted(NOTIFYING))
def test_every_alarm_notifies_and_says_what_to_do(alarm: str) -> None:
    """Each alarm notifies the topic, and says what to do."""
    description = NOTIFYING[alarm]["AlarmDescription"]
    advice = ("Look", "look", "Check", "log", "raise")

    assert NOTIFYING[alarm]["AlarmActions"] == ["<Topic>"]
    assert any(word in description for word in advice)
    assert 100 < len(description) <= 1024


@pytest.mark.parametrize("alarm", sorted(ALARMS))
def test_every_alarm_watches_one_metric(alarm: str) -> None:
    """No alarm computes with several metrics, one of which may never have existed."""
    assert "Metrics" not in ALARMS[alarm]
    assert ALARMS[alarm]["TreatMissingData"] == "notBreaching"
    assert ALARMS[alarm]["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"


def test_alarms_fire_at_the_first_failure() -> None:
    """Every alarm fires at the first failure, except the two that mean 'for too long'."""
    too_long = {"MessagesWait", "RemediateRuns", "PostponedFindingsAlarm"}

    assert {
        (one["Threshold"], one["EvaluationPeriods"])
        for name, one in ALARMS.items()
        if name not in too_long
    } == {(1, 1)}


def test_what_is_no_alarm_by_itself_is_half_of_one() -> None:
    """What notifies nobody is in the rule of the one composite alarm."""
    rule = NOTIFYING["QueueStalledAlarm"]["AlarmRule"]

    assert rule == 'ALARM("<MessagesWait>") AND NOT ALARM("<RemediateRuns>")'
    assert ALARMS.keys() - NOTIFYING.keys() == {"MessagesWait", "RemediateRuns"}


def test_alarms_watch_the_service_that_the_functions_report_as() -> None:
    """The metrics that alarms watch have the service name that the functions are given."""
    services = {name for namespace, _, name in watched() if namespace == "IAM26Remediation"}

    for function in FUNCTIONS:
        variables = STACK.function(function)["Environment"]["Variables"]
        assert services == {variables["POWERTOOLS_SERVICE_NAME"]}


TEMPLATES = [
    "template.yaml",
    *(f"deploy/{one.name}" for one in (PROJECT / "deploy").glob("*.yaml")),
]


def read_checkov_config() -> dict[str, list[str]]:
    """Return the configuration of checkov."""
    config: dict[str, list[str]] = yaml.safe_load(CHECKOV.read_text())
    return config


def test_checkov_checks_every_template() -> None:
    """No template escapes the security checks."""
    assert sorted(read_checkov_config()["file"]) == sorted(TEMPLATES)


def test_every_check_skipped_everywhere_has_a_reason() -> None:
    """A check that is skipped for all templates says why in the lines above it."""
    above: list[str] = []
    for line in CHECKOV.read_text().partition("skip-check:")[2].splitlines():
        if line.startswith("  - "):
            assert len(" ".join(above)) > 40, line
            above = []
        else:
            above.append(line.strip(" #"))


@pytest.mark.parametrize("file", TEMPLATES)
def test_every_check_skipped_for_a_resource_has_a_reason(file: str) -> None:
    """A check that is skipped for a resource says why, beside it, and is not skipped anyway."""
    template = load_stack(file).template
    everywhere = read_checkov_config()["skip-check"]
    assert "checkov:skip" not in json.dumps(template)
    for resource in template["Resources"].values():
        for skipped in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
            assert len(skipped["comment"]) > 40
            assert skipped["id"] not in everywhere

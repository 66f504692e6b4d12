"""Queues, archive, topic, logs and alarms: nothing is lost, nothing fails silently."""

import json
from typing import Any

import pytest

from tests.template.stack import Statement, find_policy, list_of, load_stack

STACK = load_stack()
QUEUES = ["Queue", "DeadLetterQueue", "SweepDeadLetterQueue"]
RULES = ["ImportedRule", "CustomActionRule", "SweepRule"]
FUNCTIONS = ["RemediateFunction", "SweepFunction"]
FOURTEEN_DAYS = 14 * 24 * 3600


def allowed_senders(queue: str) -> list[Any]:
    """Who may send to a queue: the rules, and principals of AWS accounts."""
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
    """SQS encrypts each queue, and nothing is dropped earlier than it must be."""
    properties = STACK.properties(queue)

    assert properties["SqsManagedSseEnabled"] is True
    assert properties["MessageRetentionPeriod"] == FOURTEEN_DAYS


@pytest.mark.parametrize("queue", sorted(STACK.of_type("AWS::SQS::Queue")))
def test_every_queue_is_reached_over_tls_alone(queue: str) -> None:
    """Each queue's policy denies messages, in both directions, without TLS."""
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


def test_only_the_rules_and_the_sweep_send() -> None:
    """The policies let exactly those send whose messages each queue is for."""
    assert {queue: allowed_senders(queue) for queue in QUEUES} == {
        "Queue": ["<ImportedRule.Arn>", "<CustomActionRule.Arn>", "<SweepRole.Arn>"],
        "DeadLetterQueue": ["<ImportedRule.Arn>", "<CustomActionRule.Arn>"],
        "SweepDeadLetterQueue": ["<SweepRule.Arn>"],
    }


def test_a_permission_to_send_anywhere_does_not_reach_the_queue() -> None:
    """Whoever is neither a service of AWS nor the sweep is denied, whatever their own policies."""
    [denial] = [
        statement
        for statement in find_policy(STACK, "AWS::SQS::QueuePolicy", "<Queue>")
        if statement["Sid"] == "NobodyElseSends"
    ]

    assert denial == {
        "Sid": "NobodyElseSends",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:SendMessage",
        "Resource": "<Queue.Arn>",
        "Condition": {
            "ArnNotEquals": {"aws:PrincipalArn": "<SweepRole.Arn>"},
            "Bool": {"aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false"},
        },
    }


def test_what_fails_five_times_waits_behind_the_queue() -> None:
    """The queue redrives to the dead-letter queue."""
    assert STACK.properties("Queue")["RedrivePolicy"] == {
        "deadLetterTargetArn": "<DeadLetterQueue.Arn>",
        "maxReceiveCount": 5,
    }


@pytest.mark.parametrize("rule", sorted(STACK.of_type("AWS::Events::Rule")))
def test_every_target_has_a_dead_letter_queue_that_takes_from_it(rule: str) -> None:
    """What a rule cannot deliver is kept, and the queue's policy lets the rule do so."""
    for target in STACK.properties(rule)["Targets"]:
        kept_in = target["DeadLetterConfig"]["Arn"].strip("<>").removesuffix(".Arn")

        assert f"<{rule}.Arn>" in allowed_senders(kept_in)


def test_doors_lead_to_the_queue_and_the_schedule_to_the_sweep() -> None:
    """Each rule has one target, which lets it in."""
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


def test_a_message_comes_again_only_after_its_invocation() -> None:
    """The visibility timeout is six times the function's timeout, and the batching window."""
    function = STACK.properties("RemediateFunction")
    source = function["Events"]["Queue"]["Properties"]
    window = source["MaximumBatchingWindowInSeconds"]

    assert STACK.properties("Queue")["VisibilityTimeout"] == 6 * function["Timeout"] + window


def test_a_batch_fails_in_parts() -> None:
    """The queue hands over batches, takes back single messages, and starts few invocations."""
    source = STACK.properties("RemediateFunction")["Events"]["Queue"]

    assert source["Type"] == "SQS"
    assert source["Properties"] == {
        "Queue": "<Queue.Arn>",
        "BatchSize": 20,
        "MaximumBatchingWindowInSeconds": 60,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 2},
    }


def test_a_sweep_that_is_given_up_is_kept() -> None:
    """Lambda repeats a sweep that failed, and then tells the queue of failed sweeps."""
    config = STACK.properties("SweepFunction")["EventInvokeConfig"]

    assert config["MaximumRetryAttempts"] == 2
    assert config["DestinationConfig"]["OnFailure"] == {
        "Type": "SQS",
        "Destination": "<SweepDeadLetterQueue.Arn>",
    }


def test_the_archive_outlives_the_stack_as_it_is() -> None:
    """The bucket is versioned, encrypted and private, and stays, with its policy."""
    bucket = STACK.properties("ArchiveBucket")
    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]

    for name in ("ArchiveBucket", "ArchiveBucketPolicy"):
        assert STACK.resources[name]["DeletionPolicy"] == "Retain"
        assert STACK.resources[name]["UpdateReplacePolicy"] == "Retain"
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4


def test_the_archive_is_reached_over_tls_alone() -> None:
    """Bucket and objects deny every request without TLS."""
    [denial] = find_policy(STACK, "AWS::S3::BucketPolicy", "<ArchiveBucket>")

    assert denial["Effect"] == "Deny"
    assert denial["Principal"] == "*"
    assert denial["Action"] == "s3:*"
    assert denial["Resource"] == ["<ArchiveBucket.Arn>", "<ArchiveBucket.Arn>/*"]
    assert denial["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_alarms_can_publish() -> None:
    """The topic lets alarms of this account publish, and no key stands in their way."""
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


def test_nobody_else_publishes() -> None:
    """Besides alarms only the function may publish, and only over TLS."""
    policy = find_policy(STACK, "AWS::SNS::TopicPolicy", "<Topic>")

    assert [one["Principal"] for one in policy if one["Effect"] == "Allow"] == [
        {"AWS": "<RemediateRole.Arn>"},
        {"Service": "cloudwatch.amazonaws.com"},
    ]
    assert [one["Condition"] for one in policy if one["Effect"] == "Deny"] == [
        {"Bool": {"aws:SecureTransport": "false"}}
    ]


def test_an_address_is_subscribed() -> None:
    """NotificationEmail gets what the topic says."""
    properties = load_stack(NotificationEmail="team@example.com").properties("EmailSubscription")

    assert properties == {
        "TopicArn": "<Topic>",
        "Protocol": "email",
        "Endpoint": "team@example.com",
    }


@pytest.mark.parametrize("function", FUNCTIONS)
def test_logs_are_kept_as_long_as_asked(function: str) -> None:
    """Each function logs JSON into a group of ours, with retention."""
    stack = load_stack(LogRetentionDays=30)
    config = stack.properties(function)["LoggingConfig"]

    assert config["LogFormat"] == "JSON"
    assert stack.properties(config["LogGroup"].strip("<>"))["RetentionInDays"] == 30


# Alarms


def watched() -> dict[tuple[str, str, str], str]:
    """Which alarm watches what: by namespace, metric and resource."""
    return {
        (metric["Namespace"], metric["MetricName"], dimension["Value"].strip("<>")): name
        for name, alarm in STACK.of_type("AWS::CloudWatch::Alarm").items()
        for metric in _list_metrics(alarm["Properties"])
        for dimension in metric["Dimensions"]
    }


def _list_metrics(properties: dict[str, Any]) -> list[dict[str, Any]]:
    if "MetricName" in properties:
        return [properties]
    return [one["MetricStat"]["Metric"] for one in properties["Metrics"] if "MetricStat" in one]


def test_every_resource_that_can_fail_has_its_alarm() -> None:
    """Queues, functions, rules and the topic of the template are all watched, and no other."""
    wanted = {
        ("AWS/SQS", "ApproximateAgeOfOldestMessage", "Queue.QueueName"),
        ("AWS/SNS", "NumberOfNotificationsFailed", "Topic.TopicName"),
    }
    for queue in STACK.of_type("AWS::SQS::Queue").keys() - {"Queue"}:
        wanted.add(("AWS/SQS", "ApproximateNumberOfMessagesVisible", f"{queue}.QueueName"))
    for function in STACK.of_type("AWS::Serverless::Function"):
        wanted |= {("AWS/Lambda", metric, function) for metric in ("Errors", "Throttles")}
    for rule in STACK.of_type("AWS::Events::Rule"):
        wanted |= {
            ("AWS/Events", metric, rule)
            for metric in (
                "FailedInvocations",
                "InvocationsSentToDlq",
                "InvocationsFailedToBeSentToDlq",
            )
        }
    for metric in ("PostponedFindings", "RejectedFindingUpdates", "FailedNotifications"):
        wanted.add(("IAM26Remediation", metric, "iam26-remediation"))

    assert watched().keys() == wanted


@pytest.mark.parametrize("alarm", sorted(STACK.of_type("AWS::CloudWatch::Alarm")))
def test_every_alarm_tells_someone_what_to_do(alarm: str) -> None:
    """An alarm goes to the topic, is silent on no data, and says what to do."""
    properties = STACK.properties(alarm)
    description = properties["AlarmDescription"]
    advice = ("Look", "look", "Check", "log", "raise")

    assert properties["AlarmActions"] == ["<Topic>"]
    assert properties["TreatMissingData"] == "notBreaching"
    assert properties["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert any(word in description for word in advice)
    assert 100 < len(description) <= 1024


def test_one_failure_is_enough() -> None:
    """All but the two that mean 'for too long' fire at the first thing that failed."""
    thresholds = {
        name: (one["Properties"]["Threshold"], one["Properties"]["EvaluationPeriods"])
        for name, one in STACK.of_type("AWS::CloudWatch::Alarm").items()
    }
    visibility = STACK.properties("Queue")["VisibilityTimeout"]
    age, _ = thresholds.pop("QueueAgeAlarm")
    postponed = thresholds.pop("PostponedFindingsAlarm")

    assert set(thresholds.values()) == {(1, 1)}
    assert 2 * visibility < age < 3 * visibility
    assert postponed == (1, 2)
    # Each try falls into a period, so that findings that stay postponed are in all of them.
    assert STACK.properties("PostponedFindingsAlarm")["Period"] > visibility


@pytest.mark.parametrize("rule", RULES)
def test_an_alarm_adds_up_what_did_not_arrive(rule: str) -> None:
    """The alarm of a rule counts what failed, what was kept and what was lost."""
    metrics = STACK.properties(f"{rule}Alarm")["Metrics"]
    [total] = [one for one in metrics if "Expression" in one]
    parts = [one for one in metrics if "MetricStat" in one]

    assert total["Expression"] == " + ".join(f"FILL({one['Id']}, 0)" for one in parts)
    assert all(one["ReturnData"] is False for one in parts)


@pytest.mark.parametrize(
    "file", ["template.yaml", "deploy/custom-action.yaml", "deploy/member-role.yaml"]
)
def test_every_suppression_has_its_reason(file: str) -> None:
    """A check that is switched off says why, beside it."""
    template = load_stack(file).template
    assert "checkov:skip" not in json.dumps(template)
    for resource in template["Resources"].values():
        for skipped in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
            assert len(skipped["comment"]) > 40

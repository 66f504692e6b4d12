"""The expiry alarms, deployed alone: from ACM's event, over rule and function, to the alarm."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from local.artifact.chain import Chain
from local.artifact.template import BUILT, PROJECT
from local.aws.knobs import HOME_REGION
from local.fixtures import seed
from tests.fakes_expiry import OURS

STACK = "iam26-expiry-alarms"
AVAILABLE = PROJECT / "events/expiry-alarms-function/acm-certificate-available.json"

Alarm = dict[str, Any]


def zip_code() -> bytes:
    """Return the built code as the archive that the template wants."""
    built = BUILT / "RemediateFunction"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        for path in built.rglob("*"):
            files.write(path, path.relative_to(built))
    return archive.getvalue()


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    """A chain with the template of the expiry alarms, and nothing else, deployed into it."""
    with Chain() as chain:
        s3, cloudformation = chain.client("s3"), chain.client("cloudformation")
        s3.create_bucket(Bucket=f"code-{HOME_REGION}")
        s3.put_object(Bucket=f"code-{HOME_REGION}", Key="1.zip", Body=zip_code())
        topic = chain.client("sns").create_topic(Name="pagerduty-platform")["TopicArn"]
        given = {
            "TopicArn": topic,
            "CodeBucketPrefix": "code",
            "CodeKey": "1.zip",
            # ministack knows no Region in a condition, so HomeRegion would be none.
            "IamCertificates": "Enabled",
        }
        cloudformation.create_stack(
            StackName=STACK,
            TemplateBody=(PROJECT / "deploy/expiry-alarms.yaml").read_text(),
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value} for name, value in given.items()
            ],
            Capabilities=["CAPABILITY_IAM"],
        )
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        yield chain


def emit(chain: Chain, arn: str) -> None:
    """Put ACM's event that a certificate is available on the bus."""
    event = json.loads(AVAILABLE.read_text())
    entry = {
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Resources": [arn],
        "Detail": json.dumps(event["detail"]),
    }
    assert chain.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def read_alarms(chain: Chain) -> dict[str, Alarm]:
    """Return the alarms on the days that certificates have left, by the certificate's ARN."""
    alarms = chain.client("cloudwatch").describe_alarms()["MetricAlarms"]
    return {
        one["Dimensions"][0]["Value"]: one for one in alarms if one["MetricName"] == "DaysToExpiry"
    }


def wait_for_alarms(chain: Chain, *arns: str) -> dict[str, Alarm]:
    """Return the alarms once they are about these certificates and no others."""
    return chain.wait_for(
        f"alarms for {arns}",
        lambda: alarms if (alarms := read_alarms(chain)).keys() == set(arns) else None,
    )


@contextmanager
def deny(chain: Chain, action: str) -> Iterator[None]:
    """Take an action from the function's role meanwhile."""
    iam, role = chain.client("iam"), chain.find_resource("ExpiryRole", STACK)
    policy = {"RoleName": role, "PolicyName": "expiry-alarms"}
    granted = json.dumps(iam.get_role_policy(**policy)["PolicyDocument"])
    reduced = granted.replace(action, "cloudwatch:PutDashboard")
    assert reduced != granted
    iam.put_role_policy(**policy, PolicyDocument=reduced)
    yield
    iam.put_role_policy(**policy, PolicyDocument=granted)


def test_an_event_of_acm_makes_alarms_and_takes_them(chain: Chain) -> None:
    """Running as its role, the function makes an alarm with our tag, and takes what is stale."""
    client = chain.aws.client
    first = seed.import_acm_certificate(client, "api.example.com", key_type="EC_prime256v1")
    server = seed.upload_certificate(client, "web")["Arn"]

    emit(chain, first)

    alarms = wait_for_alarms(chain, first, server)
    assert alarms[first]["AlarmName"].startswith("acm-imported-api-example-com-expiry-")
    assert alarms[server]["AlarmName"].startswith("iam-web-expiry-")
    for alarm in alarms.values():
        tags = chain.client("cloudwatch").list_tags_for_resource(ResourceARN=alarm["AlarmArn"])
        assert {one["Key"]: one["Value"] for one in tags["Tags"]} == OURS

    second = seed.import_acm_certificate(client, "www.example.com")
    client("acm").delete_certificate(CertificateArn=first)
    emit(chain, second)

    wait_for_alarms(chain, second, server)
    url = chain.client("sqs").get_queue_url(QueueName="iam26-expiry-alarms-failed")["QueueUrl"]
    assert chain.count_messages(url) == 0


def test_a_missing_permission_shows_and_nothing_is_lost(chain: Chain) -> None:
    """The log names the refused call, and once it is granted the next event makes the alarm."""
    before = read_alarms(chain).keys()
    arn = seed.import_acm_certificate(chain.aws.client, "denied.example.com")

    with deny(chain, "cloudwatch:PutMetricAlarm"):
        emit(chain, arn)
        chain.wait_for(
            "the refusal in the log",
            lambda: "PutMetricAlarm answered AccessDenied" in chain.read_log(),
        )
        assert read_alarms(chain).keys() == before

    emit(chain, arn)
    wait_for_alarms(chain, *before, arn)


def test_an_abandoned_run_is_saved_with_its_event(chain: Chain) -> None:
    """What fails three times goes to the queue that has an alarm, with the event and the cause."""
    sqs, event = chain.client("sqs"), AVAILABLE.read_text()
    url = sqs.get_queue_url(QueueName="iam26-expiry-alarms-failed")["QueueUrl"]
    started = chain.read_log().count("START RequestId")

    with deny(chain, "acm:ListCertificates"):
        # As EventBridge does, for which ministack neither retries nor saves.
        chain.client("lambda").invoke(
            FunctionName="iam26-expiry-alarms", InvocationType="Event", Payload=event
        )
        chain.wait_for("the abandoned run in its queue", lambda: chain.count_messages(url))

    [saved] = chain.read_messages(url)
    body = json.loads(saved["Body"])
    assert body["requestPayload"] == json.loads(event)
    assert "ListCertificates answered AccessDenied" in body["responsePayload"]["errorMessage"]
    assert chain.read_log().count("START RequestId") == 3 + started


def test_the_schedule_makes_alarms(chain: Chain) -> None:
    """A certificate of which no event told has its alarm when the schedule comes."""
    before = read_alarms(chain).keys()
    arn = seed.import_acm_certificate(chain.aws.client, "silent.example.com")
    events, rule = chain.client("events"), chain.find_resource("ScheduleRule", STACK)
    declared = events.describe_rule(Name=rule)["ScheduleExpression"]
    assert declared == "rate(12 hours)"
    assert read_alarms(chain).keys() == before

    events.put_rule(Name=rule, ScheduleExpression="rate(1 minute)", State="ENABLED")

    chain.wait_for("the alarm of the schedule", lambda: arn in read_alarms(chain), seconds=90)
    events.put_rule(Name=rule, ScheduleExpression=declared, State="ENABLED")

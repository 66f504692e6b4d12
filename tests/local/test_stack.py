"""The stack on the local AWS: what is created and set is what a template says."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from local.aws.knobs import OWN_ACCOUNT
from local.aws.server import Aws
from local.fixtures import deploy
from local.fixtures.context import Context
from local.fixtures.findings import make_raw_finding
from local.fixtures.mapping import EventSourceMapping, take_messages
from local.fixtures.stack import PROJECT, Stack, load_stack

Change = Callable[[str, str], Stack]


@pytest.fixture
def change(tmp_path: Path) -> Change:
    """Return template.yaml with one text in the place of another."""

    def replace(before: str, after: str) -> Stack:
        text = (PROJECT / "template.yaml").read_text()
        assert before in text
        path = tmp_path / "template.yaml"
        path.write_text(text.replace(before, after))
        return load_stack(path)

    return replace


def create(aws: Aws, stack: Stack) -> Stack:
    stack = deploy.create_resources(aws.client, stack)
    deploy.create_rules(aws.client, stack)
    deploy.create_custom_action(aws.client, stack)
    return stack


def count_messages(aws: Aws, stack: Stack) -> int:
    return len(take_messages(aws.client("sqs"), stack.outputs["QueueUrl"]))


def read_queue(aws: Aws, stack: Stack) -> tuple[str, int]:
    attributes = aws.client("sqs").get_queue_attributes(
        QueueUrl=stack.outputs["QueueUrl"], AttributeNames=["All"]
    )["Attributes"]
    redrive = json.loads(attributes["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"].endswith("deadletterqueue")
    return attributes["VisibilityTimeout"], redrive["maxReceiveCount"]


class TestRules:
    """What reaches the queue."""

    def test_a_finding_of_the_control_does(self, aws: Aws) -> None:
        """The rule for new findings is the template's."""
        stack = create(aws, load_stack())
        aws.import_findings([make_raw_finding("old-web")])
        assert count_messages(aws, stack) == 1

    def test_a_changed_pattern_changes_that(self, aws: Aws, change: Change) -> None:
        """With another control in the template, the finding is not for its rule any more."""
        stack = create(aws, change("SecurityControlId: [IAM.26]", "SecurityControlId: [IAM.8]"))
        aws.import_findings([make_raw_finding("old-web")])
        assert count_messages(aws, stack) == 0

    def test_a_parameter_disables_the_rule(self, aws: Aws) -> None:
        """Without automatic remediation nothing arrives by itself, but the button still works."""
        stack = create(aws, load_stack(AutoRemediation="Disabled"))
        finding = make_raw_finding("old-web")
        aws.import_findings([finding])
        assert count_messages(aws, stack) == 0

        aws.press_custom_action(stack.outputs["ActionTargetArn"], [finding])
        assert count_messages(aws, stack) == 1

    def test_a_pattern_that_is_not_understood_is_refused(self, aws: Aws, change: Change) -> None:
        """A rule that the local EventBridge cannot play is not silently another one."""
        with pytest.raises(NotImplementedError, match="prefix"):
            create(aws, change("source: [aws.securityhub]", "source: [{ prefix: aws. }]"))


class TestQueue:
    """The queue with its settings."""

    def test_settings_are_those_of_the_template(self, aws: Aws, change: Change) -> None:
        """A change of the template is one of the queue."""
        before = read_queue(aws, create(aws, load_stack()))
        aws.reset()
        changed = change("maxReceiveCount: 5", "maxReceiveCount: 7")
        assert read_queue(aws, create(aws, changed)) == (before[0], 7)

    def test_batches_are_as_large_as_in_the_template(self, aws: Aws) -> None:
        """The function is invoked with as many messages as where it is deployed."""
        mapping = EventSourceMapping(aws.client("sqs"), "url", lambda *_: None)
        source = load_stack().properties("RemediateFunction")["Events"]["Queue"]
        assert mapping.batch_size == source["Properties"]["BatchSize"]


class TestFunction:
    """What a function gets."""

    def test_variables_name_what_was_created(self, aws: Aws) -> None:
        """Parameters and resources reach the environment as the template passes them."""
        stack = create(aws, load_stack(GracePeriodDays=14)).knowing(Mode="Enforce")
        variables = stack.environment("RemediateFunction")
        assert (variables["MODE"], variables["GRACE_PERIOD_DAYS"]) == ("Enforce", "14")
        aws.client("s3").head_bucket(Bucket=variables["ARCHIVE_BUCKET"])
        aws.client("sns").get_topic_attributes(TopicArn=variables["TOPIC_ARN"])
        assert stack.environment("SweepFunction")["QUEUE_URL"] == stack.outputs["QueueUrl"]

    def test_a_changed_variable_is_seen(self, change: Change) -> None:
        """A variable that is renamed in the template is renamed here."""
        variables = change("TOPIC_ARN:", "TOPIC:").environment("RemediateFunction")
        assert "TOPIC" in variables
        assert "TOPIC_ARN" not in variables

    def test_time_and_memory_are_those_of_the_template(self) -> None:
        """A context whose time is not limited by a test has all that Lambda gives."""
        function = load_stack().function("RemediateFunction")
        context = Context()
        assert context.get_remaining_time_in_millis() == function["Timeout"] * 1000
        assert context.memory_limit_in_mb == function["MemorySize"]


class TestRegion:
    """A stack in another Region."""

    def test_everything_is_created_there(self, aws: Aws) -> None:
        """Bucket, topic, queue and custom action are in the Region of the stack."""
        stack = create(aws, load_stack(**{"AWS::Region": "eu-west-1"}))
        location = aws.client("s3").get_bucket_location(Bucket=stack.outputs["ArchiveBucketName"])
        assert location["LocationConstraint"] == "eu-west-1"
        assert stack.outputs["TopicArn"].startswith(f"arn:aws:sns:eu-west-1:{OWN_ACCOUNT}:")
        assert "eu-west-1" in stack.outputs["QueueUrl"]
        actions = aws.client("securityhub", region="eu-west-1").describe_action_targets()
        arns = [one["ActionTargetArn"] for one in actions["ActionTargets"]]
        assert arns == [stack.outputs["ActionTargetArn"]]

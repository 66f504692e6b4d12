"""EventBridge: which events reach a target, and what the target gets."""

import json
import re
from typing import Any

import pytest

from local.aws.knobs import HOME_REGION, OWN_ACCOUNT
from local.aws.patches import events
from local.aws.patches.events import matches
from local.aws.server import Aws
from tests.local.answers import NOT_IMPLEMENTED, code_of
from tests.local.conftest import Unpatched

FAILED_IAM_26 = {
    "detail": {
        "findings": {
            "Compliance": {"Status": ["FAILED"], "SecurityControlId": ["IAM.26"]},
            "Workflow": {"Status": ["NEW"]},
        }
    }
}


def make_finding(control: str = "IAM.26", status: str = "FAILED") -> dict[str, Any]:
    return {
        "Compliance": {"Status": status, "SecurityControlId": control},
        "Workflow": {"Status": "NEW"},
    }


def deliver_to_queue(aws: Aws, pattern: dict[str, Any], *, state: str = "ENABLED") -> str:
    """Create a rule that sends matching events to a queue, and return the queue's URL."""
    client = aws.client("events")
    url = str(aws.client("sqs").create_queue(QueueName="inbox")["QueueUrl"])
    client.put_rule(Name="to-inbox", EventPattern=json.dumps(pattern), State=state)
    arn = f"arn:aws:sqs:{HOME_REGION}:{OWN_ACCOUNT}:inbox"
    client.put_targets(Rule="to-inbox", Targets=[{"Id": "inbox", "Arn": arn}])
    return url


def put_event(aws: Aws, detail: dict[str, Any], source: str = "test") -> dict[str, Any]:
    entry = {"Source": source, "DetailType": "Test", "Detail": json.dumps(detail)}
    return dict(aws.client("events").put_events(Entries=[entry]))


def receive(aws: Aws, url: str) -> list[dict[str, Any]]:
    received = aws.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in received.get("Messages", [])]


class TestDelivery:
    """From PutEvents through a rule into a queue."""

    @pytest.mark.parametrize(
        ("findings", "delivered"),
        [
            ([make_finding()], True),
            ([make_finding("S3.8"), make_finding()], True),
            ([make_finding("S3.8")], False),
            ([make_finding(status="PASSED")], False),
            ([make_finding("S3.8"), make_finding(status="PASSED")], False),
            ([], False),
        ],
    )
    def test_a_pattern_looks_into_an_array_of_findings(
        self, aws: Aws, unpatched: Unpatched, findings: list[dict[str, Any]], *, delivered: bool
    ) -> None:
        """One finding has to match all that the pattern says of findings."""

        def is_delivered() -> bool:
            url = deliver_to_queue(aws, FAILED_IAM_26)
            put_event(aws, {"findings": findings})
            return bool(receive(aws, url))

        assert is_delivered() is delivered
        with unpatched(events.PATCH):
            assert not is_delivered()

    def test_a_queue_gets_what_aws_sends(self, aws: Aws, unpatched: Unpatched) -> None:
        """The message is the event's envelope as AWS documents it, and nothing else."""
        detail = {"text": 'say "<id>"', "none": None, "number": 1.5}

        def send() -> tuple[str, dict[str, Any]]:
            url = deliver_to_queue(aws, {"source": ["test"]})
            event_id = put_event(aws, detail)["Entries"][0]["EventId"]
            [message] = receive(aws, url)
            return event_id, message

        event_id, message = send()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", message.pop("time"))
        assert message == {
            "version": "0",
            "id": event_id,
            "detail-type": "Test",
            "source": "test",
            "account": OWN_ACCOUNT,
            "region": HOME_REGION,
            "resources": [],
            "detail": detail,
        }
        with unpatched(events.PATCH):
            assert "account" not in send()[1]

    def test_a_target_may_transform_its_input(self, aws: Aws) -> None:
        """A target with an input transformer gets what its template says."""
        url = deliver_to_queue(aws, {"source": ["test"]})
        transformer = {
            "InputPathsMap": {"who": "$.account"},
            "InputTemplate": '{"account": "<who>"}',
        }
        target = {
            "Id": "inbox",
            "Arn": f"arn:aws:sqs:{HOME_REGION}:{OWN_ACCOUNT}:inbox",
            "InputTransformer": transformer,
        }
        aws.client("events").put_targets(Rule="to-inbox", Targets=[target])
        put_event(aws, {})
        assert receive(aws, url) == [{"account": OWN_ACCOUNT}]

    def test_a_disabled_rule_delivers_nothing(self, aws: Aws, unpatched: Unpatched) -> None:
        """Events pass a disabled rule by."""

        def count_delivered() -> int:
            url = deliver_to_queue(aws, {"source": ["test"]}, state="DISABLED")
            put_event(aws, {})
            return len(receive(aws, url))

        assert count_delivered() == 0
        with unpatched(events.PATCH):
            assert count_delivered() == 1

    def test_a_rule_that_is_enabled_again_delivers(self, aws: Aws) -> None:
        """The state of a rule can be switched."""
        url = deliver_to_queue(aws, {"source": ["test"]}, state="DISABLED")
        aws.client("events").enable_rule(Name="to-inbox")
        put_event(aws, {})
        assert len(receive(aws, url)) == 1

    def test_nobody_sends_in_the_name_of_aws(self, aws: Aws, unpatched: Unpatched) -> None:
        """PutEvents refuses sources that begin with `aws.`, and delivers nothing of them."""

        def send() -> tuple[int, str | None, int]:
            url = deliver_to_queue(aws, {"source": ["aws.securityhub"]})
            answer = put_event(aws, {}, source="aws.securityhub")
            code = answer["Entries"][0].get("ErrorCode")
            return answer["FailedEntryCount"], code, len(receive(aws, url))

        assert send() == (1, "NotAuthorizedForSourceException", 0)
        with unpatched(events.PATCH):
            assert send() == (0, None, 1)

    def test_a_refused_entry_leaves_the_others_alone(self, aws: Aws) -> None:
        """The answers stand in the order of the entries."""
        url = deliver_to_queue(aws, {"detail-type": ["Test"]})
        entries = [
            {"Source": source, "DetailType": "Test", "Detail": "{}"}
            for source in ("one", "aws.iam", "two")
        ]
        answer = aws.client("events").put_events(Entries=entries)
        assert [bool(entry.get("EventId")) for entry in answer["Entries"]] == [True, False, True]
        assert answer["FailedEntryCount"] == 1
        assert [message["source"] for message in receive(aws, url)] == ["one", "two"]

    def test_an_event_of_awss_own_reaches_its_account_and_region_alone(self, aws: Aws) -> None:
        """Rules of another Region do not hear of it."""
        url = deliver_to_queue(aws, {"source": ["aws.securityhub"]})
        for region in ("eu-west-1", HOME_REGION):
            event = events.make_event(
                source="aws.securityhub",
                detail_type="Test",
                detail={},
                resources=["arn"],
                account=OWN_ACCOUNT,
                region=region,
            )
            events.emit(OWN_ACCOUNT, region, event)
        [message] = receive(aws, url)
        assert (message["region"], message["resources"]) == (HOME_REGION, ["arn"])

    def test_a_function_is_no_target_here(self, aws: Aws) -> None:
        """The local AWS runs no functions, so an event for one is an error and not a silence."""
        client = aws.client("events")
        client.put_rule(Name="to-function", EventPattern=json.dumps({"source": ["test"]}))
        arn = f"arn:aws:lambda:{HOME_REGION}:{OWN_ACCOUNT}:function:remediate"
        client.put_targets(Rule="to-function", Targets=[{"Id": "function", "Arn": arn}])
        entry = {"Source": "test", "DetailType": "Test", "Detail": "{}"}
        assert code_of(client.put_events, Entries=[entry]) == NOT_IMPLEMENTED


EVENT = {
    "source": "aws.securityhub",
    "resources": ["arn:one", "arn:two"],
    "detail": {
        "count": 3,
        "file": "image.PNG",
        "findings": [
            {"name": "a", "status": {"now": "x"}},
            {"name": "b", "status": {"now": "y"}},
            "no object",
        ],
        "empty": [],
    },
}


class TestPatterns:
    """What a pattern means, as AWS documents it; our templates need no more than this."""

    @pytest.mark.parametrize(
        ("pattern", "expected"),
        [
            ({"source": ["aws.securityhub"]}, True),
            ({"source": ["aws.iam", "aws.securityhub"]}, True),
            ({"source": ["aws.iam"]}, False),
            ({"source": ["aws.security"]}, False),
            ({"source": ["AWS.SecurityHub"]}, False),
            ({"source": ["aws.securityhub"], "account": ["1"]}, False),
            ({"source": {"deeper": ["aws.securityhub"]}}, False),
            ({"resources": ["arn:two"]}, True),
            ({"resources": ["arn"]}, False),
            ({"detail": ["count"]}, False),
            ({"detail": {"count": ["3"]}}, False),
            ({"detail": {"missing": ["x"]}}, False),
            ({"detail": {"missing": {"deeper": ["x"]}}}, False),
            ({"detail": {"empty": {"name": ["a"]}}}, False),
            ({"detail": {"findings": {"name": ["a"], "status": {"now": ["x"]}}}}, True),
            ({"detail": {"findings": {"name": ["a"], "status": {"now": ["y"]}}}}, False),
            ({"detail": {"file": [{"wildcard": "im*.P*G"}]}}, True),
            ({"detail": {"file": [{"wildcard": "image.PNG*"}]}}, True),
            ({"detail": {"file": [{"wildcard": "*.jpg"}]}}, False),
            ({"detail": {"file": [{"wildcard": "image?PNG"}]}}, False),
            ({"detail": {"file": [{"wildcard": "mage*"}]}}, False),
            ({"detail": {"count": [{"wildcard": "*"}]}}, False),
            ({"resources": [{"wildcard": "*:two"}]}, True),
        ],
        ids=json.dumps,
    )
    def test_a_pattern_matches(self, pattern: dict[str, Any], *, expected: bool) -> None:
        """Fields are joined with AND, values with OR, and types are told apart."""
        assert matches(pattern, EVENT) is expected

    @pytest.mark.parametrize(
        "pattern",
        [
            {"source": [{"prefix": "aws."}]},
            {"source": [{"suffix": "hub"}]},
            {"source": [{"equals-ignore-case": "AWS.SecurityHub"}]},
            {"source": [{"anything-but": "aws.iam"}]},
            {"source": [{"anything-but": {"wildcard": "aws.*"}}]},
            {"source": [{"exists": True}]},
            {"source": [{"cidr": "10.0.0.0/8"}]},
            {"source": [{"wildcard": "aws.\\*"}]},
            {"source": [{"wildcard": ["aws.*"]}]},
            {"source": [{"wildcard": "aws.*", "prefix": "aws."}]},
            {"source": ["aws.securityhub", {"prefix": "aws."}]},
            {"detail": {"count": [3]}},
            {"detail": {"count": [{"numeric": [">", 2]}]}},
            {"detail": {"count": [None]}},
            {"detail": {"count": [True]}},
            {"detail": {"file": [["image.PNG"]]}},
            {"source": ["aws.iam"], "detail": {"file": [{"prefix": "image"}]}},
            {"$or": [{"source": ["aws.iam"]}, {"source": ["aws.securityhub"]}]},
            {"$or": [{"wildcard": "*"}]},
        ],
        ids=json.dumps,
    )
    def test_what_no_template_needs_is_refused(
        self, aws: Aws, unpatched: Unpatched, pattern: dict[str, Any]
    ) -> None:
        """A pattern that is not understood is neither a match nor a miss, nor makes a rule."""

        def make_rule() -> str:
            put_rule = aws.client("events").put_rule
            return code_of(put_rule, Name="odd", EventPattern=json.dumps(pattern))

        with pytest.raises(NotImplementedError, match="the local EventBridge cannot match"):
            matches(pattern, EVENT)
        assert make_rule() == NOT_IMPLEMENTED
        assert aws.client("events").list_rules()["Rules"] == []
        with unpatched(events.PATCH):
            assert make_rule() == "OK"

    def test_the_refusal_names_field_and_filter(self) -> None:
        """Whoever writes a rule reads what of it is not implemented here."""
        with pytest.raises(NotImplementedError, match=r'match source by {"prefix": "aws\."}'):
            matches({"source": [{"prefix": "aws."}]}, EVENT)

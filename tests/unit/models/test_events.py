"""Events: what arrives is understood, or refused with the name of the field."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import EventError
from models.events import SqsRecord, parse_batch, parse_event, parse_record
from models.finding import WorkflowStatus
from tests.builders import ACCOUNT, make_arn, make_raw_finding, read_sample_event

SAMPLES = ("imported-consolidated", "custom-action-cis-5.0")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def make_event(*findings: Any, **overrides: Any) -> dict[str, Any]:
    event: dict[str, Any] = {
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "source": "aws.securityhub",
        "detail-type": "Security Hub Findings - Imported",
        "account": ACCOUNT,
        "region": "us-east-1",
        "resources": [],
        "detail": {"findings": list(findings) or [make_raw_finding()]},
    }
    return event | overrides


def make_record(body: str) -> SqsRecord:
    return SqsRecord(message_id="1", body=body)


def explain_event(event: object) -> str:
    """Return why an event is refused, the same bare as from the queue."""
    with pytest.raises(EventError) as bare:
        parse_event(event)
    with pytest.raises(EventError) as queued:
        parse_record(make_record(json.dumps(event)))
    field, _, cause = str(bare.value).partition(": ")
    assert not cause or str(queued.value).startswith(f"{field}: ")
    return str(bare.value)


class TestSamples:
    """The sample events."""

    @pytest.mark.parametrize("name", SAMPLES)
    def test_is_understood(self, name: str) -> None:
        """A sample event holds one failed IAM.26 finding about one certificate."""
        event = parse_event(read_sample_event(name))
        (finding,) = event.detail.findings
        assert event.region == "us-east-1"
        assert finding.account_id == ACCOUNT
        assert finding.find_foreign_trait() is None
        assert finding.find_settled_trait() is None
        assert finding.resource_id == make_arn()

    @pytest.mark.parametrize("name", SAMPLES)
    def test_is_the_same_from_the_queue(self, name: str) -> None:
        """An event in the body of an SQS record is the event itself."""
        sample = read_sample_event(name)
        assert parse_record(make_record(json.dumps(sample))) == (parse_event(sample), False)

    def test_custom_action_can_be_pressed_on_a_notified_finding(self) -> None:
        """The custom action's sample is a finding that was NOTIFIED before."""
        event = parse_event(read_sample_event("custom-action-cis-5.0"))
        assert event.detail.findings[0].workflow.status is WorkflowStatus.NOTIFIED


class TestKinds:
    """Sources and detail-types."""

    @pytest.mark.parametrize(
        ("source", "detail_type"),
        [
            ("aws.securityhub", "Security Hub Findings - Imported"),
            ("aws.securityhub", "Security Hub Findings - Custom Action"),
            ("iam26-remediation", "IAM.26 Sweep"),
        ],
    )
    def test_known(self, source: str, detail_type: str) -> None:
        """Security Hub's two events and the sweep's are taken."""
        event = parse_event(make_event(**{"source": source, "detail-type": detail_type}))
        assert (event.source, event.detail_type) == (source, detail_type)

    @pytest.mark.parametrize(
        ("source", "detail_type"),
        [
            ("custom.app", "Security Hub Findings - Imported"),
            ("iam26-remediation", "Security Hub Findings - Imported"),
            ("aws.securityhub", "IAM.26 Sweep"),
            ("aws.securityhub", "Security Hub Insight Results"),
            ("AWS.SECURITYHUB", "Security Hub Findings - Imported"),
            ("aws.securityhub\n", "Security Hub Findings - Imported"),
            ("", ""),
        ],
    )
    def test_unknown(self, source: str, detail_type: str) -> None:
        """Any other pair is refused, and the error names both on one line."""
        message = explain_event(make_event(**{"source": source, "detail-type": detail_type}))
        assert repr(source) in message
        assert repr(detail_type) in message
        assert "\n" not in message

    def test_all_findings_of_an_event(self) -> None:
        """An event's findings are all taken, in their order."""
        event = parse_event(make_event(*(make_raw_finding(Id=str(n)) for n in range(20))))
        assert [one.id for one in event.detail.findings] == [str(n) for n in range(20)]


class TestNotAnEvent:
    """What is no event at all."""

    @pytest.mark.parametrize("body", ["", "{", "hello", "{'a': 1}", '{"a": 1} x', "[" * 10_000])
    def test_not_json(self, body: str) -> None:
        """A body that is no JSON is an EventError that says so."""
        with pytest.raises(EventError, match="Invalid JSON"):
            parse_record(make_record(body))

    @pytest.mark.parametrize("value", [None, [], "text", 5, True, [make_event()]])
    def test_no_object(self, value: object) -> None:
        """JSON that is no object is an EventError, bare and from the queue."""
        explain_event(value)

    @given(json_values)
    def test_anything_else(self, value: object) -> None:
        """Whatever the JSON is, the only error is an EventError of one short line."""
        for event in (value, make_event(detail=value), make_event(value)):
            with pytest.raises(EventError) as caught:
                parse_event(event)
            assert str(caught.value).isprintable()
            assert len(str(caught.value)) <= 4000


class TestInvalidFields:
    """Fields that are missing or of the wrong type."""

    @pytest.mark.parametrize("field", ["id", "source", "detail-type", "account", "region"])
    def test_missing_field_of_an_event(self, field: str) -> None:
        """An event without a field it always has names that field."""
        event = make_event()
        del event[field]
        assert explain_event(event) == f"{field}: is missing"

    def test_missing_detail(self) -> None:
        """An event without detail or without detail.findings names what is missing."""
        event = make_event(detail={})
        assert explain_event(event) == "detail.findings: is missing"
        del event["detail"]
        assert explain_event(event) == "detail: is missing"

    def test_no_findings(self) -> None:
        """An empty list of findings is refused: an event that asks for nothing is a mistake."""
        message = explain_event(make_event(detail={"findings": []}))
        assert message == "detail.findings: has no finding, got []"

    @pytest.mark.parametrize("field", ["Id", "ProductArn", "AwsAccountId", "CreatedAt"])
    @pytest.mark.parametrize("how", ["missing", "null", "wrong"])
    def test_required_field_of_a_finding(self, field: str, how: str) -> None:
        """A finding needs its key, its account and its time of creation; the error names each."""
        raw = make_raw_finding()
        if how == "missing":
            del raw[field]
        else:
            raw[field] = None if how == "null" else ["wrong"]
        message = explain_event(make_event(raw))
        assert message.startswith(f"detail.findings.0.{field}: ")
        assert message.endswith(
            {"missing": "is missing", "null": "got None", "wrong": "got ['wrong']"}[how]
        )

    @pytest.mark.parametrize(
        ("field", "value", "named"),
        [
            ("Id", "", "Id"),
            ("Id", 5, "Id"),
            ("ProductArn", "", "ProductArn"),
            ("AwsAccountId", "", "AwsAccountId"),
            ("AwsAccountId", 111122223333, "AwsAccountId"),
            ("AwsAccountId", "11112222333", "AwsAccountId"),
            ("AwsAccountId", "111122223333\n", "AwsAccountId"),
            ("AwsAccountId", "\u0661" * 12, "AwsAccountId"),
            ("CreatedAt", "yesterday", "CreatedAt"),
            ("CreatedAt", "2026-11-19T17:21:00", "CreatedAt"),
            ("Resources", "arn", "Resources"),
            ("Resources", ["arn"], "Resources.0"),
            ("Resources", [{}], "Resources.0.Id"),
            ("Resources", [{"Id": None}], "Resources.0.Id"),
            ("Resources", [{"Id": 5}], "Resources.0.Id"),
            ("Compliance", "FAILED", "Compliance"),
            ("Compliance", {"Status": 1}, "Compliance.Status"),
            ("Workflow", "NEW", "Workflow"),
            ("Workflow", {"Status": "new"}, "Workflow.Status"),
            ("Workflow", {"Status": ""}, "Workflow.Status"),
            ("RecordState", {}, "RecordState"),
            ("ProductFields", [], "ProductFields"),
            ("ProductFields", {"Resources:0/Id": 5}, "ProductFields.Resources:0/Id"),
            ("UserDefinedFields", "x", "UserDefinedFields"),
            ("UserDefinedFields", {"a": 1}, "UserDefinedFields.a"),
        ],
    )
    def test_wrong_type(self, field: str, value: object, named: str) -> None:
        """A field of the wrong type is one error that names it and nothing beside it."""
        message = explain_event(make_event(make_raw_finding(**{field: value})))
        assert message.startswith(f"detail.findings.0.{named}: ")
        assert "; " not in message

    def test_names_the_value(self) -> None:
        """The error shows the value as it came, and only the start of a long one."""
        short = explain_event(make_event(make_raw_finding(AwsAccountId="12")))
        assert short.endswith("got '12'")
        long = explain_event(make_event(make_raw_finding(AwsAccountId="1" * 5000)))
        assert len(long) < 300

    def test_stays_on_one_line(self) -> None:
        """What a sender writes into a key or a value cannot start a line of its own in a log."""
        raw = make_raw_finding(
            UserDefinedFields={"a\nERROR forged": 1}, AwsAccountId="1\nERROR forged"
        )
        assert explain_event(make_event(raw)).isprintable()

    def test_stays_short(self) -> None:
        """Thousands of invalid fields are still one short line that names the first ones."""
        raw = make_raw_finding(UserDefinedFields={f"{n}{'k' * 100}": n for n in range(5000)})
        message = explain_event(make_event(raw))
        assert "UserDefinedFields.0k" in message
        assert message.endswith("more")
        assert len(message) <= 4000


class TestOddButLegal:
    """What Security Hub may leave out, or send as null."""

    @pytest.mark.parametrize(
        "field",
        [
            "Resources",
            "Compliance",
            "Workflow",
            "RecordState",
            "ProductFields",
            "UserDefinedFields",
        ],
    )
    def test_null_is_absent(self, field: str) -> None:
        """Null in an optional field of a finding means the same as its absence."""
        absent = make_raw_finding()
        absent.pop(field, None)
        null = absent | {field: None}
        assert parse_event(make_event(null)) == parse_event(make_event(absent))
        body = json.dumps(make_event(null))
        assert parse_record(make_record(body)) == (parse_event(make_event(absent)), False)

    @pytest.mark.parametrize(
        ("field", "inner"),
        [
            ("Compliance", "Status"),
            ("Compliance", "SecurityControlId"),
            ("Workflow", "Status"),
            ("ProductFields", "Resources:0/Id"),
        ],
    )
    def test_null_inside_is_absent(self, field: str, inner: str) -> None:
        """So does null in an optional field within a field."""
        null = parse_event(make_event(make_raw_finding(**{field: {inner: None}})))
        absent = parse_event(make_event(make_raw_finding(**{field: {}})))
        assert null == absent

    def test_null_resources_of_the_event(self) -> None:
        """An event with null for its resources is accepted."""
        assert parse_event(make_event(resources=None)).resources == ()

    def test_fields_it_does_not_know(self) -> None:
        """Fields this application does not use can hold anything."""
        raw = make_raw_finding(ProductFields={"other": {"nested": [1]}}, Severity=None, New=[{}])
        assert parse_event(make_event(raw, new={"a": None})).detail.findings

    @pytest.mark.parametrize(
        "created_at",
        [
            "2026-11-19T17:21:00Z",
            "2026-11-19T17:21:00.123456789Z",
            "2026-11-19T17:21:00-0700",
            "2026-11-19T17:21:00+01:00",
        ],
    )
    def test_every_form_of_time(self, created_at: str) -> None:
        """A time of creation can have every form that the finding format allows."""
        event = parse_event(make_event(make_raw_finding(CreatedAt=created_at)))
        assert event.detail.findings[0].created_at.tzinfo is not None

    def test_unicode(self) -> None:
        """Fields can hold characters of every script."""
        fields = {"所有者": "Zoë 🦊"}
        body = json.dumps(make_event(make_raw_finding(UserDefinedFields=fields)))
        event, _ = parse_record(make_record(body))
        assert event.detail.findings[0].user_defined_fields == fields


class TestBatch:
    """What the queue hands over."""

    def test_records_are_not_yet_parsed(self) -> None:
        """A batch is taken whatever its bodies are, so that a broken one fails alone."""
        batch = parse_batch(
            {
                "Records": [
                    {"messageId": "a", "body": "{", "attributes": {}, "eventSource": "aws:sqs"},
                    {"messageId": "b", "body": json.dumps(make_event())},
                ]
            }
        )
        assert [one.message_id for one in batch.records] == ["a", "b"]
        assert parse_record(batch.records[1])[0].detail.findings

    def test_receive_count(self) -> None:
        """SQS sends the receive count as text; without one it is the first receive."""
        body = json.dumps(make_event())
        again = {"ApproximateReceiveCount": "2", "SenderId": "x"}
        once = {"ApproximateReceiveCount": "1"}
        batch = parse_batch(
            {
                "Records": [
                    {"messageId": "a", "body": body, "attributes": again},
                    {"messageId": "b", "body": body, "attributes": once},
                    {"messageId": "c", "body": body, "attributes": None},
                    {"messageId": "d", "body": body},
                ]
            }
        )
        assert [parse_record(one)[1] for one in batch.records] == [True, False, False, False]

    def test_empty_batch(self) -> None:
        """A batch without records is a batch."""
        assert parse_batch({"Records": []}).records == ()

    @pytest.mark.parametrize(
        ("event", "field"),
        [
            ({}, "Records"),
            ({"Records": None}, "Records"),
            ({"Records": [{"body": "{}"}]}, "Records.0.messageId"),
            ({"Records": [{"messageId": "", "body": "{}"}]}, "Records.0.messageId"),
        ],
    )
    def test_record_that_could_not_be_given_back(self, event: object, field: str) -> None:
        """A batch with a record that has no id is an error that names the field."""
        with pytest.raises(EventError) as caught:
            parse_batch(event)
        assert str(caught.value).startswith(f"{field}: ")

    @pytest.mark.parametrize(
        ("record", "field"),
        [
            ({}, "body"),
            ({"body": None}, "body"),
            ({"body": {}}, "body"),
            ({"body": "{}", "attributes": 3}, "attributes"),
            (
                {"body": "{}", "attributes": {"ApproximateReceiveCount": "often"}},
                "attributes.ApproximateReceiveCount",
            ),
        ],
    )
    def test_record_that_can_be_given_back(self, record: dict[str, object], field: str) -> None:
        """Whatever else is wrong with a record is an error of that record alone."""
        [parsed] = parse_batch({"Records": [{"messageId": "a"} | record]}).records
        with pytest.raises(EventError) as caught:
            parse_record(parsed)
        assert str(caught.value).startswith(f"{field}: ")

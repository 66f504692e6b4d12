"""Events: what arrives is understood, or refused with the name of the field."""

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.aws.knobs import OWN_ACCOUNT
from models.errors import EventError
from models.events import (
    EntryPoint,
    FindingsEvent,
    SqsRecord,
    parse_batch,
    parse_event,
    parse_findings,
    parse_record,
)
from models.finding import Finding, Stranger, WorkflowStatus
from tests.builders import make_arn, make_raw_finding, read_sample_event

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
        "account": OWN_ACCOUNT,
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


def understand(event: FindingsEvent) -> list[Finding]:
    """Return the findings of an event, each of which is understood."""
    findings = [one for one in parse_findings(event) if isinstance(one, Finding)]
    assert len(findings) == len(event.detail.findings)
    return findings


def understand_one(raw: object) -> Finding:
    """Return the finding of an event that carries it alone."""
    [finding] = understand(parse_event(make_event(raw)))
    return finding


def explain_finding(raw: object) -> str:
    """Return why a finding is not understood, the second of an event with two good ones."""
    event = parse_event(make_event(make_raw_finding(), raw, make_raw_finding()))
    first, odd, last = parse_findings(event)
    assert isinstance(first, Finding)
    assert isinstance(odd, EventError)
    assert isinstance(last, Finding)
    return str(odd)


def explain_all(event: object) -> list[str]:
    """Return why an event, or each finding of it, is not understood."""
    try:
        parsed = parse_findings(parse_event(event))
    except EventError as error:
        return [str(error)]
    errors = [str(one) for one in parsed if isinstance(one, EventError)]
    assert len(errors) == len(parsed)
    return errors


class TestSamples:
    """The sample events."""

    @pytest.mark.parametrize("name", SAMPLES)
    def test_is_understood(self, name: str) -> None:
        """A sample event holds one failed IAM.26 finding about one certificate."""
        event = parse_event(read_sample_event(name))
        (finding,) = understand(event)
        assert finding.account_id == OWN_ACCOUNT
        assert finding.find_foreign_trait() is None
        assert finding.find_settled_trait() is None
        assert finding.resource_id == make_arn()

    @pytest.mark.parametrize("name", SAMPLES)
    def test_is_the_same_from_the_queue(self, name: str) -> None:
        """An event in the body of an SQS record is the event itself."""
        sample = read_sample_event(name)
        assert parse_record(make_record(json.dumps(sample))) == parse_event(sample)

    def test_custom_action_can_be_pressed_on_a_notified_finding(self) -> None:
        """The custom action's sample is a finding that was NOTIFIED before."""
        event = parse_event(read_sample_event("custom-action-cis-5.0"))
        assert understand(event)[0].workflow.status is WorkflowStatus.NOTIFIED


class TestKinds:
    """Sources and detail-types."""

    @pytest.mark.parametrize(
        ("source", "detail_type", "entry_point"),
        [
            ("aws.securityhub", "Security Hub Findings - Imported", EntryPoint.IMPORTED),
            ("aws.securityhub", "Security Hub Findings - Custom Action", EntryPoint.CUSTOM_ACTION),
            ("iam26-remediation", "IAM.26 Sweep", EntryPoint.SWEEP),
        ],
    )
    def test_known(self, source: str, detail_type: str, entry_point: EntryPoint) -> None:
        """Security Hub's two events and the sweep's are taken, and are told apart."""
        event = parse_event(make_event(**{"source": source, "detail-type": detail_type}))
        assert (event.source, event.detail_type) == (source, detail_type)
        assert event.entry_point is entry_point

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
        assert [one.id for one in understand(event)] == [str(n) for n in range(20)]


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
        messages = [explain_finding(value)]
        for event in (value, make_event(detail=value), make_event(detail={"findings": value})):
            messages += explain_all(event)
        assert all(one.isprintable() and len(one) <= 4000 for one in messages)


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
        message = explain_finding(raw)
        assert message.startswith(f"detail.findings.1.{field}: ")
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
        message = explain_finding(make_raw_finding(**{field: value}))
        assert message.startswith(f"detail.findings.1.{named}: ")
        assert "; " not in message

    def test_names_the_value(self) -> None:
        """The error shows the value as it came, and only the start of a long one."""
        short = explain_finding(make_raw_finding(AwsAccountId="12"))
        assert short.endswith("got '12'")
        long = explain_finding(make_raw_finding(AwsAccountId="1" * 5000))
        assert len(long) < 300

    def test_stays_on_one_line(self) -> None:
        """What a sender writes into a key or a value cannot start a line of its own in a log."""
        raw = make_raw_finding(
            UserDefinedFields={"a\nERROR forged": 1}, AwsAccountId="1\nERROR forged"
        )
        assert explain_finding(raw).isprintable()

    def test_stays_short(self) -> None:
        """Thousands of invalid fields are still one short line that names the first ones."""
        raw = make_raw_finding(UserDefinedFields={f"{n}{'k' * 100}": n for n in range(5000)})
        message = explain_finding(raw)
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
        assert understand_one(null) == understand_one(absent)

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
        null = understand_one(make_raw_finding(**{field: {inner: None}}))
        assert null == understand_one(make_raw_finding(**{field: {}}))

    def test_null_resources_of_the_event(self) -> None:
        """An event with null for its resources is accepted."""
        assert parse_event(make_event(resources=None)).resources == ()

    def test_fields_it_does_not_know(self) -> None:
        """Fields this application does not use can hold anything."""
        raw = make_raw_finding(ProductFields={"other": {"nested": [1]}}, Severity=None, New=[{}])
        assert understand(parse_event(make_event(raw, new={"a": None})))

    @pytest.mark.parametrize(
        ("created_at", "meant"),
        [
            ("2026-11-19T17:21:00Z", "2026-11-19T17:21:00+00:00"),
            ("2026-11-19T17:21:00.123456789Z", "2026-11-19T17:21:00.123456+00:00"),
            ("2026-11-19T17:21:00-0700", "2026-11-19T17:21:00-07:00"),
            ("2026-11-19T17:21:00+01:00", "2026-11-19T17:21:00+01:00"),
            ("2026-11-19T17:21:00-17", "2026-11-19T17:21:00-17:00"),
            ("2026-11-19T17:21:00.123456789+05", "2026-11-19T17:21:00.123456+05:00"),
            ("2026-12-31T23:59:60Z", "2026-12-31T23:59:59+00:00"),
            ("9999-12-31T23:59:60.5Z", "9999-12-31T23:59:59.5+00:00"),
            ("2026-12-31T23:59:60.123456789+05", "2026-12-31T23:59:59.123456+05:00"),
        ],
    )
    def test_every_form_of_time(self, created_at: str, meant: str) -> None:
        """A time of creation can have every form that the finding format allows."""
        finding = understand_one(make_raw_finding(CreatedAt=created_at))
        assert finding.created_at == datetime.fromisoformat(meant)
        assert finding.created_at.utcoffset() == datetime.fromisoformat(meant).utcoffset()

    @pytest.mark.parametrize(
        "created_at",
        [
            "2026-11-19T17:21:61Z",
            "2026-11-19T17:60:00Z",
            "2026-11-19T17:21:00",
            "2026-11-19T17:21:60",
            "2026-11-19T17:21:00+5",
            "2026-11-19T17:21:00+25",
            "2026-11-19T17:21:00+05\n",
            "2026-11-19",
            "2026-11-19 +05",
        ],
    )
    def test_no_time(self, created_at: str) -> None:
        """Anything else is an error that names the field."""
        message = explain_finding(make_raw_finding(CreatedAt=created_at))
        assert message.startswith("detail.findings.1.CreatedAt: ")

    def test_unicode(self) -> None:
        """Fields can hold characters of every script."""
        fields = {"所有者": "Zoë 🦊"}
        body = json.dumps(make_event(make_raw_finding(UserDefinedFields=fields)))
        [finding] = understand(parse_record(make_record(body)))
        assert finding.user_defined_fields == fields


class TestNotOurs:
    """Findings that are not understood, and not ours whatever they say."""

    @pytest.mark.parametrize(
        ("fields", "trait"),
        [
            (
                {"ProductArn": "arn:aws:securityhub:us-east-1::product/example/scanner"},
                "its product is arn:aws:securityhub:us-east-1::product/example/scanner",
            ),
            ({"Compliance": {"SecurityControlId": "EC2.1", "Status": 5}}, "of control EC2.1"),
            ({"Compliance": {"SecurityControlId": "EC2.1"}, "ProductArn": None}, "control EC2.1"),
        ],
        ids=["product", "control", "control-without-product"],
    )
    @pytest.mark.parametrize(
        "odd",
        [
            {"CreatedAt": "yesterday"},
            {"Workflow": {"Status": "TRIAGED"}},
            {"Id": None},
            {"AwsAccountId": None},
            {"AwsAccountId": 111122223333},
            {"Resources": "none", "UserDefinedFields": {"a": 1}, "RecordState": []},
        ],
        ids=["time", "status", "id", "account", "account-type", "several"],
    )
    def test_is_a_stranger(
        self, fields: dict[str, Any], trait: str, odd: dict[str, object]
    ) -> None:
        """Whatever else is odd about it, it is known that it is another's, and why."""
        raw = make_raw_finding(**fields | odd)

        [stranger] = parse_findings(parse_event(make_event(raw)))

        assert isinstance(stranger, Stranger)
        assert trait in stranger.trait

    def test_what_is_known_of_it(self) -> None:
        """Of its fields those that can be read are kept, and no others."""
        raw = make_raw_finding(
            ProductArn="arn:x", Workflow={"Status": "TRIAGED"}, Id=5, AwsAccountId=""
        )

        [stranger] = parse_findings(parse_event(make_event(raw)))

        assert stranger == Stranger(
            trait="the finding is not Security Hub's own: its product is arn:x",
            id=None,
            product_arn="arn:x",
            account_id=None,
            workflow_status="TRIAGED",
        )

    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"Compliance": None},
            {"Compliance": "FAILED"},
            {"Compliance": {"SecurityControlId": 26}},
            {"Compliance": {"SecurityControlId": ""}},
            {"ProductArn": None},
            {"ProductArn": ""},
            {"ProductArn": 5, "Compliance": []},
        ],
    )
    def test_may_be_ours(self, fields: dict[str, object]) -> None:
        """What cannot be read of a finding does not make it another's."""
        explain_finding(make_raw_finding(CreatedAt="yesterday", **fields))


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
        assert understand(parse_record(batch.records[1]))

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
        ],
    )
    def test_record_that_can_be_given_back(self, record: dict[str, object], field: str) -> None:
        """Whatever else is wrong with a record is an error of that record alone."""
        [parsed] = parse_batch({"Records": [{"messageId": "a"} | record]}).records
        with pytest.raises(EventError) as caught:
            parse_record(parsed)
        assert str(caught.value).startswith(f"{field}: ")

"""Security Hub: findings that can be found, changed and heard of, and actions on them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from local.aws.knobs import HOME_REGION, OWN_ACCOUNT, Unprocessed
from local.aws.patches.securityhub import PATCH
from local.aws.server import Aws
from local.fixtures.findings import make_raw_finding
from tests.builders import MEMBER_ACCOUNT
from tests.local.answers import code_of, message_of
from tests.local.conftest import Unpatched

ACTION = {"Name": "Delete expired cert", "Description": "…", "Id": "DeleteExpiredCert"}
ACTION_ARN = f"arn:aws:securityhub:{HOME_REGION}:{OWN_ACCOUNT}:action/custom/{ACTION['Id']}"

Finding = dict[str, Any]


def make_finding(name: str, **fields: Any) -> Finding:
    return make_raw_finding(f"arn:aws:iam::{OWN_ACCOUNT}:server-certificate/{name}", **fields)


def identify(*findings: Finding) -> list[dict[str, str]]:
    return [{"Id": one["Id"], "ProductArn": one["ProductArn"]} for one in findings]


def read_all(aws: Aws, **params: Any) -> list[Finding]:
    return list(aws.client("securityhub").get_findings(**params)["Findings"])


def read_one(aws: Aws, finding: Finding) -> Finding:
    [found] = [one for one in read_all(aws) if one["Id"] == finding["Id"]]
    return found


def update(aws: Aws, *findings: Finding, **fields: Any) -> dict[str, Any]:
    fields = fields or {"Workflow": {"Status": "NOTIFIED"}}
    client = aws.client("securityhub")
    return dict(client.batch_update_findings(FindingIdentifiers=identify(*findings), **fields))


def import_into_moto(aws: Aws, *findings: Finding) -> None:
    """Put findings in through the API, as moto without the patch needs it."""
    for finding in findings:
        finding["FindingProviderFields"]["Severity"].pop("Normalized", None)
    aws.client("securityhub").batch_import_findings(Findings=list(findings))


def listen(aws: Aws, pattern: dict[str, Any]) -> str:
    """Let a queue hear the events that match, and return its URL."""
    url = str(aws.client("sqs").create_queue(QueueName="ear")["QueueUrl"])
    client = aws.client("events")
    client.put_rule(Name="to-ear", EventPattern=json.dumps(pattern))
    arn = f"arn:aws:sqs:{HOME_REGION}:{OWN_ACCOUNT}:ear"
    client.put_targets(Rule="to-ear", Targets=[{"Id": "ear", "Arn": arn}])
    return url


def hear(aws: Aws, url: str) -> list[dict[str, Any]]:
    received = aws.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in received.get("Messages", [])]


class TestGetFindings:
    """Filters and pages."""

    @pytest.mark.parametrize(
        ("name", "conditions", "found"),
        [
            ("WorkflowStatus", [("EQUALS", "NEW")], "ac"),
            ("WorkflowStatus", [("EQUALS", "NEW"), ("EQUALS", "NOTIFIED")], "abc"),
            ("WorkflowStatus", [("NOT_EQUALS", "NEW")], "bd"),
            ("WorkflowStatus", [("NOT_EQUALS", "NEW"), ("NOT_EQUALS", "NOTIFIED")], "d"),
            ("ComplianceStatus", [("EQUALS", "FAILED")], "abd"),
            ("ComplianceSecurityControlId", [("EQUALS", "IAM.26")], "abc"),
            ("RecordState", [("EQUALS", "ACTIVE")], "abc"),
            ("AwsAccountId", [("EQUALS", MEMBER_ACCOUNT)], "c"),
            ("Id", [("PREFIX", "arn:aws:securityhub:us-east-1:444455556666:")], "c"),
            ("Id", [("CONTAINS", "no such thing")], ""),
            ("GeneratorId", [("PREFIX", "cis-aws-foundations-benchmark/")], "b"),
            ("ResourceId", [("EQUALS", "arn:aws:iam::111122223333:server-certificate/a")], "a"),
            ("ResourceId", [("NOT_CONTAINS", "certificate/a")], "bcd"),
            ("ProductName", [("EQUALS", "Security Hub")], "abcd"),
            ("SeverityLabel", [("EQUALS", "HIGH")], ""),
        ],
    )
    def test_a_filter_narrows_the_list(
        self, aws: Aws, name: str, conditions: list[tuple[str, str]], found: str
    ) -> None:
        """What shall be is joined with OR, what shall not be with AND."""
        aws.import_findings(make_four())
        filters = {name: [{"Comparison": one, "Value": value} for one, value in conditions]}
        assert names_of(read_all(aws, Filters=filters)) == found

    def test_filters_are_joined_with_and(self, aws: Aws, unpatched: Unpatched) -> None:
        """A finding has to pass every filter; moto passes all findings."""
        filters = {
            "WorkflowStatus": [{"Comparison": "EQUALS", "Value": "NEW"}],
            "ComplianceStatus": [{"Comparison": "EQUALS", "Value": "FAILED"}],
        }
        aws.import_findings(make_four())
        assert names_of(read_all(aws, Filters=filters)) == "a"
        with unpatched(PATCH):
            import_into_moto(aws, *make_four())
            assert names_of(read_all(aws, Filters=filters)) == "abcd"

    def test_user_defined_fields_are_filtered_by_key(self, aws: Aws) -> None:
        """A map filter looks at the value of one key."""
        findings = make_four()
        findings[1]["UserDefinedFields"] = {"iam26Outcome": "in-use"}
        findings[2]["UserDefinedFields"] = {"other": "in-use"}
        aws.import_findings(findings)
        condition = {"Key": "iam26Outcome", "Value": "in-use", "Comparison": "EQUALS"}
        assert names_of(read_all(aws, Filters={"UserDefinedFields": [condition]})) == "b"

    def test_a_filter_takes_twenty_values(self, aws: Aws, unpatched: Unpatched) -> None:
        """20 ids can be asked for at once, 21 are refused."""
        get = aws.client("securityhub").get_findings

        def ask_for(count: int) -> str:
            ids = [{"Comparison": "EQUALS", "Value": str(number)} for number in range(count)]
            return code_of(get, Filters={"Id": ids})

        assert (ask_for(20), ask_for(21)) == ("OK", "InvalidInputException")
        with unpatched(PATCH):
            assert ask_for(21) == "OK"

    @pytest.mark.parametrize(
        ("name", "comparison"), [("Description", "EQUALS"), ("Id", "PREFIX_NOT_EQUALS")]
    )
    def test_what_is_not_played_is_an_error(self, aws: Aws, name: str, comparison: str) -> None:
        """A filter that is not implemented here does not pass for one that lets all through."""
        filters = {name: [{"Value": "x", "Comparison": comparison}]}
        with pytest.raises(NotImplementedError):
            read_all(aws, Filters=filters)

    def test_findings_come_in_pages(self, aws: Aws) -> None:
        """A page has no more findings than were asked for, and the last one no token."""
        aws.import_findings(make_four())
        first = aws.client("securityhub").get_findings(MaxResults=3)
        last = aws.client("securityhub").get_findings(MaxResults=3, NextToken=first["NextToken"])
        assert [names_of(page["Findings"]) for page in (first, last)] == ["abc", "d"]
        assert not last.get("NextToken")

    def test_a_page_has_a_hundred_findings_at_most(self, aws: Aws) -> None:
        """100 a page is the most that can be asked for, and what comes unasked."""
        aws.import_findings(make_finding(str(number)) for number in range(101))
        get = aws.client("securityhub").get_findings
        assert len(get()["Findings"]) == len(get(MaxResults=100)["Findings"]) == 100
        assert code_of(get, MaxResults=101) == "InvalidInputException"

    def test_account_and_region_have_findings_of_their_own(self, aws: Aws) -> None:
        """What is imported in one Region of an account is nowhere else."""
        aws.import_findings(make_four(), region="eu-west-1")
        elsewhere = aws.client("securityhub", region="eu-west-1", account_id=MEMBER_ACCOUNT)
        assert read_all(aws) == elsewhere.get_findings()["Findings"] == []


def make_four() -> list[Finding]:
    """Make findings a (new), b (notified, of CIS), c (passed, of a member), d (another control)."""
    other_control = {"Status": "FAILED", "SecurityControlId": "S3.8"}
    return [
        make_finding("a"),
        make_finding("b", workflow_status="NOTIFIED", standard="cis-3.0"),
        make_finding("c", compliance_status="PASSED", account_id=MEMBER_ACCOUNT),
        make_finding(
            "d", workflow_status="RESOLVED", record_state="ARCHIVED", Compliance=other_control
        ),
    ]


def names_of(findings: list[Finding]) -> str:
    return "".join(sorted(one["Resources"][0]["Id"].rsplit("/", 1)[1] for one in findings))


class TestBatchUpdateFindings:
    """Workflow status, note and fields of a finding."""

    def test_a_finding_takes_what_it_is_given(self, aws: Aws) -> None:
        """Status, note and fields are there for the next reader; `UpdatedAt` is left alone."""
        finding = make_finding("web")
        aws.import_findings([finding])
        before = read_one(aws, finding)
        answer = update(
            aws,
            finding,
            Workflow={"Status": "RESOLVED"},
            Note={"Text": "deleted", "UpdatedBy": "iam26-remediation"},
            UserDefinedFields={"iam26Outcome": "deleted"},
        )
        assert answer["ProcessedFindings"] == identify(finding)
        assert answer["UnprocessedFindings"] == []
        found = read_one(aws, finding)
        note = found.pop("Note")
        assert (note["Text"], note["UpdatedBy"]) == ("deleted", "iam26-remediation")
        age = datetime.now(UTC) - datetime.fromisoformat(note["UpdatedAt"])
        assert age < timedelta(minutes=1)
        assert found == before | {
            "Workflow": {"Status": "RESOLVED"},
            "UserDefinedFields": {"iam26Outcome": "deleted"},
        }

    def test_what_is_not_given_stays(self, aws: Aws) -> None:
        """An update of the status leaves note and fields as they are."""
        finding = make_finding("web")
        aws.import_findings([finding])
        update(
            aws,
            finding,
            Note={"Text": "mine", "UpdatedBy": "me"},
            UserDefinedFields={"ticket": "1"},
        )
        update(aws, finding, Workflow={"Status": "NOTIFIED"})
        found = read_one(aws, finding)
        assert (found["Note"]["Text"], found["UserDefinedFields"]) == ("mine", {"ticket": "1"})

    def test_fields_are_replaced_as_a_whole(self, aws: Aws) -> None:
        """Who wants to keep the fields that were there has to send them along."""
        finding = make_finding("web", UserDefinedFields={"ticket": "1"})
        aws.import_findings([finding])
        update(aws, finding, UserDefinedFields={"iam26Outcome": "in-use"})
        assert read_one(aws, finding)["UserDefinedFields"] == {"iam26Outcome": "in-use"}

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"Note": {"Text": "x" * 513, "UpdatedBy": "me"}}, "512 characters"),
            ({"Note": {"Text": "", "UpdatedBy": "me"}}, "512 characters"),
            ({"Note": {"Text": "x", "UpdatedBy": ""}}, "UpdatedBy"),
            ({"UserDefinedFields": {str(n): "x" for n in range(51)}}, "50 UserDefinedFields"),
            ({"UserDefinedFields": {"x" * 129: "x"}}, "key is too long"),
            ({"UserDefinedFields": {"x": "x" * 1025}}, "value is too long"),
        ],
    )
    def test_what_is_too_long_is_refused(
        self, aws: Aws, fields: dict[str, Any], message: str
    ) -> None:
        """The limits that botocore does not check are checked here, and nothing is written."""
        finding = make_finding("web")
        aws.import_findings([finding])
        before = read_one(aws, finding)
        call = aws.client("securityhub").batch_update_findings
        params = {"FindingIdentifiers": identify(finding), **fields}
        assert code_of(call, **params) == "InvalidInputException"
        assert message in message_of(call, **params)
        assert read_one(aws, finding) == before

    def test_the_limits_themselves_are_taken(self, aws: Aws) -> None:
        """A note of 512 characters and 50 fields of the greatest length are fine."""
        finding = make_finding("web")
        aws.import_findings([finding])
        fields = {f"{number:0128}": "x" * 1024 for number in range(50)}
        note = {"Text": "x" * 512, "UpdatedBy": "me"}
        answer = update(aws, finding, Note=note, UserDefinedFields=fields)
        assert answer["UnprocessedFindings"] == []

    @pytest.mark.parametrize(
        ("count", "code"),
        [(0, "InvalidInputException"), (100, "OK"), (101, "InvalidInputException")],
    )
    def test_a_call_takes_up_to_a_hundred_findings(self, aws: Aws, count: int, code: str) -> None:
        """One finding at least, and 100 at most, are updated at once."""
        findings = [make_finding(str(number)) for number in range(count)]
        aws.import_findings(findings)
        answered = code_of(
            aws.client("securityhub").batch_update_findings,
            FindingIdentifiers=identify(*findings),
            Workflow={"Status": "NOTIFIED"},
        )
        assert answered == code

    def test_what_is_not_processed_is_answered_beside_the_rest(self, aws: Aws) -> None:
        """A finding that is not found, or named twice, does not keep others from their update."""
        known, twice, unknown = (make_finding(name) for name in ("known", "twice", "unknown"))
        aws.import_findings([known, twice])
        answer = update(aws, known, twice, twice, unknown)
        assert answer["ProcessedFindings"] == identify(known)
        assert unprocessed(answer) == {
            twice["Id"]: "DuplicatedFindingIdentifier",
            unknown["Id"]: "FindingNotFound",
        }
        assert read_one(aws, twice)["Workflow"]["Status"] == "NEW"

    def test_a_finding_is_known_by_id_and_product(self, aws: Aws) -> None:
        """The id under another product is another finding."""
        finding = make_finding("web")
        aws.import_findings([finding])
        other = {**finding, "ProductArn": "arn:aws:securityhub:us-east-1::product/acme/scanner"}
        assert unprocessed(update(aws, other)) == {finding["Id"]: "FindingNotFound"}

    @pytest.mark.parametrize("code", ["ConcurrentUpdateError", "InternalFailure", "InvalidInput"])
    def test_a_finding_can_be_left_unprocessed_for_a_while(self, aws: Aws, code: str) -> None:
        """A knob lets a finding fail as often as it says; then it is updated."""
        finding = make_finding("web")
        aws.import_findings([finding])
        aws.knobs.unprocessed_findings[finding["Id"]] = Unprocessed(code, times=2)
        answers = [unprocessed(update(aws, finding)) for _ in range(3)]
        assert answers == [{finding["Id"]: code}, {finding["Id"]: code}, {}]
        assert read_one(aws, finding)["Workflow"]["Status"] == "NOTIFIED"

    def test_moto_cannot_update(self, aws: Aws, unpatched: Unpatched) -> None:
        """Without the patch there is no such URL."""
        finding = make_finding("web")
        call = aws.client("securityhub").batch_update_findings
        with unpatched(PATCH):
            import_into_moto(aws, finding)
            code = code_of(
                call, FindingIdentifiers=identify(finding), Workflow={"Status": "NOTIFIED"}
            )
            assert code == "404"


def unprocessed(answer: dict[str, Any]) -> dict[str, str]:
    return {
        one["FindingIdentifier"]["Id"]: one["ErrorCode"] for one in answer["UnprocessedFindings"]
    }


class TestUpdateDelay:
    """An update may be visible only minutes later."""

    @pytest.fixture
    def clock(self) -> Iterator[time_machine.Traveller]:
        """Let time stand still until it is moved."""
        with time_machine.travel(datetime.now(UTC), tick=False) as clock:
            yield clock

    def test_readers_see_the_finding_as_it_was(
        self, aws: Aws, clock: time_machine.Traveller
    ) -> None:
        """GetFindings answers and filters by the old status until the delay is over."""
        finding = make_finding("web")
        aws.import_findings([finding])
        aws.knobs.finding_update_delay = timedelta(minutes=3)
        update(aws, finding)
        new = {"WorkflowStatus": [{"Comparison": "EQUALS", "Value": "NEW"}]}
        assert len(read_all(aws, Filters=new)) == 1
        clock.shift(timedelta(minutes=2))
        assert read_one(aws, finding)["Workflow"]["Status"] == "NEW"
        clock.shift(timedelta(minutes=2))
        assert read_one(aws, finding)["Workflow"]["Status"] == "NOTIFIED"
        assert read_all(aws, Filters=new) == []

    def test_the_event_has_the_update_at_once(
        self, aws: Aws, clock: time_machine.Traveller
    ) -> None:
        """The event that an update emits is ahead of what readers see."""
        finding = make_finding("web")
        aws.import_findings([finding])
        url = listen(aws, {"source": ["aws.securityhub"]})
        aws.knobs.finding_update_delay = timedelta(minutes=3)
        update(aws, finding)
        [event] = hear(aws, url)
        assert event["detail"]["findings"][0]["Workflow"]["Status"] == "NOTIFIED"
        assert read_one(aws, finding)["Workflow"]["Status"] == "NEW"

    def test_a_second_update_builds_on_the_first(
        self, aws: Aws, clock: time_machine.Traveller
    ) -> None:
        """Of two updates within the delay neither is lost, and readers see the oldest state."""
        finding = make_finding("web")
        aws.import_findings([finding])
        before = read_one(aws, finding)
        aws.knobs.finding_update_delay = timedelta(minutes=3)
        update(aws, finding, Workflow={"Status": "NOTIFIED"})
        update(aws, finding, UserDefinedFields={"ticket": "1"})
        assert read_one(aws, finding) == before
        clock.shift(timedelta(minutes=4))
        found = read_one(aws, finding)
        assert (found["Workflow"]["Status"], found["UserDefinedFields"]) == (
            "NOTIFIED",
            {"ticket": "1"},
        )


class TestImportedEvents:
    """EventBridge hears of every finding that is imported or updated."""

    def test_an_import_emits_one_event_per_finding(self, aws: Aws) -> None:
        """The event carries the finding and names it among its resources."""
        url = listen(aws, {"detail-type": ["Security Hub Findings - Imported"]})
        findings = [make_finding("a"), make_finding("b")]
        emitted = aws.import_findings(findings)
        heard = hear(aws, url)
        assert [event["detail"]["findings"] for event in heard] == [[one] for one in findings]
        assert [event["resources"] for event in heard] == [
            [f"{one['ProductArn']}/{one['Id']}"] for one in findings
        ]
        assert {event["source"] for event in heard} == {"aws.securityhub"}
        assert [event["detail"] for event in emitted] == [event["detail"] for event in heard]

    def test_a_finding_that_is_imported_again_is_replaced(self, aws: Aws) -> None:
        """An id is there once, with what was imported last."""
        finding = make_finding("web")
        aws.import_findings([finding])
        aws.import_findings([finding | {"RecordState": "ARCHIVED"}])
        [found] = read_all(aws)
        assert found["RecordState"] == "ARCHIVED"

    def test_an_update_emits_an_imported_event_again(self, aws: Aws) -> None:
        """An update loops back through the bus, with the status it set."""
        finding = make_finding("web")
        aws.import_findings([finding])
        url = listen(aws, {"detail-type": ["Security Hub Findings - Imported"]})
        update(aws, finding, Workflow={"Status": "NOTIFIED"})
        [event] = hear(aws, url)
        assert event["detail"]["findings"][0]["Workflow"] == {"Status": "NOTIFIED"}

    def test_an_update_that_leaves_new_does_not_loop(self, aws: Aws) -> None:
        """A rule that asks for NEW hears of the import, and not of the update."""
        finding = make_finding("web")
        url = listen(aws, {"detail": {"findings": {"Workflow": {"Status": ["NEW"]}}}})
        aws.import_findings([finding])
        assert len(hear(aws, url)) == 1
        update(aws, finding, Workflow={"Status": "NOTIFIED"})
        assert hear(aws, url) == []

    def test_anyones_import_is_heard_of_too(self, aws: Aws, unpatched: Unpatched) -> None:
        """BatchImportFindings emits as well, under the default product of whoever called it."""
        own = f"arn:aws:securityhub:us-east-1:{OWN_ACCOUNT}:product/{OWN_ACCOUNT}/default"

        def import_and_listen() -> list[str]:
            url = listen(aws, {"source": ["aws.securityhub"]})
            import_into_moto(aws, make_finding("web", ProductArn=own))
            return [one["detail"]["findings"][0]["ProductArn"] for one in hear(aws, url)]

        assert import_and_listen() == [own]
        with unpatched(PATCH):
            assert import_and_listen() == []

    def test_an_import_over_an_updated_finding_keeps_its_workflow(self, aws: Aws) -> None:
        """Whoever imports a finding again does not set the customer's status back."""
        finding = make_finding("web")
        del finding["Workflow"]
        import_into_moto(aws, finding)
        assert read_one(aws, finding)["Workflow"] == {"Status": "NEW"}
        update(aws, finding, Workflow={"Status": "SUPPRESSED"})
        url = listen(aws, {"source": ["aws.securityhub"]})
        import_into_moto(aws, finding)
        [event] = hear(aws, url)
        heard, read = event["detail"]["findings"][0], read_one(aws, finding)
        assert heard["Workflow"] == read["Workflow"] == {"Status": "SUPPRESSED"}


class TestActionTargets:
    """The button of a custom action."""

    def test_an_action_is_created_described_and_deleted(self, aws: Aws) -> None:
        """The ARN of an action follows from account, Region and id."""
        client = aws.client("securityhub")
        assert client.create_action_target(**ACTION)["ActionTargetArn"] == ACTION_ARN
        [described] = client.describe_action_targets()["ActionTargets"]
        assert described == {
            "ActionTargetArn": ACTION_ARN,
            "Name": ACTION["Name"],
            "Description": ACTION["Description"],
        }
        by_arn = client.describe_action_targets(ActionTargetArns=[ACTION_ARN, f"{ACTION_ARN}2"])
        assert by_arn["ActionTargets"] == [described]
        client.delete_action_target(ActionTargetArn=ACTION_ARN)
        assert client.describe_action_targets()["ActionTargets"] == []
        again = code_of(client.delete_action_target, ActionTargetArn=ACTION_ARN)
        assert again == "ResourceNotFoundException"

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({}, "ResourceConflictException"),
            ({"Id": "x" * 21}, "InvalidInputException"),
            ({"Id": "not-alphanumeric"}, "InvalidInputException"),
            ({"Id": "other", "Name": "x" * 21}, "InvalidInputException"),
            ({"Id": "x" * 20, "Name": "x" * 20}, "OK"),
        ],
    )
    def test_a_name_that_does_not_fit_is_refused(
        self, aws: Aws, changed: dict[str, str], code: str
    ) -> None:
        """Name and id have 20 characters at most, and an id is taken once."""
        create = aws.client("securityhub").create_action_target
        create(**ACTION)
        assert code_of(create, **(ACTION | changed)) == code

    def test_pressing_the_button_emits_one_event_a_finding(self, aws: Aws) -> None:
        """The event names the action, and carries the finding as it was picked."""
        aws.client("securityhub").create_action_target(**ACTION)
        pattern = {
            "source": ["aws.securityhub"],
            "detail-type": ["Security Hub Findings - Custom Action"],
            "resources": [ACTION_ARN],
        }
        url = listen(aws, pattern)
        findings = [make_finding("a"), make_finding("b", Compliance={"Status": "FAILED"})]
        emitted = aws.press_custom_action(ACTION_ARN, findings)
        heard = hear(aws, url)
        assert [event["detail"]["findings"] for event in heard] == [[one] for one in findings]
        assert {event["detail"]["actionName"] for event in heard} == {ACTION["Name"]}
        assert [event["detail"] for event in emitted] == [event["detail"] for event in heard]

    def test_a_button_that_does_not_exist_cannot_be_pressed(self, aws: Aws) -> None:
        """An action has to be created first."""
        with pytest.raises(KeyError):
            aws.press_custom_action(ACTION_ARN, [make_finding("web")])

    @pytest.mark.parametrize(
        ("method", "params"),
        [
            ("create_action_target", ACTION),
            ("describe_action_targets", {}),
            ("delete_action_target", {"ActionTargetArn": ACTION_ARN}),
        ],
    )
    def test_moto_has_no_actions(
        self, aws: Aws, unpatched: Unpatched, method: str, params: dict[str, str]
    ) -> None:
        """Without the patch there are no such URLs."""
        with unpatched(PATCH):
            assert code_of(getattr(aws.client("securityhub"), method), **params) == "404"

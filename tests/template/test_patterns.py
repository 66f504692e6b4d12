"""The event patterns of the rules, against the sample events and against near misses."""

import copy
from pathlib import Path
from typing import Any

import pytest

from local.aws.patches.events import matches
from local.fixtures.stack import Stack, load_stack
from tests.template import samples
from tests.template.samples import Event

FOREIGN = "444455556666"

# The samples that the rule on imported findings matches, and those of the custom action.
IMPORTED = {
    "imported-bare-name",
    "imported-certificate-id",
    "imported-cis-3.0",
    "imported-cis-5.0",
    "imported-cloudfront-path",
    "imported-consolidated",
    "imported-id-in-product-fields",
    "imported-id-of-another-account",
    "imported-typed-id",
    "imported-without-path",
}
PRESSED = {
    "custom-action-cis-5.0",
    "custom-action-foreign-account",
    "custom-action-other-control",
    "custom-action-several-standards",
}
BATCHES = {"sqs-batch", "sqs-batch-with-a-broken-record"}


def pattern(rule: str, stack: Stack) -> dict[str, Any]:
    """Return the event pattern of a rule."""
    return dict(stack.properties(rule)["EventPattern"])


SINGLE = [file for file in samples.FILES if file.stem not in BATCHES]


@pytest.mark.parametrize("file", SINGLE, ids=lambda file: file.stem)
def test_each_sample_matches_only_its_rule(file: Path) -> None:
    """Each sample that should start a remediation matches one rule, and no other sample does."""
    stack = load_stack()
    [event] = samples.list_events(file)

    assert matches(pattern("ImportedRule", stack), event) is (file.stem in IMPORTED)
    assert matches(pattern("CustomActionRule", stack), event) is (file.stem in PRESSED)


@pytest.mark.parametrize("batch", sorted(BATCHES))
def test_a_batch_holds_events_that_can_be_on_the_queue(batch: str) -> None:
    """Each event in a sample batch matches a rule or is from the sweep."""
    stack = load_stack()
    events = samples.list_events(samples.EVENTS / f"{batch}.json")

    assert all(
        matches(pattern("ImportedRule", stack), event)
        or matches(pattern("CustomActionRule", stack), event)
        or event["source"] == "iam26-remediation"
        for event in events
    )


def test_each_listed_sample_exists() -> None:
    """Each name in the sets above is that of a sample."""
    assert {file.stem for file in samples.FILES} >= IMPORTED | PRESSED | BATCHES


OTHER_FINDINGS: dict[str, dict[str, Any]] = {
    "passed": {"Compliance": {"Status": "PASSED", "SecurityControlId": "IAM.26"}},
    "warning": {"Compliance": {"Status": "WARNING", "SecurityControlId": "IAM.26"}},
    "not available": {"Compliance": {"Status": "NOT_AVAILABLE", "SecurityControlId": "IAM.26"}},
    "no compliance": {"Compliance": {}},
    "archived": {"RecordState": "ARCHIVED"},
    "suppressed": {"Workflow": {"Status": "SUPPRESSED"}},
    "notified": {"Workflow": {"Status": "NOTIFIED"}},
    "resolved": {"Workflow": {"Status": "RESOLVED"}},
    "only the deprecated workflow state": {"Workflow": {}},
    "another control": {"Compliance": {"Status": "FAILED", "SecurityControlId": "IAM.8"}},
    "a control with the same prefix": {
        "Compliance": {"Status": "FAILED", "SecurityControlId": "IAM.260"}
    },
    "a product of a customer": {
        "ProductArn": "arn:aws:securityhub:us-east-1:111122223333:product/111122223333/default"
    },
    "a product of a partner": {
        "ProductArn": "arn:aws:securityhub:us-east-1::product/prowler/prowler"
    },
    "a product with the same prefix": {
        "ProductArn": "arn:aws:securityhub:us-east-1::product/aws/securityhub-2"
    },
    "a product of another partition": {
        "ProductArn": "arn:aws-cn:securityhub:cn-north-1::product/aws/securityhub"
    },
    "a foreign account": {"AwsAccountId": FOREIGN},
}
OTHER_EVENTS = {
    "insights": {"detail-type": "Security Hub Insight Results"},
    "the custom action": {"detail-type": "Security Hub Findings - Custom Action"},
    "another source": {"source": "custom.securityhub"},
}


def make_event(event_fields: dict[str, Any], finding_fields: dict[str, Any]) -> Event:
    """Return an event that would be remediated, except for these fields."""
    event = copy.deepcopy(samples.read("imported-consolidated")) | event_fields
    event["detail"]["findings"][0] |= finding_fields
    return dict(event)


@pytest.mark.parametrize("name", OTHER_FINDINGS)
def test_the_imported_rule_ignores_other_findings(name: str) -> None:
    """A finding that differs in one field from one to be remediated does not match."""
    wanted = pattern("ImportedRule", load_stack())
    assert matches(wanted, make_event({}, {}))

    assert not matches(wanted, make_event({}, OTHER_FINDINGS[name]))


@pytest.mark.parametrize("name", OTHER_EVENTS)
def test_the_imported_rule_ignores_other_events(name: str) -> None:
    """The same finding in another kind of event does not match."""
    assert not matches(pattern("ImportedRule", load_stack()), make_event(OTHER_EVENTS[name], {}))


def test_a_single_finding_must_match_the_whole_pattern() -> None:
    """Two findings of one event that each match half of the pattern do not match together."""
    event = copy.deepcopy(samples.read("imported-consolidated"))
    [finding] = event["detail"]["findings"]
    passed, other = copy.deepcopy(finding), copy.deepcopy(finding)
    passed["Compliance"]["Status"] = "PASSED"
    other["Compliance"]["SecurityControlId"] = "IAM.8"
    event["detail"]["findings"] = [passed, other]
    wanted = pattern("ImportedRule", load_stack())

    assert not matches(wanted, event)

    event["detail"]["findings"].append(finding)
    assert matches(wanted, event)


def test_findings_of_other_accounts_match_with_a_member_role() -> None:
    """With MemberRoleName set, findings of every account in the organisation match."""
    event = samples.read("imported-foreign-account")

    assert not matches(pattern("ImportedRule", load_stack()), event)
    assert matches(pattern("ImportedRule", load_stack(MemberRoleName="iam26-member")), event)


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_findings_of_every_region_match(region: str) -> None:
    """Findings in the aggregation Region have the product ARN of the Region they are from."""
    event = copy.deepcopy(samples.read("imported-consolidated"))
    event["detail"]["findings"][0]["ProductArn"] = (
        f"arn:aws:securityhub:{region}::product/aws/securityhub"
    )

    assert matches(pattern("ImportedRule", load_stack()), event)


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:securityhub:us-east-1:111122223333:action/custom/DeleteExpired",
        "arn:aws:securityhub:us-east-1:111122223333:action/custom/DeleteExpiredCert2",
        "arn:aws:securityhub:eu-west-1:111122223333:action/custom/DeleteExpiredCert",
        "arn:aws:securityhub:us-east-1:444455556666:action/custom/DeleteExpiredCert",
    ],
)
def test_another_custom_action_does_not_match(arn: str) -> None:
    """Only the action of this application, account and Region matches."""
    event = samples.read("custom-action-cis-5.0") | {"resources": [arn]}

    assert not matches(pattern("CustomActionRule", load_stack()), event)


def test_the_custom_action_has_the_arn_that_the_rule_matches() -> None:
    """Rule and output have the ARN of the action that the nested stack creates."""
    arn = load_stack().outputs["ActionTargetArn"]
    made = load_stack("deploy/custom-action.yaml").properties("ActionTarget")

    assert pattern("CustomActionRule", load_stack())["resources"] == [arn]
    assert arn.endswith(f":action/custom/{made['Id']}")
    assert len(made["Name"]) <= 20
    assert len(made["Id"]) <= 20
    assert made["Id"].isalnum()

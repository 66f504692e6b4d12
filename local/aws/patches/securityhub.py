"""Security Hub: findings that can be filtered, updated, heard of and acted on.

moto's GetFindings ignores its filters, it has neither BatchUpdateFindings nor custom actions, and
no finding becomes an event. So these are here, with the limits of AWS, and every import and update
emits an event on EventBridge.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jmespath  # type: ignore[import-untyped]
from moto.securityhub.models import Finding, SecurityHubBackend, securityhub_backends
from moto.securityhub.responses import SecurityHubResponse
from moto.securityhub.urls import url_paths

from local.aws.knobs import HOME_REGION, OWN_ACCOUNT, knobs
from local.aws.patches import events
from local.aws.patches.patch import ApiError, Patch, Request, state_of, take_page

PATCH = Patch("securityhub")
for _path in ("/findings/batchupdate", "/actionTargets", "/actionTargets/(?P<ActionTargetArn>.+)"):
    PATCH.add_path(url_paths, f"{{0}}{_path}$", SecurityHubResponse.dispatch)

Filters = Mapping[str, Sequence[dict[str, str]]]

MAX_ACTION_NAME = 20
MAX_IDENTIFIERS = 100
MAX_NOTE = 512
MAX_RESULTS = 100
MAX_FIELDS = 50
MAX_FIELD_NAME = 128
MAX_FIELD_VALUE = 1024
MAX_FILTER_VALUES = 20

_FILTERED = {
    "AwsAccountId": "AwsAccountId",
    "ComplianceSecurityControlId": "Compliance.SecurityControlId",
    "ComplianceStatus": "Compliance.Status",
    "GeneratorId": "GeneratorId",
    "Id": "Id",
    "ProductArn": "ProductArn",
    "ProductName": "ProductName",
    "RecordState": "RecordState",
    "Region": "Region",
    "ResourceId": "Resources[].Id",
    "ResourceType": "Resources[].Type",
    "SeverityLabel": "Severity.Label",
    "Title": "Title",
    "UserDefinedFields": "UserDefinedFields",
    "WorkflowStatus": "Workflow.Status",
}
_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "EQUALS": lambda value, wanted: value == wanted,
    "PREFIX": str.startswith,
    "CONTAINS": str.__contains__,
}
_UPDATED_AS_GIVEN = (
    "Confidence",
    "Criticality",
    "RelatedFindings",
    "Severity",
    "Types",
    "UserDefinedFields",
    "VerificationState",
    "Workflow",
)


@dataclass
class Hub:
    """What moto keeps nowhere: custom actions, and findings as they still look to readers."""

    actions: dict[str, dict[str, str]] = field(default_factory=dict)
    stale: dict[str, tuple[datetime, dict[str, Any]]] = field(default_factory=dict)

    def read(self, finding: dict[str, Any]) -> dict[str, Any]:
        """Return a finding as GetFindings shows it now."""
        until, before = self.stale.get(finding["Id"], (None, finding))
        return before if until and datetime.now(UTC) < until else finding


def _backend(request: Request) -> SecurityHubBackend:
    return securityhub_backends[request.account][request.region]


def _hub(request: Request) -> Hub:
    return state_of(_backend(request), Hub)


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidInputException", message)


@PATCH.replace_operation(SecurityHubResponse, "GetFindings")
def get_findings(request: Request) -> dict[str, Any]:
    """Answer GetFindings."""
    params = request.params
    size = params.get("MaxResults", MAX_RESULTS)
    if not 1 <= size <= MAX_RESULTS:
        raise _invalid(f"MaxResults must be a number between 1 and {MAX_RESULTS}")
    hub = _hub(request)
    findings = [hub.read(finding.data) for finding in _backend(request).findings]
    filters = params.get("Filters", {})
    _check_filters(filters)
    found = [finding for finding in findings if _passes(finding, filters)]
    page, token = take_page(found, params.get("NextToken"), size, MAX_RESULTS)
    return {"Findings": page, "NextToken": token}


def _check_filters(filters: Filters) -> None:
    for name, conditions in filters.items():
        if len(conditions) > MAX_FILTER_VALUES:
            raise _invalid(f"at most {MAX_FILTER_VALUES} values for filter {name}")
        if name not in _FILTERED:
            raise NotImplementedError(f"the local Security Hub cannot filter findings by {name}")
        for condition in conditions:
            if condition["Comparison"].removeprefix("NOT_") not in _COMPARISONS:
                raise NotImplementedError(
                    f"the local Security Hub cannot compare by {condition['Comparison']}"
                )


def _passes(finding: dict[str, Any], filters: Filters) -> bool:
    return all(
        _meets(jmespath.search(_FILTERED[name], finding), conditions)
        for name, conditions in filters.items()
    )


def _meets(held: Any, conditions: Sequence[dict[str, str]]) -> bool:
    # AWS joins what shall be with OR, and what shall not be with AND.
    wanted = [one for one in conditions if not one["Comparison"].startswith("NOT_")]
    unwanted = [one for one in conditions if one["Comparison"].startswith("NOT_")]
    return (not wanted or any(_compare(held, one) for one in wanted)) and not any(
        _compare(held, one) for one in unwanted
    )


def _compare(held: Any, condition: dict[str, str]) -> bool:
    if "Key" in condition:
        held = (held or {}).get(condition["Key"])
    values = held if isinstance(held, list) else [held]
    compare = _COMPARISONS[condition["Comparison"].removeprefix("NOT_")]
    return any(value is not None and compare(value, condition["Value"]) for value in values)


@PATCH.add_operation(SecurityHubResponse, "BatchUpdateFindings")
def batch_update_findings(request: Request) -> dict[str, Any]:
    """Answer BatchUpdateFindings."""
    params = request.params
    identifiers = params["FindingIdentifiers"]
    _check_update(params)
    asked = Counter((one["Id"], one["ProductArn"]) for one in identifiers)
    unprocessed = []
    processed = []
    for finding_id, product_arn in asked:
        identifier = {"Id": finding_id, "ProductArn": product_arn}
        finding = _find(request, finding_id, product_arn)
        if asked[finding_id, product_arn] > 1:
            code: str | None = "DuplicatedFindingIdentifier"
        else:
            code = _take_unprocessed(finding_id) or (None if finding else "FindingNotFound")
        if code:
            unprocessed.append(
                {"FindingIdentifier": identifier, "ErrorCode": code, "ErrorMessage": code}
            )
        elif finding:
            _update(request, finding, params)
            processed.append(identifier)
    return {"ProcessedFindings": processed, "UnprocessedFindings": unprocessed}


def _check_update(params: dict[str, Any]) -> None:
    fields = params.get("UserDefinedFields", {})
    note = params.get("Note", {"Text": "absent", "UpdatedBy": "absent"})
    broken = {
        f"at most {MAX_IDENTIFIERS} findings": len(params["FindingIdentifiers"]) > MAX_IDENTIFIERS,
        "FindingIdentifiers is empty": not params["FindingIdentifiers"],
        f"Note.Text is 1 to {MAX_NOTE} characters": not 1 <= len(note["Text"]) <= MAX_NOTE,
        "Note.UpdatedBy is empty": not note["UpdatedBy"],
        f"at most {MAX_FIELDS} UserDefinedFields": len(fields) > MAX_FIELDS,
        "a UserDefinedFields key is too long": any(len(key) > MAX_FIELD_NAME for key in fields),
        "a UserDefinedFields value is too long": any(
            len(value) > MAX_FIELD_VALUE for value in fields.values()
        ),
    }
    for message, is_broken in broken.items():
        if is_broken:
            raise _invalid(f"Invalid parameter: {message}")


def _find(request: Request, finding_id: str, product_arn: str) -> Finding | None:
    for finding in _backend(request).findings:
        if finding.id == finding_id and finding.data["ProductArn"] == product_arn:
            return finding
    return None


def _take_unprocessed(finding_id: str) -> str | None:
    fault = knobs.unprocessed_findings.get(finding_id)
    if fault is None or fault.times < 1:
        return None
    fault.times -= 1
    return fault.error_code


def _update(request: Request, finding: Finding, params: dict[str, Any]) -> None:
    now = datetime.now(UTC)
    if knobs.finding_update_delay:
        _hub(request).stale[finding.id] = (
            now + knobs.finding_update_delay,
            _hub(request).read(finding.data),
        )
    update = {name: params[name] for name in _UPDATED_AS_GIVEN if name in params}
    if "Note" in params:
        update["Note"] = {**params["Note"], "UpdatedAt": now.isoformat()}
    finding.data = copy.deepcopy({**finding.data, **update})
    _emit_imported(request.account, request.region, finding.data)


@PATCH.replace_operation(SecurityHubResponse, "BatchImportFindings")
def batch_import_findings(request: Request) -> dict[str, Any]:
    """Answer BatchImportFindings: anyone's findings, which EventBridge hears of too."""
    findings = request.params["Findings"]
    failed, succeeded, failures = _backend(request).batch_import_findings(findings)
    for given in findings:
        # What moto refused it does not hold; what it held before keeps its workflow.
        if finding := _find(request, given["Id"], given["ProductArn"]):
            finding.data = {
                "Workflow": {"Status": "NEW"},
                "RecordState": "ACTIVE",
                **finding.data,
            }
            _emit_imported(request.account, request.region, finding.data)
    return {"FailedCount": failed, "SuccessCount": succeeded, "FailedFindings": failures}


@PATCH.add_operation(SecurityHubResponse, "CreateActionTarget")
def create_action_target(request: Request) -> dict[str, str]:
    """Answer CreateActionTarget."""
    params = request.params
    longest = max(len(params["Name"]), len(params["Id"]))
    if longest > MAX_ACTION_NAME or not params["Id"].isalnum():
        raise _invalid(
            f"Name and Id are at most {MAX_ACTION_NAME} characters, the Id letters and digits only"
        )
    arn = (
        f"arn:{request.partition}:securityhub:{request.region}:{request.account}"
        f":action/custom/{params['Id']}"
    )
    if arn in _hub(request).actions:
        raise ApiError("ResourceConflictException", f"Action target {arn} already exists")
    _hub(request).actions[arn] = {
        "ActionTargetArn": arn,
        "Name": params["Name"],
        "Description": params["Description"],
    }
    return {"ActionTargetArn": arn}


@PATCH.add_operation(SecurityHubResponse, "DescribeActionTargets")
def describe_action_targets(request: Request) -> dict[str, Any]:
    """Answer DescribeActionTargets."""
    params = request.params
    actions = _hub(request).actions
    found = [actions[arn] for arn in params.get("ActionTargetArns") or actions if arn in actions]
    page, token = take_page(found, params.get("NextToken"), params.get("MaxResults"), MAX_RESULTS)
    return {"ActionTargets": page, "NextToken": token}


@PATCH.add_operation(SecurityHubResponse, "DeleteActionTarget")
def delete_action_target(request: Request) -> dict[str, str]:
    """Answer DeleteActionTarget."""
    arn = request.params["ActionTargetArn"]
    if _hub(request).actions.pop(arn, None) is None:
        raise ApiError("ResourceNotFoundException", f"Action target {arn} does not exist")
    return {"ActionTargetArn": arn}


def import_findings(
    findings: Iterable[Mapping[str, Any]],
    *,
    account_id: str = OWN_ACCOUNT,
    region: str = HOME_REGION,
) -> list[dict[str, Any]]:
    """Put findings in as Security Hub's own checks do, and return the events this emitted.

    A finding whose id is known already is replaced.
    """
    backend = securityhub_backends[account_id][region]
    emitted = []
    for given in findings:
        finding = Finding(given["Id"], copy.deepcopy(dict(given)))
        backend.findings = [held for held in backend.findings if held.id != finding.id]
        backend.findings.append(finding)
        emitted.append(_emit_imported(account_id, region, finding.data))
    return emitted


def press_custom_action(
    action_arn: str,
    findings: Iterable[Mapping[str, Any]],
    *,
    account_id: str = OWN_ACCOUNT,
    region: str = HOME_REGION,
) -> list[dict[str, Any]]:
    """Press the button of a custom action on findings, and return the events this emitted."""
    action = state_of(securityhub_backends[account_id][region], Hub).actions[action_arn]
    emitted = [
        custom_action_event(
            finding,
            action_arn=action_arn,
            name=action["Name"],
            description=action["Description"],
            account=account_id,
            region=region,
        )
        for finding in findings
    ]
    for event in emitted:
        events.emit(account_id, region, event)
    return emitted


def imported_event(
    finding: Mapping[str, Any], *, account: str = OWN_ACCOUNT, region: str = HOME_REGION
) -> dict[str, Any]:
    """Return the `Security Hub Findings - Imported` event of a finding."""
    return events.make_event(
        source="aws.securityhub",
        detail_type="Security Hub Findings - Imported",
        detail={"findings": [copy.deepcopy(dict(finding))]},
        resources=[f"{finding['ProductArn']}/{finding['Id']}"],
        account=account,
        region=region,
    )


def custom_action_event(
    finding: Mapping[str, Any],
    *,
    action_arn: str,
    name: str,
    description: str,
    account: str = OWN_ACCOUNT,
    region: str = HOME_REGION,
) -> dict[str, Any]:
    """Return the `Security Hub Findings - Custom Action` event of a finding."""
    return events.make_event(
        source="aws.securityhub",
        detail_type="Security Hub Findings - Custom Action",
        detail={
            "actionName": name,
            "actionDescription": description,
            "findings": [copy.deepcopy(dict(finding))],
        },
        resources=[action_arn],
        account=account,
        region=region,
    )


def _emit_imported(account: str, region: str, finding: Mapping[str, Any]) -> dict[str, Any]:
    event = imported_event(finding, account=account, region=region)
    events.emit(account, region, event)
    return event

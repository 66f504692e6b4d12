"""Security Hub findings, as they are now.

https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindings.html
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from handlers.aws.answers import require_list
from handlers.aws.clients import Clients
from handlers.aws.errors import translated_errors
from models.errors import EventError
from models.finding import (
    CONTROL_ID,
    Finding,
    FindingKey,
    Stranger,
    WorkflowStatus,
    parse_finding,
)

if TYPE_CHECKING:
    from mypy_boto3_securityhub import SecurityHubClient
    from mypy_boto3_securityhub.type_defs import (
        AwsSecurityFindingFiltersTypeDef,
        StringFilterTypeDef,
    )

IDS_PER_READ = 20
PAGE_SIZE = 100
SECONDS_BETWEEN_PAGES = 1.0


class Findings:
    """The findings that Security Hub has, in the administrator's account."""

    def __init__(self, clients: Clients, sleep: Callable[[float], None] = time.sleep) -> None:
        self._clients = clients
        self._sleep = sleep

    @property
    def _client(self) -> "SecurityHubClient":
        client: SecurityHubClient = self._clients.get("securityhub")
        return client

    def read(
        self, keys: Sequence[FindingKey]
    ) -> Mapping[FindingKey, Finding | Stranger | EventError]:
        """Return the findings as they are now; those that Security Hub does not have are left out.

        One that cannot be understood is represented by the error that says why.

        Raises:
            AwsCallError: Security Hub may not be read, or answered without a list of findings.
            TransientError: it could not answer now.
        """
        found: dict[FindingKey, Finding | Stranger | EventError] = {}
        for chunk in split(keys, IDS_PER_READ):
            for page in self._search({"Id": [_equals(key.id) for key in chunk]}):
                for raw in page:
                    key = read_key(raw)
                    one = _parse(raw)
                    if found.setdefault(key, one) != one:
                        found[key] = EventError(f"GetFindings shows {key.id} in two versions")
        return {key: found[key] for key in keys if key in found}

    def search_failed(
        self, account_id: str | None = None
    ) -> Iterator[Sequence[Finding | EventError]]:
        """Return the findings of IAM.26 that are FAILED, ACTIVE and not SUPPRESSED, page by page.

        Args:
            account_id: the account whose findings to return; None for those of every account.

        Raises:
            AwsCallError: Security Hub may not be read.
            TransientError: it could not answer now.
        """
        statuses = [one for one in WorkflowStatus if one is not WorkflowStatus.SUPPRESSED]
        filters: AwsSecurityFindingFiltersTypeDef = {
            "ComplianceSecurityControlId": [_equals(CONTROL_ID)],
            "ComplianceStatus": [_equals("FAILED")],
            "RecordState": [_equals("ACTIVE")],
            "WorkflowStatus": [_equals(status.value) for status in statuses],
        }
        if account_id:
            filters["AwsAccountId"] = [_equals(account_id)]
        for page in self._search(filters):
            yield _parse_ours(page)

    def list_suppressed(self, account_id: str | None = None) -> list[Finding | EventError]:
        """Return the findings of IAM.26 that are SUPPRESSED, whatever else they are.

        A suppressed finding is updated no more, so it may be archived, and its result an old one.

        Args:
            account_id: the account whose findings to return; None for those of every account.

        Raises:
            AwsCallError: Security Hub may not be read.
            TransientError: it could not answer now.
        """
        filters: AwsSecurityFindingFiltersTypeDef = {
            "ComplianceSecurityControlId": [_equals(CONTROL_ID)],
            "WorkflowStatus": [_equals(WorkflowStatus.SUPPRESSED.value)],
        }
        if account_id:
            filters["AwsAccountId"] = [_equals(account_id)]
        return [one for page in self._search(filters) for one in _parse_ours(page)]

    def _search(
        self, filters: "AwsSecurityFindingFiltersTypeDef"
    ) -> Iterator[Sequence[Mapping[str, object]]]:
        """Return what Security Hub has, page by page.

        Never faster than a page a second: GetFindings allows three calls to all who use it.
        """
        with translated_errors("GetFindings"):
            pages = self._client.get_paginator("get_findings").paginate(
                Filters=filters, PaginationConfig={"PageSize": PAGE_SIZE}
            )
            for page in pages:
                yield require_list(page, "Findings", "a page")
                if page.get("NextToken"):
                    self._sleep(SECONDS_BETWEEN_PAGES)


def _equals(value: str) -> "StringFilterTypeDef":
    return {"Value": value, "Comparison": "EQUALS"}


def read_key(identifier: Mapping[str, object]) -> FindingKey:
    """Return the key in what AWS shows of a finding."""
    return FindingKey(str(identifier.get("Id")), str(identifier.get("ProductArn")))


def _parse(raw: Mapping[str, object]) -> Finding | Stranger | EventError:
    return parse_finding(raw, (str(raw.get("Id")),))


def _parse_ours(page: Sequence[Mapping[str, object]]) -> list[Finding | EventError]:
    """Return the findings of a page, without those that are of another control or product."""
    return [one for one in map(_parse, page) if not isinstance(one, Stranger)]


def split(keys: Sequence[FindingKey], size: int) -> Iterator[Sequence[FindingKey]]:
    """Return keys in chunks of at most `size`."""
    for start in range(0, len(keys), size):
        yield keys[start : start + size]

"""Security Hub findings: read as they are now, write what came of them.

https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindings.html
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import ValidationError

from handlers.aws.answers import require_list
from handlers.aws.clients import Clients
from handlers.aws.errors import translated_errors
from models.errors import AwsCallError, EventError, TransientError, describe_invalid
from models.finding import (
    CONTROL_ID,
    Finding,
    FindingKey,
    Stranger,
    WorkflowStatus,
    parse_finding,
)
from models.outcome import UPDATED_BY
from models.report import FindingUpdate, WriteResult

if TYPE_CHECKING:
    from mypy_boto3_securityhub import SecurityHubClient
    from mypy_boto3_securityhub.type_defs import AwsSecurityFindingFiltersTypeDef

IDS_PER_READ = 20
PAGE_SIZE = 100
FINDINGS_PER_UPDATE = 100
SECONDS_BETWEEN_PAGES = 1.0

# Security Hub answers these for a finding that others write at the same moment.
RETRIED_CODES = frozenset({"ConcurrentUpdateError", "InternalFailure"})
RETRY_DELAYS_SECONDS = (0.2, 0.6, 1.8)


class Findings:
    """The findings that Security Hub has, in the administrator's account."""

    def __init__(self, clients: Clients, sleep: Callable[[float], None] = time.sleep) -> None:
        self._clients = clients
        self._sleep = sleep

    def _client(self, region: str | None = None) -> "SecurityHubClient":
        client: SecurityHubClient = self._clients.get("securityhub", region)
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
        for chunk in _split(keys, IDS_PER_READ):
            for raw in self._read_raw([key.id for key in chunk]):
                key = FindingKey(str(raw.get("Id")), str(raw.get("ProductArn")))
                one = parse_finding(raw, (key.id,))
                if found.setdefault(key, one) != one:
                    found[key] = EventError(f"GetFindings shows finding {key.id} in two versions")
        return {key: found[key] for key in keys if key in found}

    def _read_raw(self, ids: Sequence[str]) -> Iterator[Mapping[str, object]]:
        with translated_errors("GetFindings"):
            pages = (
                self._client()
                .get_paginator("get_findings")
                .paginate(
                    Filters={"Id": [{"Value": one, "Comparison": "EQUALS"} for one in ids]},
                    PaginationConfig={"PageSize": PAGE_SIZE},
                )
            )
            for page in pages:
                shown = page.get("Findings")
                if not isinstance(shown, list) or not all(shown):
                    raise AwsCallError("GetFindings", "an answer without its findings")
                yield from shown

    def search_failed(
        self, account_id: str | None = None
    ) -> Iterator[Sequence[Finding | EventError]]:
        """Return the findings of IAM.26 that are FAILED, ACTIVE and not SUPPRESSED, page by page.

        Never faster than a call a second: GetFindings allows three to all who use it.

        Args:
            account_id: the account whose findings to return; None for those of every account.

        Raises:
            AwsCallError: Security Hub may not be read.
            TransientError: it could not answer now.
        """
        filters: AwsSecurityFindingFiltersTypeDef = {
            "ComplianceSecurityControlId": [{"Value": CONTROL_ID, "Comparison": "EQUALS"}],
            "ComplianceStatus": [{"Value": "FAILED", "Comparison": "EQUALS"}],
            "RecordState": [{"Value": "ACTIVE", "Comparison": "EQUALS"}],
            "WorkflowStatus": [
                {"Value": status.value, "Comparison": "EQUALS"}
                for status in WorkflowStatus
                if status is not WorkflowStatus.SUPPRESSED
            ],
        }
        if account_id:
            filters["AwsAccountId"] = [{"Value": account_id, "Comparison": "EQUALS"}]
        with translated_errors("GetFindings"):
            pages = (
                self._client(self._clients.region)
                .get_paginator("get_findings")
                .paginate(Filters=filters, PaginationConfig={"PageSize": PAGE_SIZE})
            )
            for page in pages:
                yield [_parse(raw) for raw in page["Findings"]]
                if page.get("NextToken"):
                    self._sleep(SECONDS_BETWEEN_PAGES)

    def list_suppressed(self, account_id: str) -> list[Finding | EventError]:
        """Return an account's findings of IAM.26 that are SUPPRESSED, whatever else they are.

        A suppressed finding is updated no more, so it may be archived, and its result an old one.

        Raises:
            AwsCallError: Security Hub may not be read.
            TransientError: it could not answer now.
        """
        filters: AwsSecurityFindingFiltersTypeDef = {
            "ComplianceSecurityControlId": [{"Value": CONTROL_ID, "Comparison": "EQUALS"}],
            "AwsAccountId": [{"Value": account_id, "Comparison": "EQUALS"}],
            "WorkflowStatus": [{"Value": WorkflowStatus.SUPPRESSED.value, "Comparison": "EQUALS"}],
        }
        client: SecurityHubClient = self._clients.get("securityhub")
        with translated_errors("GetFindings"):
            pages = client.get_paginator("get_findings").paginate(
                Filters=filters, PaginationConfig={"PageSize": PAGE_SIZE}
            )
            return [
                _parse(raw) for page in pages for raw in require_list(page, "Findings", "a page")
            ]

    def write(self, update: FindingUpdate) -> WriteResult:
        """Write a note, fields and workflow status on findings, and tell how each of them fared.

        Never raises for AWS's errors: another update must not suffer from this one.
        """
        result = WriteResult()
        for chunk in _split(update.findings, FINDINGS_PER_UPDATE):
            pending = list(chunk)
            for delay in (*RETRY_DELAYS_SECONDS, None):
                pending = self._write_once(update, pending, result)
                if not pending or delay is None:
                    break
                self._sleep(delay)
        return result

    def _write_once(
        self, update: FindingUpdate, keys: list[FindingKey], result: WriteResult
    ) -> list[FindingKey]:
        """Write once, and return the findings that are worth another try at once."""
        try:
            with translated_errors("BatchUpdateFindings"):
                answer = self._client().batch_update_findings(
                    FindingIdentifiers=[
                        {"Id": key.id, "ProductArn": key.product_arn} for key in keys
                    ],
                    Note={"Text": update.note, "UpdatedBy": UPDATED_BY},
                    UserDefinedFields=update.fields,
                    Workflow={"Status": update.status.value},
                )
        except (AwsCallError, TransientError) as error:
            # Not even a refusal is final here: whoever reads the finding would learn nothing, so
            # the message goes back to the queue and in the end to the dead-letter queue.
            result.postponed.update(dict.fromkeys(keys, str(error)))
            return []
        codes = {
            FindingKey(one["FindingIdentifier"]["Id"], one["FindingIdentifier"]["ProductArn"]): one[
                "ErrorCode"
            ]
            for one in answer.get("UnprocessedFindings", [])
        }
        for key in keys:
            code = codes.get(key)
            if code is None:
                result.postponed.pop(key, None)
            elif code in RETRIED_CODES:
                result.postponed[key] = f"BatchUpdateFindings answered {code}"
            else:
                result.rejected[key] = code
                result.postponed.pop(key, None)
        return [key for key in keys if codes.get(key) in RETRIED_CODES]


def _parse(raw: Mapping[str, object]) -> Finding | EventError:
    try:
        return Finding.model_validate(raw)
    except ValidationError as error:
        return EventError(f"finding {raw['Id']} is not understood: {describe_invalid(error)}")


def _split(keys: Sequence[FindingKey], size: int) -> Iterator[Sequence[FindingKey]]:
    for start in range(0, len(keys), size):
        yield keys[start : start + size]

"""What is written on Security Hub findings, apart from what merely reads them.

https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindings.html
"""

from handlers.aws.errors import translated_errors
from handlers.aws.findings import Findings, read_key, split
from models.errors import AwsCallError, TransientError
from models.finding import FindingKey
from models.outcome import UPDATED_BY
from models.report import FindingUpdate, WriteResult

FINDINGS_PER_UPDATE = 100

# Security Hub answers these for a finding that others write at the same moment.
RETRIED_CODES = frozenset({"ConcurrentUpdateError", "InternalFailure"})
RETRY_DELAYS_SECONDS = (0.2, 0.6, 1.8)


class UpdatableFindings(Findings):
    """The findings that Security Hub has, and what is written on them."""

    def write(self, update: FindingUpdate) -> WriteResult:
        """Write a note, fields and workflow status on findings, and tell how each of them fared.

        Never raises for AWS's errors: another update must not suffer from this one.
        """
        result = WriteResult()
        for chunk in split(update.findings, FINDINGS_PER_UPDATE):
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
                answer = self._client.batch_update_findings(
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
            read_key(one.get("FindingIdentifier") or {}): str(one.get("ErrorCode"))
            for one in answer.get("UnprocessedFindings") or []
        }
        written = set(map(read_key, answer.get("ProcessedFindings") or []))
        for key in keys:
            code = codes.get(key)
            if code is None and key not in written:
                result.postponed[key] = "BatchUpdateFindings did not say what became of it"
            elif code is None:
                result.postponed.pop(key, None)
            elif code in RETRIED_CODES:
                result.postponed[key] = f"BatchUpdateFindings answered {code}"
            else:
                result.rejected[key] = code
                result.postponed.pop(key, None)
        return [key for key in keys if codes.get(key) in RETRIED_CODES]

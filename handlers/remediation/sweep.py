"""The sweep: search open findings, group them by account, send them."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from handlers.observability import MetricUnit, logger, metrics
from handlers.remediation.ports import FindingSearchPort, QueuePort
from models.errors import AwsCallError, EventError, TransientError
from models.finding import Finding, FindingKey
from models.sweep import Envelope, compose_messages, is_left_open


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep works with.

    Attributes:
        findings: Security Hub.
        queue: the remediation queue.
        region: the Region whose Security Hub is searched.
        read_own_id: returns the account this application runs in.
        only_own: whether findings of other accounts are out of scope.
        clock: returns the time in UTC.
    """

    findings: FindingSearchPort
    queue: QueuePort
    region: str
    read_own_id: Callable[[], str]
    only_own: bool
    clock: Callable[[], datetime]

    def run(self) -> dict[str, int]:
        """Send the open findings of each account, and return how much there was.

        Raises:
            AwsCallError, TransientError: the search failed and nothing was sent, or an account's
                findings could not be sent, those of all others were.
        """
        accounts = self._search()
        envelope = Envelope(account=self.read_own_id(), region=self.region, time=self.clock())
        errors: list[Exception] = []
        messages = 0
        for account_id, findings in sorted(accounts.items()):
            try:
                for body in compose_messages(envelope, findings):
                    self.queue.send(body)
                    messages += 1
            except (AwsCallError, TransientError) as error:
                logger.error(
                    "findings of an account were not sent",
                    extra={"accountId": account_id, "reason": str(error)},
                )
                errors.append(error)
        counts = {
            "accounts": len(accounts),
            "findings": sum(map(len, accounts.values())),
            "messages": messages,
        }
        _measure(counts)
        if errors:
            raise errors[0]
        return counts

    def _search(self) -> dict[str, list[Finding]]:
        """Return the open findings by account, each once."""
        found: dict[FindingKey, Finding] = {}
        account_id = self.read_own_id() if self.only_own else None
        for page in self.findings.search_failed(self.region, account_id):
            for one in page:
                if isinstance(one, EventError):
                    # Security Hub shows it all the same, and no other finding waits for it.
                    metrics.add_metric(name="InvalidRecords", unit=MetricUnit.Count, value=1)
                    logger.error("a finding was not understood", extra={"reason": str(one)})
                elif is_left_open(one):
                    found[one.key] = one
        accounts: dict[str, list[Finding]] = defaultdict(list)
        for finding in found.values():
            accounts[finding.account_id].append(finding)
        return accounts


def _measure(counts: dict[str, int]) -> None:
    for name, value in counts.items():
        metrics.add_metric(name=f"Swept{name.title()}", unit=MetricUnit.Count, value=value)
    logger.info("sweep", extra=counts)

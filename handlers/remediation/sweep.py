"""The sweep: search open findings, group them by account, send them, and tell how all stand."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NotRequired, TypedDict

from handlers.observability import MetricUnit, logger, metrics
from handlers.remediation.ports import FindingSearchPort, NotificationsPort, QueuePort
from models.digest import compose_digest
from models.errors import AwsCallError, EventError, TransientError
from models.finding import Finding, FindingKey
from models.settings import AutoRemediation, SweepSettings
from models.sweep import Envelope, compose_messages, is_left_open

REFUSAL = (
    "AUTO_REMEDIATION is Disabled, so that a person approves each finding: run the custom action "
    "on those that are to be worked on"
)
# A schedule may be late, and it is better to tell of a deletion twice than never.
DIGESTS_OVERLAP = timedelta(minutes=15)


class Swept(TypedDict):
    """How much a sweep found open and sent, and why it refused if it did."""

    accounts: int
    findings: int
    messages: int
    refused: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep works with.

    Attributes:
        settings: whether it may work, how often, and on whose findings.
        findings: Security Hub.
        queue: the remediation queue.
        notifications: the topic, if there is one.
        region: the Region whose Security Hub is searched.
        read_own_id: returns the account this application runs in.
        clock: returns the time in UTC.
    """

    settings: SweepSettings
    findings: FindingSearchPort
    queue: QueuePort
    notifications: NotificationsPort | None
    region: str
    read_own_id: Callable[[], str]
    clock: Callable[[], datetime]

    def run(self) -> Swept:
        """Send the open findings of each account and a digest, and return how much was sent.

        Raises:
            AwsCallError, TransientError: the search failed and nothing was sent, or an account's
                findings could not be sent, those of all others were.
        """
        if self.settings.auto_remediation is AutoRemediation.DISABLED:
            logger.warning("the sweep was refused", extra={"reason": REFUSAL})
            return Swept(accounts=0, findings=0, messages=0, refused=REFUSAL)
        started_at = self.clock()
        own_id = self.read_own_id()
        found = self._search(own_id)
        accounts = _group_open(found)
        envelope = Envelope(account=own_id, region=self.region, time=started_at)
        messages, errors = self._send(envelope, accounts)
        swept = Swept(
            accounts=len(accounts),
            findings=sum(map(len, accounts.values())),
            messages=messages,
        )
        _measure(swept)
        self._tell(own_id, found, started_at - self.settings.period - DIGESTS_OVERLAP)
        if errors:
            raise errors[0]
        return swept

    def _search(self, own_id: str) -> Collection[Finding]:
        """Return the findings that nobody suppressed, each once."""
        found: dict[FindingKey, Finding] = {}
        account_id = None if self.settings.member_role_name else own_id
        for page in self.findings.search_failed(account_id):
            for one in page:
                if isinstance(one, EventError):
                    # Security Hub shows it all the same, and no other finding waits for it.
                    metrics.add_metric(name="InvalidRecords", unit=MetricUnit.Count, value=1)
                    logger.error("a finding was not understood", extra={"reason": str(one)})
                else:
                    found[one.key] = one
        return found.values()

    def _send(
        self, envelope: Envelope, accounts: Mapping[str, Sequence[Finding]]
    ) -> tuple[int, list[Exception]]:
        """Send the findings of each account, and return how many messages, and what failed."""
        messages = 0
        errors: list[Exception] = []
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
        return messages, errors

    def _tell(self, own_id: str, findings: Collection[Finding], since: datetime) -> None:
        digest = compose_digest(own_id, findings, since)
        if self.notifications is None or digest is None:
            return
        try:
            self.notifications.publish(digest)
        except (AwsCallError, TransientError) as error:
            # The findings say it all the same, and a repetition would send them once more.
            metrics.add_metric(name="FailedNotifications", unit=MetricUnit.Count, value=1)
            logger.error(
                "notification was not published",
                extra={"accountId": own_id, "outcome": digest.outcome, "reason": str(error)},
            )


def _group_open(findings: Collection[Finding]) -> Mapping[str, Sequence[Finding]]:
    """Return the findings that are left open, by account."""
    accounts: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if is_left_open(finding):
            accounts[finding.account_id].append(finding)
    return accounts


def _measure(swept: Swept) -> None:
    for name, value in (
        ("SweptAccounts", swept["accounts"]),
        ("SweptFindings", swept["findings"]),
        ("SweptMessages", swept["messages"]),
    ):
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
    logger.info("sweep", extra=dict(swept))

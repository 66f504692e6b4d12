"""The report: notification, then finding, then metrics and a log line.

Until a finding is written it is news, so whatever dies on the way, a redelivery tells it again.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from handlers.observability import MetricUnit, correlated, count_outcome, logger, metrics
from handlers.remediation.cases import Arrival, Case, Handled, Postponed, Results
from handlers.remediation.ports import FindingsPort, NotificationsPort
from models.conclusions import conclude_refused
from models.errors import AwsCallError, TransientError
from models.finding import FindingKey, Stranger
from models.outcome import Conclusion, Outcome
from models.report import (
    CertificateReport,
    FindingUpdate,
    WriteResult,
    compose_notification,
    describe_fields,
    merge_fields,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One finding and what is to be reported on it."""

    arrival: Arrival
    report: CertificateReport
    deleted_now: bool

    @property
    def key(self) -> FindingKey:
        """What Security Hub knows the finding by."""
        return self.arrival.finding.key

    @property
    def is_new(self) -> bool:
        """Whether the finding does not say this yet."""
        return not self.report.is_written_on(self.arrival.finding)

    @property
    def is_to_be_written(self) -> bool:
        """Whether the finding must be updated: it says something else, or has another status."""
        status = self.report.outcome.workflow_status
        return status is not None and (
            self.is_new or self.arrival.finding.workflow.status is not status
        )

    @property
    def is_to_be_notified(self) -> bool:
        """Whether people must be notified: of what is new, and of each delete that is made."""
        return self.report.outcome.notifies and (self.is_new or self.deleted_now)


@dataclass(frozen=True, slots=True)
class Reporter:
    """Writes what came of findings where people look.

    Attributes:
        findings: Security Hub.
        notifications: the topic, if there is one.
        clock: returns the time in UTC.
    """

    findings: FindingsPort
    notifications: NotificationsPort | None
    clock: Callable[[], datetime]

    def report(self, cases: Iterable[Case]) -> Results:
        """Report on cases of one account, and return what became of each of their findings."""
        results: Results = {}
        entries: list[Entry] = []
        reports: list[tuple[Case, CertificateReport]] = []
        for case in cases:
            if isinstance(case.verdict, Postponed):
                self._postpone(case, case.verdict, results)
                continue
            report = _compose_report(case, case.verdict)
            reports.append((case, report))
            entries += [Entry(arrival, report, case.deleted_now) for arrival in case.arrivals]
        self._notify(entries)
        self._write_findings(entries, results)
        _count_outcomes(results.values())
        for case, report in reports:
            _log_certificate(case, report)
        return results

    def _postpone(self, case: Case, postponed: Postponed, results: Results) -> None:
        metrics.add_metric(
            name="PostponedFindings", unit=MetricUnit.Count, value=len(case.arrivals)
        )
        with correlated(case.arrivals[0].event_id):
            logger.warning(
                "findings are postponed",
                extra={
                    "reason": str(postponed.error),
                    "findingIds": [finding.id for finding in case.findings],
                },
            )
        results.update({finding.key: postponed for finding in case.findings})

    def _write_findings(self, entries: list[Entry], results: Results) -> None:
        """Write what is new, and add to the results what became of each finding."""
        rejected: set[FindingKey] = set()
        postponed: dict[FindingKey, str] = {}
        for update in self._plan_updates(entries):
            written = self.findings.write(update)
            _log_rejections(written)
            rejected |= written.rejected.keys()
            postponed |= written.postponed
        for entry in entries:
            key = entry.key
            if key in postponed:
                metrics.add_metric(name="PostponedFindings", unit=MetricUnit.Count, value=1)
                logger.error(
                    "finding could not be updated now",
                    extra={"findingId": key.id, "reason": postponed[key]},
                )
                results[key] = Postponed(TransientError(postponed[key]))
                continue
            status = entry.report.outcome.workflow_status
            if status is None or key in rejected:
                status = entry.arrival.finding.workflow.status
            results[key] = Handled(entry.report, status)

    def _plan_updates(self, entries: list[Entry]) -> list[FindingUpdate]:
        """Return one update for each distinct status, note and fields."""
        checked_at = self.clock()
        updates: dict[str, FindingUpdate] = {}
        for entry in entries:
            status = entry.report.outcome.workflow_status
            if status is None or not entry.is_to_be_written:
                continue
            finding = entry.arrival.finding
            update = FindingUpdate(
                status=status,
                note=entry.report.conclusion.note,
                fields=merge_fields(
                    finding.user_defined_fields, describe_fields(entry.report, checked_at)
                ),
                findings=(),
            )
            content = update.model_dump_json()
            same = updates.get(content, update)
            updates[content] = same.model_copy(update={"findings": (*same.findings, entry.key)})
        return list(updates.values())

    def _notify(self, entries: list[Entry]) -> None:
        if self.notifications is None:
            return
        groups: dict[tuple[str, Outcome], dict[CertificateReport, list[str]]] = defaultdict(dict)
        for entry in entries:
            if entry.is_to_be_notified:
                group = groups[entry.report.account_id, entry.report.outcome]
                group.setdefault(entry.report, []).append(entry.arrival.finding.id)
        for (account_id, outcome), reports in groups.items():
            try:
                self.notifications.publish(
                    compose_notification(account_id, outcome, list(reports.items()))
                )
            except (AwsCallError, TransientError) as error:
                # The finding will say it all the same, and a redelivery would repeat the others.
                metrics.add_metric(name="FailedNotifications", unit=MetricUnit.Count, value=1)
                logger.error(
                    "notification was not published",
                    extra={"accountId": account_id, "outcome": outcome, "reason": str(error)},
                )


def _compose_report(case: Case, conclusion: Conclusion) -> CertificateReport:
    return CertificateReport(
        account_id=case.account_id,
        arn=case.arn,
        resource_id=case.findings[0].resource_id or "none",
        certificate_id=case.certificate_id,
        conclusion=conclusion,
    )


def report_stranger(stranger: Stranger, event_id: str) -> None:
    """Count and log a finding that is refused although it is not understood."""
    count_outcome(Outcome.REFUSED, 1)
    with correlated(event_id):
        logger.info(
            "finding is refused",
            extra={
                "eventIds": [event_id],
                "accountId": stranger.account_id,
                "outcome": Outcome.REFUSED,
                "reason": conclude_refused(stranger.trait).note,
                "findingIds": [stranger.id],
            },
        )


def _count_outcomes(results: Iterable[Handled | Postponed]) -> None:
    done = Counter(one.report.outcome for one in results if isinstance(one, Handled))
    for outcome, count in sorted(done.items()):
        count_outcome(outcome, count)


def _log_rejections(written: WriteResult) -> None:
    for key, code in written.rejected.items():
        metrics.add_metric(name="RejectedFindingUpdates", unit=MetricUnit.Count, value=1)
        logger.error(
            "Security Hub rejected the update of a finding",
            extra={"findingId": key.id, "reason": code},
        )


def _log_certificate(case: Case, report: CertificateReport) -> None:
    with correlated(case.arrivals[0].event_id):
        logger.info(
            "certificate",
            extra={
                "eventIds": sorted({arrival.event_id for arrival in case.arrivals}),
                "accountId": report.account_id,
                "certificate": report.arn or report.resource_id,
                "certificateId": case.certificate_id,
                "outcome": report.outcome,
                "reason": report.conclusion.note,
                "references": report.conclusion.items,
                "findingIds": [finding.id for finding in case.findings],
            },
        )

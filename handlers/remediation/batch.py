"""A batch of findings: refuse, refresh, split by account, remediate, report."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import datetime

from handlers.observability import MetricUnit, logger, metrics
from handlers.remediation.account import AccountRemediation, AccountResult
from handlers.remediation.cases import Arrival, Case, Postponed, Results, Verdict, attempt
from handlers.remediation.deadline import Deadline
from handlers.remediation.ports import AccountsPort, ArchivePort, FindingsPort
from handlers.remediation.report import Reporter
from models.conclusions import conclude_refused, conclude_unknown_finding
from models.errors import EventError, TransientError
from models.events import EntryPoint
from models.finding import Finding, FindingKey, Stranger
from models.outcome import Conclusion
from models.reference import References
from models.refusal import find_taken_trait
from models.settings import Mode, Settings

# Each reads up to 32 things at once, and all share one processor: see docs/decisions.md.
ACCOUNTS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Remediation:
    """What an invocation works with.

    Attributes:
        settings: the function's settings.
        accounts: the accounts that can be reached.
        findings: Security Hub.
        archive: where certificates go before they are deleted; needed to enforce.
        reporter: writes what came of the findings.
        clock: returns the time in UTC.
    """

    settings: Settings
    accounts: AccountsPort
    findings: FindingsPort
    archive: ArchivePort | None
    reporter: Reporter
    clock: Callable[[], datetime]

    def run(self, arrivals: Sequence[Arrival], deadline: Deadline) -> Results:
        """Work on findings, each once, and return what became of each.

        No failure of one account, certificate or finding reaches another.
        """
        ours, foreign = _refuse(_drop_duplicates(arrivals), self._find_foreign_trait)
        current, unread = self._refresh(ours)
        failed, settled = _refuse(current, self._find_trait)
        early: dict[str, list[Case]] = defaultdict(list)
        for case in (*foreign, *unread, *settled):
            early[case.account_id].append(case)
        results: Results = {}
        for result in self._remediate_accounts(failed, deadline):
            _measure_scans(result.scans)
            results |= self._report([*early.pop(result.account_id, ()), *result.cases])
        for cases in early.values():
            results |= self._report(cases)
        return results

    def _find_trait(self, arrival: Arrival) -> str | None:
        """Return why a finding, as it is now, is not to be worked on, or None if it is."""
        finding = arrival.finding
        return (
            self._find_foreign_trait(arrival)
            or finding.find_settled_trait()
            or find_taken_trait(finding, arrival.entry_point)
        )

    def _find_foreign_trait(self, arrival: Arrival) -> str | None:
        """Return why a finding is not ours to work on, or None if it is."""
        finding = arrival.finding
        trait = finding.find_foreign_trait()
        if trait is None and not self.accounts.is_in_scope(finding.account_id):
            return (
                f"account {finding.account_id} is out of scope, because MEMBER_ROLE_NAME is empty "
                "and it is not the account this application runs in"
            )
        return trait

    def _refresh(self, arrivals: Sequence[Arrival]) -> tuple[list[Arrival], list[Case]]:
        """Return the findings as Security Hub has them now, and cases of those it did not show."""
        if not arrivals:
            return [], []
        known = attempt(self.findings.read, [one.finding.key for one in arrivals])
        if isinstance(known, Conclusion | Postponed):
            return [], [Case.of(one, known) for one in arrivals]
        current: list[Arrival] = []
        unread: list[Case] = []
        for one in arrivals:
            now = self._take_current(one, known.get(one.finding.key))
            if isinstance(now, Finding):
                current.append(replace(one, finding=now))
            else:
                unread.append(Case.of(one, now))
        return current, unread

    def _take_current(
        self, arrival: Arrival, shown: Finding | Stranger | EventError | None
    ) -> Finding | Verdict:
        """Return the finding to decide on, or the verdict if Security Hub does not show it."""
        match shown:
            case Finding():
                return shown
            case Stranger():
                return conclude_refused(shown.trait)
            case EventError():
                return Postponed(shown)
        if arrival.is_queued:
            # It may not be there yet; one that is never there ends in the dead-letter queue.
            return Postponed(
                TransientError(f"Security Hub does not have finding {arrival.finding.id}")
            )
        if self.settings.mode is Mode.DRY_RUN:
            return arrival.finding
        return conclude_unknown_finding(arrival.finding.id)

    def _remediate_accounts(
        self, arrivals: Sequence[Arrival], deadline: Deadline
    ) -> Iterator[AccountResult]:
        """Work on accounts side by side, and yield each as it is done."""
        groups: dict[str, list[Arrival]] = defaultdict(list)
        for arrival in arrivals:
            groups[arrival.finding.account_id].append(arrival)
        work = AccountRemediation(
            self.accounts, self.findings, self.archive, self.settings, self.clock, deadline
        )
        with ThreadPoolExecutor(ACCOUNTS_AT_ONCE, thread_name_prefix="account") as pool:
            running = [pool.submit(work.run, *group) for group in groups.items()]
            for done in as_completed(running):
                yield done.result()

    def _report(self, cases: list[Case]) -> Results:
        """Report on cases; what cannot be reported is retried."""
        try:
            return self.reporter.report(cases)
        except Exception as error:  # noqa: BLE001 - logged, and the dead-letter queue gets it
            logger.exception("report failed")
            return {finding.key: Postponed(error) for case in cases for finding in case.findings}


def _measure_scans(scans: Sequence[References]) -> None:
    for scan in scans:
        metrics.add_metric(name="ScanDuration", unit=MetricUnit.Seconds, value=scan.seconds)
        metrics.add_metric(name="ScanCalls", unit=MetricUnit.Count, value=scan.calls)


def _refuse(
    arrivals: Sequence[Arrival], find_trait: Callable[[Arrival], str | None]
) -> tuple[list[Arrival], list[Case]]:
    """Return the findings to go on with, and cases of those that a trait excludes."""
    accepted, refused = [], []
    for arrival in arrivals:
        trait = attempt(find_trait, arrival)
        if trait is None:
            accepted.append(arrival)
        elif isinstance(trait, str):
            refused.append(Case.of(arrival, conclude_refused(trait)))
        else:
            refused.append(Case.of(arrival, trait))
    return accepted, refused


def _drop_duplicates(arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Return each finding once, in the order they first came; a person who asks is heard."""
    unique: dict[FindingKey, Arrival] = {}
    for arrival in arrivals:
        key = arrival.finding.key
        first = unique.setdefault(key, arrival)
        if arrival.entry_point is EntryPoint.CUSTOM_ACTION:
            unique[key] = replace(first, entry_point=EntryPoint.CUSTOM_ACTION)
    return list(unique.values())

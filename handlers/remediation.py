"""The story of findings: refuse, refresh, group, decide, act, report."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from handlers.aws.errors import CertificateGoneError
from handlers.cases import Arrival, Case, Deadline, Postponed, Results, group_by_certificate
from handlers.deletion import Deletion
from handlers.observability import MetricUnit, logger, metrics
from handlers.ports import AccountPort, AccountsPort, ArchivePort, FindingsPort
from handlers.reporting import Reporter
from models.certificate import ServerCertificate
from models.decision import Act, Need, conclude_deletable, decide
from models.errors import TransientError
from models.finding import Finding
from models.outcome import Conclusion, Outcome
from models.reference import References
from models.settings import Mode, Settings


@dataclass(frozen=True, slots=True)
class Remediation:
    """What an invocation works with.

    Attributes:
        settings: the function's settings.
        accounts: the accounts that can be reached.
        findings: Security Hub.
        archive: where certificates go before they are deleted; needed to enforce.
        reporter: writes what came of the findings.
        clock: gives the time in UTC.
    """

    settings: Settings
    accounts: AccountsPort
    findings: FindingsPort
    archive: ArchivePort | None
    reporter: Reporter
    clock: Callable[[], datetime]

    def run(self, arrivals: Sequence[Arrival], deadline: Deadline) -> Results:
        """Work on findings, each once, and tell what became of each.

        No failure of one account, certificate or finding reaches another.
        """
        ours, foreign = self._refuse(_drop_duplicates(arrivals), self._find_foreign_trait)
        current, unread = self._refresh(ours)
        failed, settled = self._refuse(current, Finding.find_settled_trait)
        results = self._report([*foreign, *unread, *settled])
        accounts: dict[str, list[Arrival]] = defaultdict(list)
        for arrival in failed:
            accounts[arrival.finding.account_id].append(arrival)
        for account_id, group in accounts.items():
            results |= self._report(self._remediate_account(account_id, group, deadline))
        return results

    def _refuse(
        self, arrivals: Sequence[Arrival], find_trait: Callable[[Finding], str | None]
    ) -> tuple[list[Arrival], list[Case]]:
        """Give the findings to go on with, and cases of those with a trait that ends their path."""
        accepted, refused = [], []
        for arrival in arrivals:
            case = Case([arrival], identifier=arrival.finding.certificate_identifier)
            with case.errors_concluded():
                if trait := find_trait(arrival.finding):
                    case.conclusion = Conclusion(
                        outcome=Outcome.REFUSED, lead=f"Left alone: {trait}."
                    )
            if case.is_open:
                accepted.append(arrival)
            else:
                refused.append(case)
        return accepted, refused

    def _find_foreign_trait(self, finding: Finding) -> str | None:
        """Give why a finding is not ours to work on, or None if it is."""
        trait = finding.find_foreign_trait()
        if trait is None and not self.accounts.is_in_scope(finding.account_id):
            return (
                f"account {finding.account_id} is out of scope, because MEMBER_ROLE_NAME is empty "
                "and it is not the account this application runs in"
            )
        return trait

    def _refresh(self, arrivals: Sequence[Arrival]) -> tuple[list[Arrival], list[Case]]:
        """Give the findings as Security Hub has them now, and cases of those it did not show.

        A finding that Security Hub does not have, such as a sample event's, stays as it came.
        """
        regions: dict[str, list[Arrival]] = defaultdict(list)
        for arrival in arrivals:
            regions[arrival.region].append(arrival)
        current: list[Arrival] = []
        unread: list[Case] = []
        for region, group in regions.items():
            case = Case(group)
            with case.errors_concluded():
                known = self.findings.read(region, [one.finding.key for one in group])
                current += [
                    replace(one, finding=known.get(one.finding.key, one.finding)) for one in group
                ]
            if not case.is_open:
                unread += case.split()
        return current, unread

    def _remediate_account(
        self, account_id: str, arrivals: list[Arrival], deadline: Deadline
    ) -> list[Case]:
        """Decide and act on the certificates of one account."""
        whole = Case(arrivals)
        with whole.errors_concluded():
            deadline.seconds_left()
            account = self.accounts.open(account_id)
            certificates = account.certificates.list_all()
            cases = group_by_certificate(arrivals, certificates, self.accounts.partition)
            for case in cases:
                with case.errors_concluded():
                    self._decide_without_references(account, case)
            self._decide_with_references(account, certificates, cases, deadline)
            return cases
        return whole.split()

    def _decide_without_references(self, account: AccountPort, case: Case) -> None:
        """Conclude a case if what is cheap to know suffices."""
        if case.identifier is None or not case.is_open:
            return
        deletion = self._deletion_in(account)
        if case.certificate is None:
            case.conclusion = deletion.conclude_gone(case)
            return
        decision = decide(case.certificate, case.identifier, self.settings, self.clock())
        if decision is Need.TAGS:
            try:
                case.tags = account.certificates.read_tags(case.certificate.name)
            except CertificateGoneError:
                case.conclusion = deletion.conclude_gone(case)
                return
            decision = decide(
                case.certificate, case.identifier, self.settings, self.clock(), tags=case.tags
            )
        if isinstance(decision, Conclusion):
            case.conclusion = decision

    def _decide_with_references(
        self,
        account: AccountPort,
        certificates: Sequence[ServerCertificate],
        cases: Sequence[Case],
        deadline: Deadline,
    ) -> None:
        """Conclude the cases that are still candidates, on one scan as long as it is fresh."""
        candidates = [case for case in cases if case.is_open]
        references: References | None = None
        try:
            for case in candidates:
                if references is None or not references.is_fresh(self.clock()):
                    references = self._scan(account, deadline)
                deadline.seconds_left()
                with case.errors_concluded():
                    self._act(account, case, references, certificates)
        except TransientError as error:
            for case in candidates:
                if case.is_open:
                    case.postponed = error

    def _act(
        self,
        account: AccountPort,
        case: Case,
        references: References,
        certificates: Sequence[ServerCertificate],
    ) -> None:
        if case.certificate is None or case.identifier is None:
            raise ValueError("a candidate is a certificate that was found")
        decision = decide(
            case.certificate,
            case.identifier,
            self.settings,
            self.clock(),
            tags=case.tags,
            references=references,
            certificates=certificates,
        )
        if isinstance(decision, Conclusion):
            case.conclusion = decision
        elif decision is Act.DELETE and self.settings.mode is Mode.DRY_RUN:
            case.conclusion = conclude_deletable(case.certificate, references, archived_as=None)
        elif decision is Act.DELETE:
            case.conclusion = self._deletion_in(account).delete(case, references, certificates)

    def _scan(self, account: AccountPort, deadline: Deadline) -> References:
        started_at = self.clock()
        references = account.scan_references(deadline.seconds_left())
        now = self.clock()
        seconds = (now - started_at).total_seconds()
        metrics.add_metric(name="ScanDuration", unit=MetricUnit.Seconds, value=seconds)
        metrics.add_metric(name="ScanCalls", unit=MetricUnit.Count, value=references.calls)
        if not references.is_fresh(now):
            raise TransientError(f"the scan took {seconds:.0f} s, too long to rest a delete on")
        return references

    def _deletion_in(self, account: AccountPort) -> Deletion:
        return Deletion(account, self.archive, self.settings, self.clock)

    def _report(self, cases: list[Case]) -> Results:
        """Report on cases; what cannot be reported comes again."""
        try:
            return self.reporter.report(cases)
        except Exception as error:  # noqa: BLE001 - logged, and the dead-letter queue gets it
            logger.exception("report failed")
            return {finding.key: Postponed(error) for case in cases for finding in case.findings}


def _drop_duplicates(arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Give each finding once, in the order they first came."""
    unique: dict[object, Arrival] = {}
    for arrival in arrivals:
        first = unique.setdefault(arrival.finding.key, arrival)
        if arrival.is_redelivered and not first.is_redelivered:
            unique[arrival.finding.key] = replace(first, is_redelivered=True)
    return list(unique.values())

"""How many AWS calls the design says that deliveries of findings cost.

It knows what was delivered and what is in the accounts, and nothing of what the application did.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from handlers.aws.clients import SDK_ATTEMPTS
from handlers.aws.findings import IDS_PER_READ, PAGE_SIZE
from models.outcome import Outcome


class Kind(StrEnum):
    """What a certificate is like, or what people decided about its finding."""

    CLEAN = "expired, and nothing refers to it"
    BUSY = "expired, and a load balancer has it"
    VALID = "renewed"
    YOUNG = "expired a few days ago"
    EXEMPT = "expired, and tagged to be kept"
    GONE = "not in IAM any more"
    ACCEPTED = "expired, and its finding suppressed since its event was sent"


OUTCOMES = {
    Kind.CLEAN: Outcome.DELETED,
    Kind.BUSY: Outcome.IN_USE,
    Kind.VALID: Outcome.NOT_EXPIRED,
    Kind.YOUNG: Outcome.IN_GRACE_PERIOD,
    Kind.EXEMPT: Outcome.EXEMPT,
    Kind.GONE: Outcome.ALREADY_GONE,
    Kind.ACCEPTED: Outcome.REFUSED,
}
# Only what tags must be read of got past its expiry, and only candidates need a scan.
TAGS_ARE_READ = frozenset({Kind.CLEAN, Kind.BUSY, Kind.EXEMPT})
CANDIDATES = frozenset({Kind.CLEAN, Kind.BUSY})


@dataclass(frozen=True, slots=True)
class Subject:
    """A finding, and what is true of it."""

    finding_id: str
    account_id: str
    certificate: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Delivery:
    """A finding in a batch."""

    subject: Subject
    is_redelivered: bool


@dataclass
class AccountFacts:
    """What an account has that makes calls.

    Attributes:
        is_own: the application runs in it.
        has_role: the member role is there.
        load_balancers: Application and Network Load Balancers.
        tls_listeners: their listeners that can carry certificates.
        throttled_batches: for how many batches IAM answers nothing but throttling.
    """

    is_own: bool = False
    has_role: bool = True
    load_balancers: int = 0
    tls_listeners: int = 0
    throttled_batches: int = 0


@dataclass
class Prediction:
    """The calls that a warm function makes, batch by batch.

    Attributes:
        accounts: the accounts' facts by their ids.
        regions: how many Regions are enabled in each.
        calls: the calls so far, by service and operation.
        scan_calls_spared: the calls that a scan for each finding would have cost on top.
    """

    accounts: dict[str, AccountFacts]
    regions: int
    calls: Counter[str] = field(default_factory=Counter)
    scan_calls_spared: int = 0
    _entered: set[str] = field(default_factory=set)
    _deleted: set[tuple[str, str]] = field(default_factory=set)
    _written: dict[str, Outcome] = field(default_factory=dict)

    def add_sweep(self, findings: int, accounts: int) -> None:
        """Add a sweep: pages of findings, one message per account, one digest."""
        # A sweep is a process of its own, so it asks who it is.
        self.calls["sts.GetCallerIdentity"] += 1
        self.calls["securityhub.GetFindings"] += max(1, -(-findings // PAGE_SIZE))
        self.calls["sqs.SendMessage"] += accounts
        self.calls["sns.Publish"] += 1

    def add_batch(self, deliveries: Sequence[Delivery]) -> None:
        """Add an invocation with findings, each of them once."""
        # Each decision rests on the finding as it is now, read for twenty of them at a time.
        self.calls["securityhub.GetFindings"] += -(-len(deliveries) // IDS_PER_READ)
        accounts: dict[str, list[Delivery]] = defaultdict(list)
        for one in deliveries:
            # What people accepted ends here.
            if one.subject.kind is not Kind.ACCEPTED:
                accounts[one.subject.account_id].append(one)
        for account_id, group in accounts.items():
            self._add_account(account_id, group)

    def _add_account(self, account_id: str, group: list[Delivery]) -> None:
        facts = self.accounts[account_id]
        if not facts.is_own and account_id not in self._entered:
            # Credentials last longer than this, so each account is entered once.
            self.calls["sts.AssumeRole"] += 1
            if not facts.has_role:
                self._report(group, dict.fromkeys(_subjects(group), Outcome.UNVERIFIED))
                return
            self._entered.add(account_id)
        if facts.throttled_batches:
            # The SDK retries, then the messages are redelivered; nothing of the account was begun.
            facts.throttled_batches -= 1
            self.calls["iam.ListServerCertificates"] += SDK_ATTEMPTS
            return
        # The account's certificates are listed once for all of its findings.
        self.calls["iam.ListServerCertificates"] += 1
        outcomes = {one: OUTCOMES[one.kind] for one in _subjects(group)}
        present = {
            (one.certificate, one.kind)
            for one in outcomes
            if one.kind is not Kind.GONE and (account_id, one.certificate) not in self._deleted
        }
        self._look_up_what_is_gone(outcomes)
        # One certificate is one decision, however many findings are about it.
        self.calls["iam.ListServerCertificateTags"] += sum(
            kind in TAGS_ARE_READ for _, kind in present
        )
        candidates = {one for one in present if one[1] in CANDIDATES}
        if candidates:
            self._scan(facts, sum((one.certificate, one.kind) in candidates for one in outcomes))
        for name in [name for name, kind in present if kind is Kind.CLEAN]:
            # Read again, archived, deleted: one call each, and never again for this certificate.
            self.calls.update(
                ["iam.GetServerCertificate", "s3.PutObject", "iam.DeleteServerCertificate"]
            )
            self._deleted.add((account_id, name))
        self._report(group, outcomes)

    def _look_up_what_is_gone(self, outcomes: Iterable[Subject]) -> None:
        for one in outcomes:
            is_deleted = (one.account_id, one.certificate) in self._deleted
            if one.kind is Kind.GONE or is_deleted:
                # The archive is asked who deleted it, finding by finding.
                self.calls["s3.ListObjectsV2"] += 1
            if is_deleted:
                self.calls["s3.GetObject"] += 1

    def _scan(self, facts: AccountFacts, candidates: int) -> None:
        """Add one look at everything in the account, whatever the number of candidates."""
        scan = Counter(
            {
                "ec2.DescribeRegions": 1,
                "cloudfront.ListDistributions": 1,
                "elb.DescribeLoadBalancers": self.regions,
                "elbv2.DescribeLoadBalancers": self.regions,
                "elbv2.DescribeListeners": facts.load_balancers,
                # No other call shows a listener's SNI list.
                "elbv2.DescribeListenerCertificates": facts.tls_listeners,
                "appsync.ListDomainNames": self.regions,
                "elasticbeanstalk.DescribeApplications": self.regions,
                "elasticbeanstalk.DescribeEnvironments": self.regions,
            }
        )
        self.calls += scan
        self.scan_calls_spared += (candidates - 1) * scan.total()

    def _report(self, group: Sequence[Delivery], outcomes: dict[Subject, Outcome]) -> None:
        updates: set[tuple[Outcome, str]] = set()
        told: set[Outcome] = set()
        for delivery in group:
            subject = delivery.subject
            outcome = outcomes[subject]
            is_new = self._written.get(subject.finding_id) is not outcome
            if is_new:
                # Findings about one certificate get the same note, so one update serves them.
                updates.add((outcome, subject.certificate))
                self._written[subject.finding_id] = outcome
            # An invocation that died may have written without telling anyone.
            if outcome.notifies and (is_new or delivery.is_redelivered):
                told.add(outcome)
        self.calls["securityhub.BatchUpdateFindings"] += len(updates)
        # One message for an account and outcome.
        self.calls["sns.Publish"] += len(told)


def _subjects(group: Sequence[Delivery]) -> list[Subject]:
    return [one.subject for one in group]

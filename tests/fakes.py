"""AWS as the remediation sees it, played by plain objects. Fakes fail like AWS does, on request."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from handlers.remediation.batch import Remediation
from handlers.remediation.cases import Arrival, Handled, Results, Subject
from handlers.remediation.deadline import Deadline
from handlers.remediation.report import Reporter
from local.aws.knobs import OWN_ACCOUNT
from models.archive import (
    ArchiveRecord,
    ArchiveState,
    StoredRecord,
    compose_key,
    compose_prefix,
)
from models.certificate import (
    CertificateFiles,
    CertificateIdentifier,
    ServerCertificate,
)
from models.errors import (
    AwsCallError,
    CertificateGoneError,
    CertificateInUseError,
    EventError,
    TransientError,
)
from models.events import EntryPoint
from models.finding import (
    CONTROL_ID,
    Finding,
    FindingKey,
    Note,
    Stranger,
    Workflow,
    WorkflowStatus,
)
from models.outcome import UPDATED_BY
from models.reference import Coverage, Gap, Reference, References
from models.report import FindingUpdate, Notification, WriteResult
from models.settings import Mode, Settings
from tests.builders import NOW, make_certificate, make_files, make_finding, make_references

Failures = dict[str, list[Exception]]


@dataclass
class FakeClock:
    """A clock that moves only when it is told to."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


class FailsOnRequest:
    """Raises what a test has put up for an operation, once for each time it was put up."""

    def __init__(self) -> None:
        self.failures: Failures = {}
        self.before: dict[str, Callable[[], None]] = {}
        self.watchers: list[Callable[[str], None]] = []
        self.calls: list[str] = []

    def fail(self, operation: str, *errors: Exception) -> None:
        self.failures.setdefault(operation, []).extend(errors)

    def enter(self, operation: str) -> None:
        self.calls.append(operation)
        for watch in self.watchers:
            watch(operation)
        if hook := self.before.pop(operation, None):
            hook()
        if pending := self.failures.get(operation):
            raise pending.pop(0)


class FakeCertificates(FailsOnRequest):
    """The server certificates of one account."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.stored: dict[str, CertificateFiles] = {}
        self.deleted: list[ServerCertificate] = []
        self.conflicts: dict[str, str] = {}
        self._clock = clock

    def put(self, certificate: ServerCertificate, tags: dict[str, str] | None = None) -> None:
        self.stored[certificate.name] = CertificateFiles(
            certificate=certificate, body="-----BEGIN CERTIFICATE-----", tags=tags or {}
        )

    def rename(self, name: str, new_name: str) -> None:
        """Rename a certificate as `UpdateServerCertificate` does: its id stays."""
        files = self.stored.pop(name)
        arn = files.certificate.arn.removesuffix(name) + new_name
        certificate = files.certificate.model_copy(update={"name": new_name, "arn": arn})
        self.stored[new_name] = files.model_copy(update={"certificate": certificate})

    def list_all(self) -> Sequence[ServerCertificate]:
        self.enter("ListServerCertificates")
        return tuple(files.certificate for files in self.stored.values())

    def read_tags(self, name: str) -> dict[str, str]:
        self.enter("ListServerCertificateTags")
        return self._find(name).tags

    def read(self, name: str) -> CertificateFiles:
        self.enter("GetServerCertificate")
        return self._find(name)

    def delete(self, name: str) -> None:
        self.enter("DeleteServerCertificate")
        certificate = self._find(name).certificate
        if name in self.conflicts:
            raise CertificateInUseError(self.conflicts[name])
        del self.stored[name]
        self.deleted.append(certificate)

    def _find(self, name: str) -> CertificateFiles:
        if name not in self.stored:
            raise CertificateGoneError(name)
        return self.stored[name]


class FakeAccount(FailsOnRequest):
    """One account: its certificates and what a scan of it returns."""

    def __init__(self, account_id: str, clock: FakeClock) -> None:
        super().__init__()
        self.id = account_id
        self.certificates = FakeCertificates(clock)
        self.found: list[Reference] = []
        self.gaps: list[Gap] = []
        self.regions_left_out: tuple[str, ...] = ()
        self.seconds_left: list[float | None] = []
        self._clock = clock

    def scan_references(self, seconds_left: float | None) -> References:
        self.seconds_left.append(seconds_left)
        started_at = self._clock()
        self.enter("scan")
        coverage = Coverage(
            source="Classic Load Balancer",
            region="us-east-1",
            examined=len(self.found),
            checked_at=self._clock(),
        )
        return References(
            started_at=started_at,
            finished_at=self._clock(),
            found=tuple(self.found),
            gaps=tuple(self.gaps),
            coverage=(coverage,),
            regions_left_out=self.regions_left_out,
            calls=3,
        )


class FakeAccounts(FailsOnRequest):
    """The accounts that can be reached."""

    def __init__(self, clock: FakeClock, own_id: str = OWN_ACCOUNT) -> None:
        super().__init__()
        self.partition = "aws"
        self.own_id = own_id
        self.others_in_scope = False
        self.known = {own_id: FakeAccount(own_id, clock)}

    @property
    def own(self) -> FakeAccount:
        return self.known[self.own_id]

    def is_in_scope(self, account_id: str) -> bool:
        self.enter("GetCallerIdentity")
        return self.others_in_scope or account_id == self.own_id

    def open(self, account_id: str) -> FakeAccount:
        self.enter("AssumeRole")
        if account_id not in self.known:
            raise AwsCallError("AssumeRole", "AccessDenied")
        return self.known[account_id]


class FakeSecurityHub(FailsOnRequest):
    """Security Hub's findings."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[FindingKey, Finding] = {}
        self.notes: dict[FindingKey, str] = {}
        self.unreadable: dict[FindingKey, EventError] = {}
        self.strangers: dict[FindingKey, Stranger] = {}
        self.reads: list[list[FindingKey]] = []
        self.updates: list[FindingUpdate] = []
        self.unclear_suppressed: list[EventError] = []
        self.rejected: dict[FindingKey, str] = {}
        self.postponed: dict[FindingKey, str] = {}

    def put(self, finding: Finding) -> None:
        self.stored[finding.key] = finding

    def read(self, keys: Sequence[FindingKey]) -> dict[FindingKey, Finding | Stranger | EventError]:
        self.enter("GetFindings")
        self.reads.append(list(keys))
        shown = self.stored | self.unreadable | self.strangers
        return {key: shown[key] for key in keys if key in shown}

    def list_suppressed(self, account_id: str) -> list[Finding | EventError]:
        self.enter("GetFindings (suppressed)")
        suppressed = [
            finding
            for finding in self.stored.values()
            if finding.account_id == account_id
            and finding.workflow.status is WorkflowStatus.SUPPRESSED
            and finding.compliance.security_control_id == CONTROL_ID
        ]
        return [*suppressed, *self.unclear_suppressed]

    def write(self, update: FindingUpdate) -> WriteResult:
        self.enter("BatchUpdateFindings")
        self.updates.append(update)
        result = WriteResult()
        for key in update.findings:
            if key in self.postponed:
                result.postponed[key] = self.postponed[key]
            elif key in self.rejected or key not in self.stored:
                result.rejected[key] = self.rejected.get(key, "FindingNotFound")
            else:
                self.notes[key] = update.note
                self.stored[key] = self.stored[key].model_copy(
                    update={
                        "workflow": Workflow(status=update.status),
                        "note": Note(text=update.note, updated_by=UPDATED_BY),
                        "user_defined_fields": update.fields,
                    }
                )
        return result


class FakeArchive(FailsOnRequest):
    """The archive bucket: every version of every record, the newest last."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.versions: list[tuple[str, datetime, ArchiveRecord]] = []
        self._clock = clock

    def update(
        self,
        account_id: str,
        known: StoredRecord | None,
        change: Callable[[ArchiveRecord | None], ArchiveRecord],
    ) -> StoredRecord:
        self.enter("PutObject")
        record = change(known.record if known else None)
        key = compose_key(account_id, record.files.certificate)
        current = self.find(key)
        if (current and current.version) != (known and known.version):
            record = change(current.record if current else None)
        self.versions.append((key, self._clock(), record))
        return StoredRecord(f"s3://archive/{key}", record, str(len(self.versions)))

    def put(self, account_id: str, record: ArchiveRecord) -> str:
        """Put a record over any earlier one, and return its location."""
        return self.update(account_id, None, lambda _: record).location

    def find(self, key: str) -> StoredRecord | None:
        """Return the record that is stored under a key, or None."""
        newest = None
        for number, (stored, _, record) in enumerate(self.versions, start=1):
            if stored == key:
                newest = StoredRecord(f"s3://archive/{key}", record, str(number))
        return newest

    def list_records(
        self, account_id: str, identifier: CertificateIdentifier, since: datetime
    ) -> list[StoredRecord]:
        self.enter("ListObjectsV2")
        prefix = compose_prefix(account_id, None if identifier.may_be_id else identifier.last)
        keys = {
            key
            for key, at, _ in self.versions
            if key.startswith(prefix) and at >= since.replace(microsecond=0)
        }
        return [stored for key in sorted(keys) if (stored := self.find(key))]


class FakeNotifications(FailsOnRequest):
    """The topic."""

    def __init__(self) -> None:
        super().__init__()
        self.published: list[Notification] = []

    def publish(self, notification: Notification) -> None:
        self.enter("Publish")
        self.published.append(notification)


class FakeFindingSearch(FailsOnRequest):
    """Security Hub's search for open findings, page by page."""

    def __init__(self, *pages: Sequence[Finding | EventError]) -> None:
        super().__init__()
        self.pages = pages
        self.searches: list[str | None] = []

    def search_failed(
        self, account_id: str | None = None
    ) -> Iterator[Sequence[Finding | EventError]]:
        self.searches.append(account_id)
        for page in self.pages:
            self.enter("GetFindings")
            yield page


class FakeQueue(FailsOnRequest):
    """The remediation queue."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[str] = []

    def send(self, body: str) -> None:
        self.enter("SendMessage")
        self.bodies.append(body)


def make_arrival(finding: Finding | None = None, **overrides: Any) -> Arrival:
    """Return the arrival of a new finding by the queue."""
    fields: dict[str, Any] = {
        "event_id": "event",
        "entry_point": EntryPoint.IMPORTED,
        "is_queued": True,
    }
    return Arrival(finding or make_finding(), **fields | overrides)


def make_subject(
    *arrivals: Arrival, resource_id: str, certificate: ServerCertificate | None = None
) -> Subject:
    """Return a subject that its findings name by a resource id."""
    identifier = CertificateIdentifier.parse(resource_id)
    assert identifier is not None
    return Subject(arrivals or (make_arrival(),), identifier, certificate)


def make_record(certificate: ServerCertificate | None = None, **overrides: Any) -> ArchiveRecord:
    """Return the record of a delete that was begun at `NOW`."""
    fields: dict[str, Any] = {
        "state": ArchiveState.DELETING,
        "archived_at": NOW,
        "files": make_files(certificate=certificate or make_certificate()),
        "finding_ids": ("finding/1",),
        "evidence": make_references(),
    }
    return ArchiveRecord.model_validate(fields | overrides)


def read_outcomes(results: Results) -> dict[str, str]:
    """Return the outcome of each finding by its id, or `postponed`."""
    return {
        key.id: result.report.outcome.value if isinstance(result, Handled) else "postponed"
        for key, result in results.items()
    }


@dataclass
class World:
    """A whole world of fakes, and the application that works in it."""

    settings: Settings = field(
        default_factory=lambda: Settings(mode=Mode.ENFORCE, archive_bucket="archive-bucket")
    )
    clock: FakeClock = field(default_factory=FakeClock)
    security_hub: FakeSecurityHub = field(default_factory=FakeSecurityHub)
    notifications: FakeNotifications = field(default_factory=FakeNotifications)

    def __post_init__(self) -> None:
        self.accounts = FakeAccounts(self.clock)
        self.archive = FakeArchive(self.clock)

    @property
    def account(self) -> FakeAccount:
        return self.accounts.own

    @property
    def certificates(self) -> FakeCertificates:
        return self.account.certificates

    @property
    def remediation(self) -> Remediation:
        return Remediation(
            self.settings,
            self.accounts,
            self.security_hub,
            self.archive,
            Reporter(self.security_hub, self.notifications, self.clock),
            self.clock,
        )

    def add_finding(self, resource_id: str, **overrides: Any) -> Arrival:
        """Put a failed finding about a certificate in Security Hub, and return its arrival."""
        number = len(self.security_hub.stored) + 1
        fields = {"Id": f"finding/{number}", "Resources": [{"Id": resource_id}]}
        finding = make_finding(**fields | overrides)
        self.security_hub.put(finding)
        return make_arrival(finding, event_id=f"event-{number}")

    def add_expired(self, name: str = "example-cert", *, number: int = 1) -> ServerCertificate:
        """Put an expired certificate in our account that nothing refers to."""
        certificate = make_certificate(name, id=f"ASCAEXAMPLE{number:010}")
        self.certificates.put(certificate)
        return certificate

    def run(self, *arrivals: Arrival, deadline: Deadline | None = None) -> Results:
        """Remediate findings, and return what became of each."""
        return self.remediation.run(arrivals, deadline or Deadline())

    def fail(self, operation: str, error: Exception) -> None:
        """Let an operation fail once, whichever fake it belongs to."""
        if operation == "scan" and not isinstance(error, TransientError):
            return  # a scan turns refusals into gaps
        for fake in self.fakes:
            fake.fail(operation, error)

    def watch(self, watcher: Callable[[str], None]) -> None:
        """Let somebody see each call right before it is answered, whichever fake it asks."""
        for fake in self.fakes:
            fake.watchers.append(watcher)

    @property
    def fakes(self) -> tuple[FailsOnRequest, ...]:
        """Everything that the application calls."""
        return (
            self.accounts,
            self.account,
            self.certificates,
            self.security_hub,
            self.archive,
            self.notifications,
        )

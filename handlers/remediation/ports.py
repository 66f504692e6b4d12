"""What the remediation needs from AWS, as protocols that fakes can implement."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from models.archive import ArchiveRecord, StoredRecord
from models.certificate import CertificateFiles, CertificateIdentifier, ServerCertificate
from models.errors import EventError
from models.finding import Finding, FindingKey, Stranger
from models.reference import References
from models.report import FindingUpdate, Notification, WriteResult


class CertificatesPort(Protocol):
    """The server certificates of one account: see `handlers.aws.certificates`."""

    def list_all(self) -> Sequence[ServerCertificate]:
        """Return every server certificate of the account."""
        ...

    def read_tags(self, name: str) -> dict[str, str]:
        """Return the tags of a certificate."""
        ...

    def read(self, name: str) -> CertificateFiles:
        """Return a certificate with its body, chain and tags."""
        ...


class DeletableCertificatesPort(CertificatesPort, Protocol):
    """The same, to delete them as well: see `handlers.aws.certificate_deletion`."""

    def delete(self, name: str) -> None:
        """Delete a certificate, for good."""
        ...


class ReadableAccountPort(Protocol):
    """One account, to look at: see `handlers.aws.account`."""

    @property
    def id(self) -> str:
        """The account's twelve digits."""
        ...

    @property
    def certificates(self) -> CertificatesPort:
        """Its server certificates."""
        ...

    def scan_references(self, seconds_left: float | None) -> References:
        """Return everything in the account that refers to IAM server certificates."""
        ...


class AccountPort(ReadableAccountPort, Protocol):
    """One account, to act in."""

    @property
    def certificates(self) -> DeletableCertificatesPort:
        """Its server certificates."""
        ...


class AccountsPort(Protocol):
    """The accounts that can be reached: see `handlers.aws.account`."""

    @property
    def partition(self) -> str:
        """The partition this application works in."""
        ...

    def is_in_scope(self, account_id: str) -> bool:
        """Return whether an account is ours, or one that the member role is meant for."""
        ...

    def open(self, account_id: str) -> AccountPort:
        """Return an account with credentials of its own."""
        ...


class SuppressionsPort(Protocol):
    """The risks that people accepted in Security Hub: see `handlers.aws.findings`."""

    def list_suppressed(self, account_id: str) -> Sequence[Finding | EventError]:
        """Return an account's findings of the control that somebody suppressed, archived ones too.

        One that is not understood is represented by the error that says why.
        """
        ...


class FindingsPort(SuppressionsPort, Protocol):
    """Security Hub: see `handlers.aws.finding_updates`."""

    def read(
        self, keys: Sequence[FindingKey]
    ) -> Mapping[FindingKey, Finding | Stranger | EventError]:
        """Return the findings as they are now, or why one is not understood."""
        ...

    def write(self, update: FindingUpdate) -> WriteResult:
        """Write a note, fields and workflow status on findings."""
        ...


class FindingSearchPort(Protocol):
    """Security Hub, as the sweep asks it: see `handlers.aws.findings`."""

    def search_failed(
        self, account_id: str | None = None
    ) -> Iterable[Sequence[Finding | EventError]]:
        """Return failed findings that nobody suppressed, page by page."""
        ...


class QueuePort(Protocol):
    """The remediation queue: see `handlers.aws.queue`."""

    def send(self, body: str) -> None:
        """Send one message."""
        ...


class ArchivePort(Protocol):
    """The archive: see `handlers.aws.archive`."""

    def update(
        self,
        account_id: str,
        known: StoredRecord | None,
        change: Callable[[ArchiveRecord | None], ArchiveRecord],
    ) -> StoredRecord:
        """Change the record of one certificate, and return it as it is stored then.

        What others wrote meanwhile is never overwritten: `change` gets it, again if need be.

        Args:
            account_id: the certificate's account.
            known: the record as it was last stored; None if there was none.
            change: returns the record to store for the one that is there.
        """
        ...

    def list_records(
        self, account_id: str, identifier: CertificateIdentifier, since: datetime
    ) -> Sequence[StoredRecord]:
        """Return the records under an identifier that were written since then (UTC).

        Records of other certificates or of an earlier time may be among them.
        """
        ...


class NotificationsPort(Protocol):
    """The topic: see `handlers.aws.notifications`."""

    def publish(self, notification: Notification) -> None:
        """Publish a message."""
        ...

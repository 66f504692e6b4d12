"""What refers to certificates in an account, and how completely that is known."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import AwareDatetime, Field

from models.base import Model
from models.certificate import CERTIFICATE_ID, CertificateArn, ServerCertificate
from models.errors import AwsCallError

GLOBAL = "global"
# Between this look at an account and a delete, somebody may attach the certificate.
FRESH_FOR = timedelta(minutes=5)

# A protocol that is not among these may be served with a certificate.
PLAIN_PROTOCOLS = frozenset({"HTTP", "TCP", "UDP", "TCP_UDP", "GENEVE", "QUIC", "TCP_QUIC"})

ACM_CERTIFICATE_ARN = re.compile(r"arn:[\w-]+:acm:[a-z0-9-]+:\d{12}:certificate/[\w-]+", re.ASCII)

# See `References.summary`.
EXAMINED = re.compile(r"examined \d+ resources? of \d+ kinds? in \d+ Regions?")

# AWS answers these where it does not know or accept the account, as in a Region that is being
# disabled: no permission in a policy would help.
REJECTED_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "NotSignedUp",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "SubscriptionRequiredException",
        "UnrecognizedClientException",
    }
)


def describe_place(region: str) -> str:
    """Return a Region as it stands in a sentence."""
    return "(global)" if region == GLOBAL else f"in {region}"


def serves_tls(protocol: str | None) -> bool:
    """Return whether a listener of this protocol may serve with a certificate."""
    return protocol is None or protocol.upper() not in PLAIN_PROTOCOLS


def select_identifiers(
    named: Iterable[str | None], *, needs_certificate: bool
) -> tuple[str | None, ...]:
    """Return what a holder names, as far as IAM's certificates must be compared with it.

    A certificate of ACM is understood whatever IAM has, and left out. None stands for a holder
    that needs a certificate and names nothing at all.

    Args:
        named: what stands where the holder can name a certificate; empty where it names none.
        needs_certificate: whether it cannot serve as it does without one of its owner.
    """
    given = [one for one in named if one]
    if not given and needs_certificate:
        return (None,)
    return tuple(one for one in given if not ACM_CERTIFICATE_ARN.fullmatch(one))


class Reference(Model):
    """One use of a certificate that is not of ACM by a resource."""

    source: str
    region: str
    holder: str
    # None: the holder needs a certificate and names nothing, so it may hold any.
    identifier: str | None
    # A live holder serves traffic now; a saved configuration only might.
    live: bool = True

    def __str__(self) -> str:
        """Return the holder as it stands in a note: kind, name and Region."""
        return f"{self.source} {self.holder} {describe_place(self.region)}"

    @property
    def statement(self) -> str:
        """The holder with what it names, as they stand in a note."""
        return f"{self} names {self.identifier or 'no certificate'}"


class GapKind(StrEnum):
    """What made a gap, as far as it decides on what would close it."""

    # The role lacks a permission.
    DENIED = "denied"
    # A service control policy denies the call, whatever the role may do.
    DENIED_BY_POLICY = "denied by policy"
    # AWS does not know or accept the account there.
    REJECTED_CREDENTIALS = "rejected credentials"
    # REGIONS names a Region that is not enabled in the account.
    UNKNOWN_REGION = "unknown Region"
    # The answer lacks what it must have.
    INCOMPLETE = "incomplete"
    # What was listed went on changing while it was read.
    CHANGING = "changing"
    # The endpoint does not exist, though nothing says that the service is not offered there.
    UNREACHABLE = "unreachable"
    OTHER = "other"

    @classmethod
    def of_error(cls, error: AwsCallError) -> "GapKind":
        """Return the kind of gap that an error of AWS leaves."""
        if error.denied_by_policy:
            return cls.DENIED_BY_POLICY
        if error.code in REJECTED_CREDENTIALS:
            return cls.REJECTED_CREDENTIALS
        return cls.DENIED if error.is_denial else cls.OTHER


class Gap(Model):
    """One place that could not be looked at, so that no proof includes it."""

    source: str
    region: str
    cause: str
    kind: GapKind = GapKind.OTHER

    @classmethod
    def of_error(cls, error: AwsCallError, *, source: str, region: str) -> "Gap":
        """Return the gap that an error of AWS leaves."""
        return cls(source=source, region=region, cause=error.cause, kind=GapKind.of_error(error))

    @classmethod
    def of_unknown_region(cls, region: str) -> "Gap":
        """Return the gap that a Region leaves which only REGIONS knows."""
        return cls(
            source="Region",
            region=region,
            cause="not an enabled Region of this account",
            kind=GapKind.UNKNOWN_REGION,
        )

    def __str__(self) -> str:
        """Return the place and the cause as they stand in a note."""
        if self.kind is GapKind.UNKNOWN_REGION:
            return f"{self.source} {self.region} ({self.cause})"
        return f"{self.source} {describe_place(self.region)} ({self.cause})"


class CoverageState(StrEnum):
    """How a source in a Region counts for the proof."""

    READ = "read"
    NOT_OFFERED = "not offered"
    OUT_OF_SCOPE = "out of scope"


class Coverage(Model):
    """One source in one Region that is accounted for."""

    source: str
    region: str
    state: CoverageState = CoverageState.READ
    examined: int = 0
    checked_at: AwareDatetime = Field(alias="checkedAt")


class References(Model):
    """Everything in an account that refers to IAM server certificates, as one scan saw it."""

    started_at: AwareDatetime = Field(alias="startedAt")
    finished_at: AwareDatetime = Field(alias="finishedAt")
    found: tuple[Reference, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    gaps: tuple[Gap, ...] = ()
    # Enabled, but not in REGIONS.
    regions_left_out: tuple[str, ...] = Field(alias="regionsLeftOut", default=())
    # Whatever is in these, AWS shows it to nobody.
    regions_not_enabled: tuple[str, ...] = Field(alias="regionsNotEnabled", default=())
    calls: int = 0

    @property
    def seconds(self) -> float:
        """How many seconds the scan took."""
        return (self.finished_at - self.started_at).total_seconds()

    def is_fresh(self, now: datetime) -> bool:
        """Return whether a delete may still rest on this scan."""
        return now - self.started_at < FRESH_FOR

    def find_holders(self, certificate: ServerCertificate) -> tuple[Reference, ...]:
        """Return what refers to a certificate."""
        naming = {
            identifier
            for identifier in {one.identifier for one in self.found}
            if _is_named(certificate, identifier)
        }
        return tuple(one for one in self.found if one.identifier in naming)

    def list_holders(
        self, certificate: ServerCertificate, listed: Iterable[ServerCertificate]
    ) -> tuple[str, ...]:
        """Return what refers to a certificate, as it stands in a note, each once.

        Args:
            certificate: the certificate as it was listed first.
            listed: the certificates of the account as they were listed last: it may have been
                renamed in between, and attached under its new name.
        """
        variants = [certificate, *(one for one in listed if one.id == certificate.id)]
        holders = {holder for one in variants for holder in self.find_holders(one)}
        return tuple(sorted({str(one) for one in holders}))

    def find_dangling(self, certificates: Iterable[ServerCertificate]) -> tuple[Reference, ...]:
        """Return the live holders of which it is not understood which certificate they hold.

        Renaming a certificate changes its ARN while a listener keeps the old one, so each of
        these may in truth hold any certificate of the account.

        Args:
            certificates: all certificates that IAM has in the account.
        """
        known = tuple(certificates)
        unclear = {
            identifier
            for identifier in {one.identifier for one in self.found if one.live}
            if not _is_understood(identifier, known)
        }
        return tuple(one for one in self.found if one.live and one.identifier in unclear)

    @property
    def regions_read(self) -> tuple[str, ...]:
        """The Regions in which something was read."""
        read = {one.region for one in self.coverage if one.state is CoverageState.READ}
        return tuple(sorted(read - {GLOBAL}))

    @property
    def is_empty(self) -> bool:
        """Whether nothing was read in any Region, so that it proves nothing."""
        return not self.regions_read

    @property
    def missing(self) -> tuple[str, ...]:
        """The gaps as they stand in a note, each once."""
        return tuple(sorted({str(gap) for gap in self.gaps}))

    @property
    def out_of_scope(self) -> tuple[str, ...]:
        """The Regions of which something was not looked at because the settings say so."""
        denied = {one.region for one in self.coverage if one.state is CoverageState.OUT_OF_SCOPE}
        return tuple(sorted(denied | set(self.regions_left_out)))

    @property
    def summary(self) -> str:
        """What was examined, in a few words."""
        read = [one for one in self.coverage if one.state is CoverageState.READ]
        examined = sum(one.examined for one in read)
        return (
            f"examined {_count(examined, 'resource')}"
            f" of {_count(len({one.source for one in read}), 'kind')}"
            f" in {_count(len(self.regions_read), 'Region')}"
        )


def _is_named(certificate: ServerCertificate, identifier: str | None) -> bool:
    """Return whether a holder's identifier means a certificate of its own account."""
    if identifier is None:
        return False
    if certificate.is_named_by(identifier):
        return True
    arn, own = CertificateArn.parse(identifier), CertificateArn.parse(certificate.arn)
    if arn and own and arn.account_id == own.account_id:
        # ARNs are met that end in the id of what they name instead of its name.
        return arn.name == certificate.id
    return identifier.casefold() == certificate.name.casefold()


def _is_understood(identifier: str | None, known: Iterable[ServerCertificate]) -> bool:
    """Return whether it is certain which certificate an identifier means.

    Which one does not matter if it is certain to be none that the account has.
    """
    if identifier is None:
        return False
    # An id never changes: one that IAM does not have is of a certificate that is gone.
    if CERTIFICATE_ID.fullmatch(identifier) or ACM_CERTIFICATE_ARN.fullmatch(identifier):
        return True
    return any(_is_named(certificate, identifier) for certificate in known)


def without_counts(text: str) -> str:
    """Return a text without what scans have examined, which changes from one to the next."""
    return EXAMINED.sub("", text)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

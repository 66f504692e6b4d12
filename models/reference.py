"""What refers to certificates in an account, and how completely that is known."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import AwareDatetime, Field

from models.base import Model
from models.certificate import CertificateArn, ServerCertificate

GLOBAL = "global"
# Between this look at an account and a delete, somebody may attach the certificate.
FRESH_FOR = timedelta(minutes=5)


def describe_place(region: str) -> str:
    """Return a Region as it stands in a sentence."""
    return "(global)" if region == GLOBAL else f"in {region}"


class Reference(Model):
    """One use of an IAM server certificate by a resource."""

    source: str
    region: str
    holder: str
    identifier: str
    # A live holder serves traffic now; a saved configuration only might.
    live: bool = True

    def __str__(self) -> str:
        """Return the holder as it stands in a note: kind, name and Region."""
        return f"{self.source} {self.holder} {describe_place(self.region)}"


class Gap(Model):
    """One place that could not be looked at, so that no proof includes it."""

    source: str
    region: str
    cause: str

    def __str__(self) -> str:
        """Return the place and the cause as they stand in a note."""
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
    regions_left_out: tuple[str, ...] = Field(alias="regionsLeftOut", default=())
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
        return tuple(one for one in self.found if certificate.is_named_by(one.identifier))

    def find_dangling(
        self, account_id: str, certificates: Iterable[ServerCertificate]
    ) -> tuple[Reference, ...]:
        """Return the live holders that name a certificate of this account which IAM does not have.

        Renaming a certificate changes its ARN while a listener keeps the old one, so each of
        these may in truth hold any certificate of the account. An id never changes: a holder
        that names another id holds another certificate.
        """
        known = tuple(certificates)
        return tuple(
            one
            for one in self.found
            if one.live
            and _may_be_of_account(one.identifier, account_id)
            and not any(certificate.is_named_by(one.identifier) for certificate in known)
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing was read in any Region, so that it proves nothing."""
        read = {one.region for one in self.coverage if one.state is CoverageState.READ}
        return not read - {GLOBAL}

    @property
    def out_of_scope(self) -> tuple[str, ...]:
        """The Regions of which something was not looked at because the settings say so."""
        denied = {one.region for one in self.coverage if one.state is CoverageState.OUT_OF_SCOPE}
        return tuple(sorted(denied | set(self.regions_left_out)))

    @property
    def summary(self) -> str:
        """What was examined, in a few words."""
        read = [one for one in self.coverage if one.state is CoverageState.READ]
        regions = {one.region for one in read} - {GLOBAL}
        examined = sum(one.examined for one in read)
        return (
            f"examined {_count(examined, 'resource')}"
            f" of {_count(len({one.source for one in read}), 'kind')}"
            f" in {_count(len(regions), 'Region')}"
        )


def _may_be_of_account(identifier: str, account_id: str) -> bool:
    if ":server-certificate/" not in identifier:
        return False
    arn = CertificateArn.parse(identifier)
    return arn is None or arn.account_id == account_id


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

"""What the remediation would do in an account, as `iam26 plan` shows it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import IntEnum

from pydantic import AwareDatetime, Field, computed_field

from models.base import Model
from models.certificate import CertificateTime, ServerCertificate
from models.counts import count_in_order
from models.outcome import Conclusion, Outcome
from models.reference import Coverage, References

# In the order in which a reader needs them.
SHOWN_OUTCOMES: Mapping[Outcome, str] = {
    Outcome.WOULD_DELETE: "would be deleted",
    Outcome.IN_USE: "in use",
    Outcome.UNVERIFIED: "unverified",
    Outcome.IN_GRACE_PERIOD: "in the grace period",
    Outcome.EXEMPT: "exempt",
    Outcome.NOT_EXPIRED: "valid",
}
RANKS = {outcome: rank for rank, outcome in enumerate(SHOWN_OUTCOMES)}
NEXT_TO_EXPIRE = 3


class ExitStatus(IntEnum):
    """What `iam26 plan` ends with, so that a pipeline can depend on it."""

    NOTHING_TO_DO = 0
    ERROR = 1
    ACTION_NEEDED = 2
    UNPROVEN = 3


class PlannedCertificate(Model):
    """One server certificate of an account, with what would come of a finding about it.

    Attributes:
        expires: when it expires (UTC); None if IAM does not say.
        outcome: what would come of it.
        reason: why, in the words of the note that a finding would get.
        references: everything that was found to refer to it.
        gaps: what could not be read, so that something there may refer to it too.
    """

    name: str
    id: str
    arn: str
    expires: CertificateTime = None
    outcome: Outcome
    reason: str
    references: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()


class AccountPlan(Model):
    """What would be done in one account.

    Attributes:
        account: the account's twelve digits.
        generated_at: when it was looked at (UTC).
        regions: the Regions in which something was read.
        regions_out_of_scope: the enabled Regions that were left out.
        regions_not_enabled: the Regions that nobody can read, as they are not enabled.
        certificates: its server certificates, the most urgent first.
        gaps: what could not be read.
        advice: what would close the gaps.
        evidence: each source in each Region, with what was examined there, and when.
        error: why the account could not be looked at; None if it was.
    """

    account: str
    generated_at: AwareDatetime = Field(alias="generatedAt")
    regions: tuple[str, ...] = ()
    regions_out_of_scope: tuple[str, ...] = Field(alias="regionsOutOfScope", default=())
    regions_not_enabled: tuple[str, ...] = Field(alias="regionsNotEnabled", default=())
    certificates: tuple[PlannedCertificate, ...] = ()
    gaps: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    evidence: tuple[Coverage, ...] = ()
    error: str | None = None

    @computed_field  # type: ignore[prop-decorator] # https://github.com/python/mypy/issues/1362
    @property
    def summary(self) -> dict[Outcome, int]:
        """How many certificates would come to each outcome."""
        return count_outcomes(self.certificates)


class OrganizationPlan(Model):
    """What would be done in several accounts."""

    generated_at: AwareDatetime = Field(alias="generatedAt")
    accounts: tuple[AccountPlan, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def summary(self) -> dict[Outcome, int]:
        """How many certificates would come to each outcome, in all accounts."""
        return count_outcomes(list_certificates(self.accounts))


def plan_certificate(
    certificate: ServerCertificate,
    conclusion: Conclusion,
    references: References | None = None,
    listed: Iterable[ServerCertificate] = (),
) -> PlannedCertificate:
    """Return a certificate with what would come of it.

    Args:
        certificate: the certificate as it was listed.
        conclusion: what would be concluded about it.
        references: what refers to the account's certificates; None if that is not known.
        listed: the certificates of the account as they were listed last.
    """
    missing = conclusion.items if conclusion.outcome is Outcome.UNVERIFIED else ()
    return PlannedCertificate(
        name=certificate.name,
        id=certificate.id,
        arn=certificate.arn,
        expires=certificate.expiration,
        outcome=conclusion.outcome,
        reason=conclusion.note,
        references=references.list_holders(certificate, listed) if references else (),
        gaps=missing or (references.missing if references else ()),
    )


def sort_certificates(certificates: Iterable[PlannedCertificate]) -> list[PlannedCertificate]:
    """Return certificates in the order in which a reader needs them.

    That is by outcome, and then the first to expire first.
    """
    return sorted(certificates, key=_rank)


def _rank(one: PlannedCertificate) -> tuple[int, float, str]:
    return RANKS[one.outcome], one.expires.timestamp() if one.expires else 0, one.name


def count_outcomes(certificates: Iterable[PlannedCertificate]) -> dict[Outcome, int]:
    """Return how many certificates come to each outcome, in the order of `SHOWN_OUTCOMES`."""
    return count_in_order((one.outcome for one in certificates), SHOWN_OUTCOMES)


def find_start(plans: Iterable[AccountPlan]) -> datetime:
    """Return when the first of some accounts was looked at (UTC)."""
    return min(plan.generated_at for plan in plans)


def list_certificates(plans: Iterable[AccountPlan]) -> list[PlannedCertificate]:
    """Return the certificates of several accounts."""
    return [one for plan in plans for one in plan.certificates]


def find_next_to_expire(plans: Iterable[AccountPlan]) -> list[tuple[str, PlannedCertificate]]:
    """Return the valid certificates that expire next, with their accounts; three at most."""
    valid = [
        (plan.account, one)
        for plan in plans
        for one in plan.certificates
        if one.outcome is Outcome.NOT_EXPIRED
    ]
    return sorted(valid, key=lambda pair: _rank(pair[1]))[:NEXT_TO_EXPIRE]


def decide_exit_status(plans: Sequence[AccountPlan]) -> ExitStatus:
    """Return what the command ends with; what is not proven outweighs what is to be done.

    It is an error if no account could be looked at.
    """
    if all(plan.error for plan in plans):
        return ExitStatus.ERROR
    outcomes = {one.outcome for one in list_certificates(plans)}
    if Outcome.UNVERIFIED in outcomes or any(plan.error for plan in plans):
        return ExitStatus.UNPROVEN
    if outcomes & {Outcome.WOULD_DELETE, Outcome.IN_USE}:
        return ExitStatus.ACTION_NEEDED
    return ExitStatus.NOTHING_TO_DO

"""The decision on a certificate: a pure function of what is known about it.

It asks for what is cheap first. Whoever calls it supplies what it asks for and calls again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from models.certificate import CertificateArn, CertificateIdentifier, ServerCertificate
from models.finding import Finding
from models.outcome import Conclusion, Outcome
from models.reference import References
from models.settings import Settings
from models.text import fit_list

# Regions left out must be named in a note even where there are thirty of them.
SCOPE_LENGTH = 120


class Need(StrEnum):
    """What a decision still lacks."""

    TAGS = "tags"
    REFERENCES = "references"


class Act(StrEnum):
    """What a decision asks to be done."""

    DELETE = "delete"


def identify(finding: Finding, partition: str) -> CertificateIdentifier | Conclusion:
    """Give how a finding names its certificate, or why that cannot be trusted."""
    identifier = finding.certificate_identifier
    if identifier is None:
        named = repr(finding.resource_id) if finding.resource_id else "no resource"
        return unverified(
            "Kept: the finding's resource is not understood as a server certificate:",
            (f"it names {named}",),
            "Look for the certificate by hand and report this id.",
        )
    if identifier.arn is None:
        return identifier
    if identifier.arn.account_id != finding.account_id:
        return unverified(
            f"Kept: the finding is of account {finding.account_id}, but its resource is not:",
            (f"it names {identifier.text}",),
            "No certificate of another account is ever touched.",
        )
    if identifier.arn.partition != partition:
        return unverified(
            f"Kept: this application works in partition {partition}, but the finding does not:",
            (f"it names {identifier.text}",),
        )
    return identifier


def conclude_absent(identifier: CertificateIdentifier) -> Conclusion:
    """Conclude on a certificate that IAM does not have and no archive record vouches for."""
    if identifier.proves_absence:
        return Conclusion(
            outcome=Outcome.ALREADY_GONE,
            lead=f"Certificate {identifier.name or identifier.text} does not exist in the account "
            "any more. It was not deleted by this application.",
        )
    return unverified(
        "Kept: no certificate could be found for the finding:",
        (f"no certificate is named {identifier.text}",),
        "A bare name proves nothing. Check the certificate by hand.",
    )


def decide(  # noqa: PLR0911 - one return for each row of the outcome table reads best
    certificate: ServerCertificate,
    identifier: CertificateIdentifier,
    settings: Settings,
    now: datetime,
    *,
    tags: Mapping[str, str] | None = None,
    references: References | None = None,
    certificates: Sequence[ServerCertificate] = (),
) -> Conclusion | Need | Act:
    """Decide on one certificate at `now` (UTC).

    Args:
        certificate: the certificate as IAM has it.
        identifier: how the finding names it.
        settings: grace period and exempt tag.
        now: the time of the decision.
        tags: the certificate's tags, once they were asked for.
        references: a scan of the certificate's account, once it was asked for.
        certificates: all certificates of the account, to match what the scan found.

    Returns:
        A conclusion, or what is needed before there can be one, or the order to delete.
    """
    if certificate.expiration is None:
        return unverified(
            f"Kept: it is not known when certificate {certificate.name} expires:",
            ("IAM gives no expiration date",),
        )
    if not certificate.is_expired(now):
        return conclude_valid(certificate)
    if not identifier.agrees_with(certificate):
        return unverified(
            f"Kept: certificate {certificate.name} is not where the finding says:",
            (f"IAM has {certificate.arn}", f"the finding names {identifier.text}"),
            "If the certificate was moved, Security Hub raises a new finding for it.",
        )
    if certificate.is_in_grace(now, settings.grace_period):
        return _conclude_in_grace(certificate, settings)
    if tags is None:
        return Need.TAGS
    if settings.exempt_tag_key in tags:
        return conclude_exempt(certificate, settings)
    if references is None:
        return Need.REFERENCES
    return _weigh(certificate, references, certificates)


def _weigh(
    certificate: ServerCertificate,
    references: References,
    certificates: Sequence[ServerCertificate],
) -> Conclusion | Act:
    holders = references.find_holders(certificate)
    if holders:
        return conclude_in_use(
            certificate, sorted({str(one) for one in holders}), references.summary
        )
    if references.gaps:
        return unverified(
            f"Kept: {describe_expiry(certificate)}, but it is not proven unused. Could not read:",
            sorted({str(gap) for gap in references.gaps}),
            "Give the role the missing permission, or set REGIONS or DENIED_REGIONS, and it is "
            "checked again.",
            examined=references.summary,
        )
    arn = CertificateArn.parse(certificate.arn)
    if arn is None:
        return unverified(
            f"Kept: {describe_expiry(certificate)}, but what refers to it cannot be told:",
            (f"its ARN {certificate.arn} is not understood",),
            examined=references.summary,
        )
    if references.is_empty:
        return unverified(
            f"Kept: {describe_expiry(certificate)}, but no Region was examined. Out of scope:",
            references.out_of_scope or ("every Region",),
            "Widen REGIONS, or let the role read at least one Region.",
            examined=references.summary,
        )
    dangling = references.find_dangling(arn.account_id, certificates)
    if dangling:
        return unverified(
            f"Kept: {describe_expiry(certificate)}, but a certificate that is in use is not in "
            "IAM under its name, so it may be this one, renamed:",
            sorted({f"{one} names {one.identifier}" for one in dangling}),
            "Point the resource at a certificate that exists.",
            examined=references.summary,
        )
    return Act.DELETE


def describe_expiry(certificate: ServerCertificate) -> str:
    """Give `certificate web expired on 2026-01-31`."""
    day = f"{certificate.expiration:%Y-%m-%d}" if certificate.expiration else "an unknown day"
    return f"certificate {certificate.name} expired on {day}"


def describe_scope(references: References) -> tuple[str, ...]:
    """Give a sentence that names what the settings left out of the proof, if anything."""
    if not references.out_of_scope:
        return ()
    return (f"Out of scope by the settings: {fit_list(references.out_of_scope, SCOPE_LENGTH)}.",)


def unverified(
    lead: str, items: Sequence[str], *advice: str, examined: str = "nothing examined"
) -> Conclusion:
    """Conclude that the proof is incomplete; `items` are what it lacks."""
    return Conclusion(
        outcome=Outcome.UNVERIFIED,
        lead=lead,
        items=tuple(items),
        details=advice,
        examined=examined,
    )


def conclude_valid(certificate: ServerCertificate) -> Conclusion:
    """Conclude that the certificate under this name has not expired."""
    return Conclusion(
        outcome=Outcome.NOT_EXPIRED,
        lead=f"Kept: certificate {certificate.name} is valid until "
        f"{certificate.expiration:%Y-%m-%d %H:%M} UTC. It was renewed or replaced.",
    )


def conclude_exempt(certificate: ServerCertificate, settings: Settings) -> Conclusion:
    """Conclude that somebody wants the certificate kept."""
    return Conclusion(
        outcome=Outcome.EXEMPT,
        lead=f"Kept: {describe_expiry(certificate)}, but carries the tag "
        f"{settings.exempt_tag_key}. Remove the tag to have it deleted.",
    )


def conclude_in_use(
    certificate: ServerCertificate, holders: Sequence[str], examined: str
) -> Conclusion:
    """Conclude that something refers to the certificate."""
    return Conclusion(
        outcome=Outcome.IN_USE,
        lead=f"Kept: {describe_expiry(certificate)}, but it is in use by",
        items=tuple(holders),
        details=("Replace it there first.",),
        examined=examined,
    )


def conclude_deletable(
    certificate: ServerCertificate, references: References, *, archived_as: str | None
) -> Conclusion:
    """Conclude on a certificate that is proven expired and unused.

    Args:
        certificate: the certificate.
        references: the scan that proves it.
        archived_as: where the certificate was archived before its deletion; None in a dry run.
    """
    deleted = archived_as is not None
    return Conclusion(
        outcome=Outcome.DELETED if deleted else Outcome.WOULD_DELETE,
        lead=f"{'Deleted' if deleted else 'Would be deleted (dry run)'}: "
        f"{describe_expiry(certificate)}, and nothing refers to it ({references.summary}).",
        details=(
            *describe_scope(references),
            *((f"Archived as {archived_as}.",) if archived_as else ()),
        ),
        examined=references.summary,
    )


def _conclude_in_grace(certificate: ServerCertificate, settings: Settings) -> Conclusion:
    assert certificate.expiration is not None  # noqa: S101 - in grace means expired
    leaves = certificate.expiration + settings.grace_period
    return Conclusion(
        outcome=Outcome.IN_GRACE_PERIOD,
        lead=f"Kept: {describe_expiry(certificate)} and is in its grace period of "
        f"{settings.grace_period_days} days. It will be deleted after "
        f"{leaves:%Y-%m-%d %H:%M} UTC if it is unused then.",
    )

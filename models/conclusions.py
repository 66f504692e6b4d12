"""What is concluded about a certificate, in the words of the note: one function for each case."""

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from models.certificate import CertificateIdentifier, IdentifierKind, ServerCertificate
from models.errors import AwsCallError
from models.expiry import MOVE_TO_ACM
from models.outcome import Conclusion, Outcome
from models.reference import GapKind, Reference, References
from models.settings import Settings
from models.text import fit_list, fit_words

RETRIED = "It is checked again with the next sweep."
# Only what would help: no permission mends an answer that is not understood.
GAP_ADVICE = {
    GapKind.DENIED: "Grant the role the missing permission, and it is checked again.",
    GapKind.DENIED_BY_POLICY: "Let the service control policy except the role, leave the Region "
    "out of REGIONS, or set DENIED_REGIONS to OutOfScope.",
    GapKind.UNKNOWN_REGION: "Correct REGIONS, or enable the Region.",
    GapKind.REJECTED_CREDENTIALS: "Check that the Region and the service are enabled in the "
    "account, or leave the Region out of REGIONS.",
}

CALL_ADVICE = {
    GapKind.DENIED_BY_POLICY: "Let the service control policy except the role, and it is retried.",
    GapKind.REJECTED_CREDENTIALS: "Check that the account is active and its Region enabled.",
}
MEMBER_ROLE_ADVICE = {
    GapKind.DENIED: "Deploy the member role (deploy/member-role.yaml) to the account, or check the "
    "name in MEMBER_ROLE_NAME.",
    GapKind.DENIED_BY_POLICY: "Let the service control policy allow the member role "
    "(deploy/member-role.yaml) to be assumed.",
}

REPLACE = "Replace it there first."

ARN_IN_CONFLICT = re.compile(r"arn:[^\s,;]+")
CONFLICT_LENGTH = 200
TAG_VALUE_LENGTH = 120

# Regions left out must be named in a note even where there are thirty of them.
SCOPE_LENGTH = 120


def conclude_refused(trait: str) -> Conclusion:
    """Conclude that a finding is not ours to touch, for what it is."""
    return Conclusion(outcome=Outcome.REFUSED, lead=f"Left alone: {trait}.")


def conclude_unknown_finding(finding_id: str) -> Conclusion:
    """Conclude that Security Hub does not have the finding, so nothing vouches for what it says."""
    return unverified(
        "Kept: Security Hub does not have the finding, so what it says is not believed:",
        (f"no finding {finding_id}",),
        "A sample event can be tried with MODE=DryRun.",
    )


def conclude_not_understood(resource_id: str | None) -> Conclusion:
    """Conclude that a finding's resource id names no certificate in any way known here."""
    named = repr(resource_id) if resource_id else "no resource"
    return unverified(
        "Kept: the finding's resource is not understood as a server certificate:",
        (f"it names {named}",),
        "Look for the certificate by hand and report this id.",
    )


def conclude_other_account(account_id: str, resource_id: str) -> Conclusion:
    """Conclude that a finding is of one account and its resource of another."""
    return unverified(
        f"Kept: the finding is of account {account_id}, but its resource is not:",
        (f"it names {resource_id}",),
        "No certificate of another account is ever touched.",
    )


def conclude_other_partition(partition: str, resource_id: str) -> Conclusion:
    """Conclude that a finding's resource is of another partition than ours."""
    return unverified(
        f"Kept: this application works in partition {partition}, but the finding does not:",
        (f"it names {resource_id}",),
    )


def conclude_denied(error: AwsCallError) -> Conclusion:
    """Conclude that a call which the path of a finding needs was refused."""
    kind = GapKind.of_error(error)
    cause = (f"{error.operation}: {error.cause}",)
    if error.operation == "AssumeRole":
        advice = MEMBER_ROLE_ADVICE.get(kind) or CALL_ADVICE.get(kind, RETRIED)
        return unverified("Kept: the account could not be entered:", cause, advice)
    return unverified(
        "Kept: a call that the proof needs was refused:", cause, _advise_on_call(error, kind)
    )


def conclude_unvouched(identifier: CertificateIdentifier, error: AwsCallError) -> Conclusion:
    """Conclude that a certificate is gone, and the archive cannot be asked who deleted it."""
    return unverified(
        f"Certificate {identifier.last} is not in the account any more, but it is not known who "
        "deleted it, because the archive could not be read:",
        (f"{error.operation}: {error.cause}",),
        _advise_on_call(error, GapKind.of_error(error)),
    )


def conclude_ambiguous(
    identifier: CertificateIdentifier, found: Sequence[ServerCertificate]
) -> Conclusion:
    """Conclude that what a finding names is one certificate's name and another one's id."""
    return unverified(
        f"Kept: the finding names {identifier.text}, which may mean more than one certificate:",
        sorted(f"{one.name} ({one.id})" for one in found),
        "Rename the certificate that has another one's id as its name.",
    )


def conclude_accepted(certificate: ServerCertificate, finding_id: str) -> Conclusion:
    """Conclude that somebody suppressed another finding about the certificate."""
    return Conclusion(
        outcome=Outcome.EXEMPT,
        lead=f"Kept: {describe_expiry(certificate)}, but its risk is accepted: finding "
        f"{finding_id} about it is suppressed.",
        details=("Set that finding to NEW if the certificate need not be kept.",),
        promise=finding_id,
    )


def conclude_unclear_suppression(
    certificate: ServerCertificate, findings: Sequence[str]
) -> Conclusion:
    """Conclude that a suppressed finding may be about the certificate."""
    return unverified(
        f"Kept: {describe_expiry(certificate)}, but a suppressed finding that is not understood "
        "may be about it:",
        sorted(findings),
        "Set that finding to another status if the certificate is not what it is about.",
    )


def conclude_unknown_expiry(certificate: ServerCertificate) -> Conclusion:
    """Conclude that IAM does not say when the certificate expires."""
    return unverified(
        f"Kept: it is not known when certificate {certificate.name} expires:",
        ("IAM returns no expiration date",),
    )


def conclude_moved(certificate: ServerCertificate, identifier: CertificateIdentifier) -> Conclusion:
    """Conclude that the certificate has another path, or another spelling, than a finding says."""
    return unverified(
        f"Kept: certificate {certificate.name} is not where the finding says:",
        (f"IAM has {certificate.arn}", f"the finding names {identifier.text}"),
        "If the certificate was moved, Security Hub raises a new finding for it.",
    )


def conclude_replaced(proven: ServerCertificate, current: ServerCertificate) -> Conclusion:
    """Conclude that another expired certificate has the name now."""
    return unverified(
        f"Kept: certificate {proven.name} was replaced while it was checked:",
        (f"{proven.id} became {current.id}",),
        "Security Hub raises a finding of its own for the new one.",
    )


def conclude_gaps(certificate: ServerCertificate, references: References) -> Conclusion:
    """Conclude that not every place could be read."""
    return unverified(
        f"Kept: {describe_expiry(certificate)}, but it is not proven unused. Could not read:",
        references.missing,
        _advise_on_gaps({gap.kind for gap in references.gaps}),
        examined=references.summary,
    )


def conclude_unknown_arn(certificate: ServerCertificate, references: References) -> Conclusion:
    """Conclude that the certificate's own ARN has an unknown form, so nothing can be matched."""
    return unverified(
        f"Kept: {describe_expiry(certificate)}, but it is unknown what refers to it:",
        (f"its ARN {certificate.arn} is not understood",),
        examined=references.summary,
    )


def conclude_nothing_read(certificate: ServerCertificate, references: References) -> Conclusion:
    """Conclude that the settings left no Region to examine."""
    return unverified(
        f"Kept: {describe_expiry(certificate)}, but no Region was examined. Out of scope:",
        references.out_of_scope or ("every Region",),
        "Widen REGIONS, or let the role read at least one Region.",
        examined=references.summary,
    )


def conclude_dangling(
    certificate: ServerCertificate, dangling: Sequence[Reference], references: References
) -> Conclusion:
    """Conclude that something live may hold any certificate: it names none that IAM has."""
    return unverified(
        f"Kept: {describe_expiry(certificate)}, but something live names no certificate "
        "that IAM has, so it may hold this one:",
        sorted({one.statement for one in dangling}),
        "Point the resource at a certificate that exists.",
        examined=references.summary,
    )


def conclude_absent(identifier: CertificateIdentifier) -> Conclusion:
    """Conclude on a certificate that IAM does not have and no archive record vouches for."""
    if not identifier.proves_absence:
        return unverified(
            "Kept: no certificate could be found for the finding:",
            (f"no certificate is named {identifier.text}",),
            "A bare name proves nothing. Check the certificate by hand.",
        )
    # An id never changes, while what is missing under its name may be there under another.
    gone = (
        "does not exist in the account any more."
        if identifier.kind is IdentifierKind.ID
        else "is not in the account under this name any more: it was deleted or renamed."
    )
    return Conclusion(
        outcome=Outcome.ALREADY_GONE,
        lead=f"Certificate {identifier.last} {gone} This application has no record of deleting it "
        "since the finding was created.",
    )


def conclude_valid(certificate: ServerCertificate) -> Conclusion:
    """Conclude that the certificate under this name has not expired."""
    until = f"{certificate.expiration:%Y-%m-%d %H:%M} UTC"
    return Conclusion(
        outcome=Outcome.NOT_EXPIRED,
        lead=f"Kept: certificate {certificate.name} is valid until {until}.",
        promise=until,
    )


def conclude_exempt(
    certificate: ServerCertificate, settings: Settings, *, value: str
) -> Conclusion:
    """Conclude that somebody wants the certificate kept; the tag's value may say why."""
    said = fit_words(" ".join(value.split()), TAG_VALUE_LENGTH)
    return Conclusion(
        outcome=Outcome.EXEMPT,
        lead=f"Kept: {describe_expiry(certificate)}, but carries the tag "
        f"{settings.exempt_tag_key}{f' ({said})' if said else ''}. "
        "Remove the tag if it need not be kept.",
        promise=f"tag {settings.exempt_tag_key}",
    )


def conclude_conflict(certificate: ServerCertificate, message: str, examined: str) -> Conclusion:
    """Conclude that IAM refused the delete because something uses the certificate.

    Args:
        certificate: the certificate.
        message: what IAM said, in its own words.
        examined: what the scan examined.
    """
    said = fit_words(" ".join(message.split()), CONFLICT_LENGTH - len(certificate.name))
    named = sorted({one.rstrip(".,;:)'\"") for one in ARN_IN_CONFLICT.findall(message)})
    return Conclusion(
        outcome=Outcome.IN_USE,
        lead=f"Kept: {describe_expiry(certificate)}, but IAM refused to delete it "
        "(DeleteConflict). It is in use by",
        items=tuple(named)
        or (f"something that IAM knows of: {said.rstrip('.') or 'it says no more'}",),
        # IAM's own words take most of the room, and matter more than where to move.
        details=(f"IAM says: {said} {REPLACE}" if named else REPLACE, MOVE_TO_ACM),
        examined=examined,
    )


def conclude_in_use(
    certificate: ServerCertificate, holders: Sequence[str], examined: str
) -> Conclusion:
    """Conclude that something refers to the certificate."""
    return Conclusion(
        outcome=Outcome.IN_USE,
        lead=f"Kept: {describe_expiry(certificate)}, but it is in use by",
        items=tuple(holders),
        details=(REPLACE, MOVE_TO_ACM),
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


def conclude_in_grace(
    certificate: ServerCertificate, settings: Settings, *, until: datetime
) -> Conclusion:
    """Conclude that the certificate expired too recently; its grace period lasts until then."""
    end = f"{until:%Y-%m-%d %H:%M} UTC"
    return Conclusion(
        outcome=Outcome.IN_GRACE_PERIOD,
        lead=f"Kept: {describe_expiry(certificate)} and is in its grace period of "
        f"{settings.grace_period_days} days. It will be deleted after {end} if it is unused then.",
        promise=f"{settings.grace_period_days} days, until {end}",
    )


def describe_expiry(certificate: ServerCertificate) -> str:
    """Return `certificate web expired on 2026-01-31`."""
    day = f"{certificate.expiration:%Y-%m-%d}" if certificate.expiration else "an unknown day"
    return f"certificate {certificate.name} expired on {day}"


def describe_scope(references: References) -> tuple[str, ...]:
    """Return a sentence that names what the settings left out of the proof, if anything."""
    if not references.out_of_scope:
        return ()
    return (f"Out of scope by the settings: {fit_list(references.out_of_scope, SCOPE_LENGTH)}.",)


def _advise_on_gaps(kinds: AbstractSet[GapKind]) -> str:
    """Return what would close the gaps, the advice for the commonest kind first."""
    return next((text for kind, text in GAP_ADVICE.items() if kind in kinds), RETRIED)


def _advise_on_call(error: AwsCallError, kind: GapKind) -> str:
    """Return what would let a call succeed that was refused."""
    if kind is GapKind.DENIED:
        return f"Allow {error.operation} to the role that makes the call, and it is retried."
    return CALL_ADVICE.get(kind, RETRIED)


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

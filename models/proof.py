"""What must hold before a certificate is deleted: every rule of safety, once.

`identify` and `screen` ask for what is cheap to know, `prove` for all of it. Nothing else makes a
`Proof`, and nothing is deleted without one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from models.certificate import (
    CertificateArn,
    CertificateFiles,
    CertificateIdentifier,
    ServerCertificate,
)
from models.conclusions import (
    conclude_accepted,
    conclude_dangling,
    conclude_exempt,
    conclude_gaps,
    conclude_in_grace,
    conclude_in_use,
    conclude_moved,
    conclude_not_understood,
    conclude_nothing_read,
    conclude_other_account,
    conclude_other_partition,
    conclude_replaced,
    conclude_unclear_suppression,
    conclude_unknown_arn,
    conclude_unknown_expiry,
    conclude_valid,
)
from models.errors import EventError
from models.finding import Finding
from models.outcome import CERTIFICATE_ID_FIELD, Conclusion
from models.reference import References
from models.settings import Settings


@dataclass(frozen=True, slots=True)
class Candidate:
    """An expired certificate that nothing about itself keeps, as far as its account shows.

    Attributes:
        certificate: the certificate as IAM has it.
        identifier: how findings name it.
        tags: its tags.
    """

    certificate: ServerCertificate
    identifier: CertificateIdentifier
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Proof:
    """A certificate is expired, nothing keeps it, and nothing refers to it. Made by `prove` alone.

    Attributes:
        candidate: the certificate that may be deleted.
        references: the scan that shows that nothing refers to it.
        certificates: all certificates of the account, which the scan was compared with.
        proven_at: when this was decided (UTC).
    """

    candidate: Candidate
    references: References
    certificates: tuple[ServerCertificate, ...]
    proven_at: datetime

    @property
    def certificate(self) -> ServerCertificate:
        """The certificate that may be deleted."""
        return self.candidate.certificate

    def is_fresh(self, now: datetime) -> bool:
        """Return whether a delete may still rest on this proof at `now` (UTC)."""
        return self.references.is_fresh(now)


def identify(finding: Finding, partition: str) -> CertificateIdentifier | Conclusion:
    """Return how a finding names its certificate, or why that cannot be trusted."""
    identifier = finding.certificate_identifier
    if identifier is None:
        return conclude_not_understood(finding.resource_id)
    if identifier.arn is None:
        return identifier
    if identifier.arn.account_id != finding.account_id:
        return conclude_other_account(finding.account_id, identifier.text)
    if identifier.arn.partition != partition:
        return conclude_other_partition(partition, identifier.text)
    return identifier


def screen(
    certificate: ServerCertificate,
    identifier: CertificateIdentifier,
    settings: Settings,
    now: datetime,
) -> Conclusion | None:
    """Return why a certificate is kept whatever its tags and its holders are, or None.

    Args:
        certificate: the certificate as IAM has it.
        identifier: how findings name it.
        settings: grace period and exempt tag.
        now: the time of the decision (UTC).
    """
    if certificate.expiration is None:
        return conclude_unknown_expiry(certificate)
    if not certificate.is_expired(now):
        return conclude_valid(certificate)
    if not identifier.agrees_with(certificate):
        return conclude_moved(certificate, identifier)
    if certificate.is_in_grace(now, settings.grace_period):
        until = certificate.expiration + settings.grace_period
        return conclude_in_grace(certificate, settings, until=until)
    return None


def screen_tags(
    certificate: ServerCertificate, tags: Mapping[str, str], settings: Settings
) -> Conclusion | None:
    """Return that somebody wants the certificate kept, as its tags show, or None."""
    exempt = settings.exempt_tag_key.strip().casefold()
    for key, value in tags.items():
        if key.strip().casefold() == exempt:
            return conclude_exempt(certificate, settings, value=value)
    return None


def screen_suppressed(
    certificate: ServerCertificate, suppressed: Iterable[Finding | EventError]
) -> Conclusion | None:
    """Return that somebody accepted the risk of a certificate, or None.

    Args:
        certificate: the certificate as IAM has it.
        suppressed: the suppressed findings of the control in its account, of whichever standard.
    """
    unclear: list[str] = []
    for finding in suppressed:
        if isinstance(finding, EventError):
            unclear.append(str(finding))
        elif finding.find_foreign_trait():
            continue
        elif _is_about(finding, certificate):
            return conclude_accepted(certificate, finding.id)
        elif not finding.certificate_identifiers and not finding.is_about_account:
            unclear.append(f"finding {finding.id} names {finding.resource_id or 'no resource'}")
    return conclude_unclear_suppression(certificate, unclear) if unclear else None


def _is_about(finding: Finding, certificate: ServerCertificate) -> bool:
    """Return whether a finding names a certificate in any way, or did when we wrote on it."""
    if finding.user_defined_fields.get(CERTIFICATE_ID_FIELD) == certificate.id:
        # It may have been renamed since.
        return True
    own = CertificateArn.parse(certificate.arn)
    return any(
        identifier.last.casefold() in {certificate.id.casefold(), certificate.name.casefold()}
        for identifier in finding.certificate_identifiers
        if not (identifier.arn and own and identifier.arn.account_id != own.account_id)
    )


def prove(
    candidate: Candidate,
    references: References,
    certificates: Sequence[ServerCertificate],
    settings: Settings,
    now: datetime,
) -> Proof | Conclusion:
    """Return the proof that a certificate may be deleted, or the conclusion that stands against it.

    Args:
        candidate: the certificate.
        references: a scan of its account.
        certificates: all certificates of the account, to match what the scan found.
        settings: grace period and exempt tag.
        now: the time of the decision (UTC).
    """
    certificate = candidate.certificate
    against = (
        screen(certificate, candidate.identifier, settings, now)
        or screen_tags(certificate, candidate.tags, settings)
        or _find_objection(certificate, references, certificates)
    )
    return against or Proof(candidate, references, tuple(certificates), now)


def prove_again(
    proof: Proof, files: CertificateFiles, settings: Settings, now: datetime
) -> Proof | Conclusion:
    """Return the proof for a certificate as it was read again, or what stands against it now."""
    if files.certificate.id != proof.certificate.id:
        return _conclude_other(proof.certificate, files.certificate, now)
    candidate = replace(proof.candidate, certificate=files.certificate, tags=files.tags)
    return prove(candidate, proof.references, proof.certificates, settings, now)


def _conclude_other(
    proven: ServerCertificate, current: ServerCertificate, now: datetime
) -> Conclusion:
    if current.expiration is None:
        return conclude_unknown_expiry(current)
    if current.is_expired(now):
        return conclude_replaced(proven, current)
    return conclude_valid(current)


def _find_objection(
    certificate: ServerCertificate,
    references: References,
    certificates: Sequence[ServerCertificate],
) -> Conclusion | None:
    """Return what a scan holds against the deletion of a certificate, or None."""
    if holders := references.list_holders(certificate, certificates):
        return conclude_in_use(certificate, holders, references.summary)
    if references.gaps:
        return conclude_gaps(certificate, references)
    if CertificateArn.parse(certificate.arn) is None:
        return conclude_unknown_arn(certificate, references)
    if references.is_empty:
        return conclude_nothing_read(certificate, references)
    if dangling := references.find_dangling(certificates):
        return conclude_dangling(certificate, dangling, references)
    return None

"""What a finding is on its way: it arrives, is grouped by its certificate, and ends as a case."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import ParamSpec, TypeVar

from handlers.observability import logger
from models.certificate import CertificateIdentifier, ServerCertificate
from models.conclusions import conclude_ambiguous, conclude_denied
from models.errors import AwsCallError, TransientError
from models.events import EntryPoint
from models.finding import Finding, FindingKey, WorkflowStatus
from models.outcome import Conclusion, Outcome
from models.proof import identify
from models.report import CertificateReport

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A finding as it came.

    Attributes:
        finding: the finding.
        event_id: the id of the event, which correlates log lines.
        entry_point: the way it came in.
        is_queued: whether a message is retried until there is an outcome; nobody retries a bare
            event.
    """

    finding: Finding
    event_id: str
    entry_point: EntryPoint
    is_queued: bool


@dataclass(frozen=True, slots=True)
class Postponed:
    """The verdict on what must be retried, with the error that stopped it."""

    error: Exception


Verdict = Conclusion | Postponed


@dataclass(frozen=True, slots=True)
class _Group:
    """Findings of one account about one certificate; at least one."""

    arrivals: tuple[Arrival, ...]

    @property
    def account_id(self) -> str:
        """The account that its findings are of."""
        return self.arrivals[0].finding.account_id

    @property
    def findings(self) -> list[Finding]:
        """Its findings."""
        return [arrival.finding for arrival in self.arrivals]


@dataclass(frozen=True, slots=True)
class Case(_Group):
    """Findings about one certificate, with what came of it.

    Attributes:
        verdict: the conclusion, or why there is none yet.
        arn: the certificate's ARN, or the one that the findings name; None if they name none.
        certificate_id: the certificate's id, where the certificate is known.
        deleted_now: whether this invocation deleted it, which people are always notified of.
    """

    verdict: Verdict
    arn: str | None = None
    certificate_id: str | None = None
    deleted_now: bool = False

    @classmethod
    def of(cls, arrival: Arrival, verdict: Verdict) -> "Case":
        """Return the case of one finding whose certificate was not looked for."""
        return cls((arrival,), verdict, _read_arn(arrival.finding.certificate_identifier))

    def has_outcome(self, outcome: Outcome) -> bool:
        """Return whether its verdict is a conclusion with an outcome."""
        return isinstance(self.verdict, Conclusion) and self.verdict.outcome is outcome


@dataclass(frozen=True, slots=True)
class Subject(_Group):
    """Findings about one certificate, which are one decision and at most one delete.

    Attributes:
        identifier: how they name the certificate.
        certificate: the certificate as its account lists it; None if it does not.
    """

    identifier: CertificateIdentifier
    certificate: ServerCertificate | None

    def join(self, arrival: Arrival, identifier: CertificateIdentifier) -> "Subject":
        """Return the subject with one more finding; where they name it differently, the id decides.

        An ARN that agrees with the certificate decides over one that does not.
        """
        stronger = self._rank(identifier) > self._rank(self.identifier)
        chosen = identifier if stronger else self.identifier
        return replace(self, arrivals=(*self.arrivals, arrival), identifier=chosen)

    def close(
        self,
        verdict: Verdict,
        certificate: ServerCertificate | None = None,
        *,
        deleted_now: bool = False,
    ) -> Case:
        """Return its case.

        Args:
            verdict: what came of it.
            certificate: what it was about, where the account has it no more.
            deleted_now: whether this invocation deleted it.
        """
        about = certificate or self.certificate
        if about is None:
            return Case(self.arrivals, verdict, _read_arn(self.identifier), None, deleted_now)
        return Case(self.arrivals, verdict, about.arn, about.id, deleted_now)

    def _rank(self, identifier: CertificateIdentifier) -> tuple[bool, bool]:
        if self.certificate is None:
            return (False, False)
        named = identifier.names_id_of(self.certificate)
        return (named, identifier.agrees_with(self.certificate))


@dataclass(frozen=True, slots=True)
class Handled:
    """A finding that reached its outcome, with its workflow status afterwards."""

    report: CertificateReport
    status: WorkflowStatus


Results = dict[FindingKey, Handled | Postponed]


def attempt(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R | Conclusion | Postponed:
    """Return what some work returns, or the verdict that its error means for its findings."""
    try:
        return work(*args, **kwargs)
    except AwsCallError as error:
        return conclude_denied(error)
    except TransientError as error:
        return Postponed(error)
    except Exception as error:  # noqa: BLE001 - logged, and the dead-letter queue gets it
        logger.exception("unexpected error on the path of a finding")
        return Postponed(error)


def group_by_certificate(
    arrivals: Sequence[Arrival], certificates: Sequence[ServerCertificate], partition: str
) -> tuple[list[Subject], list[Case]]:
    """Return a subject for each certificate, and cases of findings that name none to be trusted.

    A finding whose certificate is gone is a subject of its own: the archive vouches for a
    certificate finding by finding.
    """
    subjects: dict[Hashable, Subject] = {}
    untrusted: list[Case] = []
    for arrival in arrivals:
        identifier = identify(arrival.finding, partition)
        if isinstance(identifier, Conclusion):
            untrusted.append(Case((arrival,), identifier))
            continue
        found = identifier.find_in(certificates)
        if len(found) > 1:
            untrusted.append(Case.of(arrival, conclude_ambiguous(identifier, found)))
            continue
        certificate = found[0] if found else None
        same = certificate.id if certificate else arrival.finding.key
        known = subjects.get(same, Subject((), identifier, certificate))
        subjects[same] = known.join(arrival, identifier)
    return list(subjects.values()), untrusted


def _read_arn(identifier: CertificateIdentifier | None) -> str | None:
    return identifier.text if identifier and identifier.arn else None

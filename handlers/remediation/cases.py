"""What the story keeps of each finding: how it came, with which others, what came of it."""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from handlers.observability import logger
from models.certificate import CertificateIdentifier, ServerCertificate
from models.decision import identify, unverified
from models.errors import AwsCallError, TransientError
from models.finding import Finding, FindingKey, WorkflowStatus
from models.outcome import CertificateReport, Conclusion


@dataclass(frozen=True, slots=True)
class Arrival:
    """A finding as it came.

    Attributes:
        finding: the finding.
        region: the Region its event arrived in, where Security Hub is called about it.
        event_id: the id of the event, which correlates log lines.
        is_redelivered: an earlier invocation may have died at any point of its path.
    """

    finding: Finding
    region: str
    event_id: str
    is_redelivered: bool = False


@dataclass(frozen=True, slots=True)
class Handled:
    """A finding that reached its outcome, with its workflow status afterwards."""

    report: CertificateReport
    status: WorkflowStatus


@dataclass(frozen=True, slots=True)
class Postponed:
    """A finding that must be tried again."""

    error: Exception


Results = dict[FindingKey, Handled | Postponed]


@dataclass(slots=True)
class Case:
    """The findings about one certificate, which are one decision and at most one delete."""

    arrivals: list[Arrival]
    identifier: CertificateIdentifier | None = None
    certificate: ServerCertificate | None = None
    tags: dict[str, str] | None = None
    conclusion: Conclusion | None = None
    postponed: Exception | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is neither a conclusion nor a reason to try again later."""
        return self.conclusion is None and self.postponed is None

    @property
    def account_id(self) -> str:
        """The account that its findings are of."""
        return self.arrivals[0].finding.account_id

    @property
    def findings(self) -> list[Finding]:
        """The findings of this case."""
        return [arrival.finding for arrival in self.arrivals]

    @contextmanager
    def errors_concluded(self) -> Iterator[None]:
        """Turn errors inside into this case's conclusion, or into another try."""
        try:
            yield
        except AwsCallError as error:
            self.conclusion = conclude_denied(error)
        except TransientError as error:
            self.postponed = error
        except Exception as error:  # noqa: BLE001 - logged, and the dead-letter queue gets it
            logger.exception("unexpected error on the path of a finding")
            self.postponed = error

    def split(self) -> list["Case"]:
        """Give a case for each finding, where the certificates are not known apart."""
        return [
            replace(self, arrivals=[one], identifier=one.finding.certificate_identifier)
            for one in self.arrivals
        ]

    def compose_report(self, conclusion: Conclusion) -> CertificateReport:
        """Give the report of this case."""
        arn = self.certificate.arn if self.certificate else None
        if arn is None and self.identifier and self.identifier.arn:
            arn = self.identifier.text
        return CertificateReport(
            account_id=self.account_id,
            arn=arn,
            resource_id=self.findings[0].resource_id or "none",
            conclusion=conclusion,
        )


def group_by_certificate(
    arrivals: Sequence[Arrival], certificates: Sequence[ServerCertificate], partition: str
) -> list[Case]:
    """Give one case for each certificate that findings of an account are about.

    A finding whose certificate is gone is a case of its own; so is one that names no certificate
    to be trusted, already concluded.
    """
    cases: dict[Hashable, Case] = {}
    for arrival in arrivals:
        identifier = identify(arrival.finding, partition)
        if isinstance(identifier, Conclusion):
            cases[arrival.finding.key] = Case([arrival], conclusion=identifier)
            continue
        certificate = identifier.find_in(certificates)
        same = (
            (certificate.id, identifier.agrees_with(certificate))
            if certificate
            # The archive vouches for a certificate that is gone finding by finding.
            else arrival.finding.key
        )
        case = cases.setdefault(same, Case([], identifier, certificate))
        case.arrivals.append(arrival)
    return list(cases.values())


def conclude_denied(error: AwsCallError) -> Conclusion:
    """Conclude that a call which the path of a finding needs was refused."""
    if error.operation == "AssumeRole":
        return unverified(
            "Kept: the account could not be entered:",
            (f"{error.operation}: {error.cause}",),
            "Deploy the member role (deploy/member-role.yaml) to the account, or check the name "
            "in MEMBER_ROLE_NAME.",
        )
    advice = (
        f"Allow {error.operation} to the role that works in this account, and it is tried again."
        if error.is_denial
        else "The log has the details; it is tried again with the next sweep."
    )
    return unverified(
        "Kept: a call that the proof needs was refused:",
        (f"{error.operation}: {error.cause}",),
        advice,
    )

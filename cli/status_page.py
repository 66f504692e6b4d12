"""The status of an organization as a page."""

from collections.abc import Iterator, Mapping

from cli.pages import (
    Cell,
    Column,
    Count,
    Page,
    Table,
    Tone,
    compose_counts,
    describe_counts,
    format_time,
    say,
)
from models.certificate import CertificateArn
from models.outcome import Outcome
from models.standing import SHOWN_STATES, Standing, State, StatusReport, Unsettled

TONES: Mapping[State, Tone] = {
    Outcome.UNVERIFIED: Tone.WARN,
    Outcome.IN_USE: Tone.WARN,
    Outcome.WOULD_DELETE: Tone.ACT,
    Unsettled.PENDING: Tone.ACT,
    Outcome.IN_GRACE_PERIOD: Tone.KEEP,
    Outcome.EXEMPT: Tone.KEEP,
    Unsettled.SUPPRESSED: Tone.KEEP,
    Unsettled.TAKEN: Tone.KEEP,
    Outcome.NOT_EXPIRED: Tone.GOOD,
    Outcome.DELETED: Tone.GOOD,
    Outcome.ALREADY_GONE: Tone.GOOD,
}


def compose_status_page(report: StatusReport) -> Page:
    """Return how the certificates of an organization stand, as one page."""
    return Page(
        title="Findings of Security Hub control IAM.26",
        generated_at=report.generated_at,
        summary=_describe_summary(report),
        counts=_count(report),
        facts=(
            ("Security Hub asked in", report.region),
            ("Looked at", format_time(report.generated_at)),
            ("Accounts with failed findings", str(len(report.accounts))),
        ),
        warnings=tuple(f"Not understood: {one}" for one in report.not_understood),
        tables=(_list_certificates(report), _list_accounts(report)),
    )


def _count(report: StatusReport) -> tuple[Count, ...]:
    return compose_counts(report.summary, SHOWN_STATES, TONES)


def _describe_summary(report: StatusReport) -> str:
    if not report.certificates:
        return "No failed findings of IAM.26."
    oldest = max(one.age_days for one in report.certificates)
    return f"{describe_counts(_count(report))}; the oldest finding is {oldest} days old."


def _list_certificates(report: StatusReport) -> Table:
    return Table(
        id="certificates",
        heading="Certificates",
        columns=(
            Column("Account"),
            Column("Certificate"),
            Column("Outcome"),
            Column("Age in days"),
            Column("Examined"),
            Column("Workflow"),
            Column("What the finding says", is_wide=True),
        ),
        rows=tuple(tuple(_describe_certificate(one)) for one in report.certificates),
        empty="There are no failed findings of IAM.26.",
    )


def _describe_certificate(one: Standing) -> Iterator[Cell]:
    arn = CertificateArn.parse(one.certificate)
    yield say(one.account)
    named = (arn.name if arn else one.certificate, one.certificate_id)
    yield say(*(each for each in named if each))
    yield say(SHOWN_STATES[one.state], tone=TONES[one.state])
    yield say(str(one.age_days))
    checked_at = one.checked_at
    yield say(
        f"{checked_at:%Y-%m-%d}" if checked_at else "never",
        key=checked_at.isoformat() if checked_at else "",
    )
    yield say(one.workflow_status)
    yield say(one.note or one.references)


def _list_accounts(report: StatusReport) -> Table:
    states = tuple(report.summary)
    return Table(
        id="accounts",
        heading="Accounts",
        columns=(
            Column("Account", is_wide=True),
            *(Column(SHOWN_STATES[state].capitalize()) for state in states),
        ),
        rows=tuple(
            (
                say(account),
                *(say(str(counts.get(state, 0))) for state in states),
            )
            for account, counts in report.accounts.items()
        ),
        empty="No account has failed findings of IAM.26.",
    )

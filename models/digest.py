"""The digest of a sweep: one message about all accounts, made of the findings that it saw."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from models.finding import Finding
from models.outcome import (
    CERTIFICATE_ID_FIELD,
    REFERENCES_FIELD,
    RESOLVING,
    UNKNOWN_ID,
    Outcome,
    name_certificate,
    read_checked_at,
    read_outcome,
)
from models.report import MESSAGE_BYTES, SUBJECT_LENGTH, Notification
from models.sweep import find_open_outcome, is_closed_by_us, is_left_open
from models.text import fit_words

# Attributes, headings, and the lines that say how much was left out.
RESERVED_BYTES = 2048
NAME_LENGTH = 512
REFERENCES_LENGTH = 256

PENDING = "pending"
# In the order in which they are told.
HEADINGS: Mapping[str, str] = {
    Outcome.DELETED: "deleted",
    Outcome.WOULD_DELETE: "would be deleted (dry run)",
    Outcome.IN_USE: "in use",
    Outcome.UNVERIFIED: "kept because the proof is incomplete",
    Outcome.IN_GRACE_PERIOD: "in the grace period",
    Outcome.EXEMPT: "exempt",
    Outcome.NOT_EXPIRED: "not expired",
    Outcome.ALREADY_GONE: "already gone",
    PENDING: "to be examined",
}
LISTED = (Outcome.DELETED, Outcome.WOULD_DELETE, Outcome.IN_USE, Outcome.UNVERIFIED)
IN_SUBJECT: Mapping[str, str] = {
    Outcome.DELETED: "deleted",
    Outcome.WOULD_DELETE: "to delete",
    Outcome.IN_USE: "in use",
    Outcome.UNVERIFIED: "unverified",
    PENDING: "to be examined",
}

# What refers to each certificate, or which gaps there are, by the certificate's name and id.
Certificates = dict[tuple[str, str], str]


def compose_digest(
    account_id: str, findings: Iterable[Finding], since: datetime
) -> Notification | None:
    """Return the message that says how the certificates of findings stand, or None without any.

    Args:
        account_id: the account that sends it.
        findings: failed and active findings of all accounts.
        since: when the time begins of whose deletions it tells (UTC).
    """
    standing = _sort(findings, since)
    counts = {
        heading: sum(map(len, accounts.values()))
        for heading in HEADINGS
        if (accounts := standing.get(heading))
    }
    if not counts:
        return None
    named = [f"{counts[one]} {text}" for one, text in IN_SUBJECT.items() if one in counts]
    subject = f"IAM.26: {', '.join(named) or 'nothing to do'}"[:SUBJECT_LENGTH]
    head = "\n".join((f"{subject}.", "", *_describe_counts(counts, since)))
    parts = [head]
    room = MESSAGE_BYTES - RESERVED_BYTES - len(head.encode())
    listed = [one for one in LISTED if one in counts]
    for number, heading in enumerate(listed):
        # Each section has its share; what it leaves is for those that follow.
        part = _list_certificates(heading, standing[heading], room // (len(listed) - number))
        room -= len(part.encode())
        parts.append(part)
    return Notification(
        account_id=account_id, outcome="digest", subject=subject, text="\n\n".join(parts)
    )


def _sort(findings: Iterable[Finding], since: datetime) -> Mapping[str, Mapping[str, Certificates]]:
    """Return certificates by heading and account; the findings of several standards are one."""
    standing: dict[str, dict[str, Certificates]] = defaultdict(lambda: defaultdict(dict))
    for finding in findings:
        if heading := _find_heading(finding, since):
            fields = finding.user_defined_fields
            references = fields.get(REFERENCES_FIELD, "")
            same = (name_certificate(finding), fields.get(CERTIFICATE_ID_FIELD, UNKNOWN_ID))
            standing[heading][finding.account_id][same] = references
    return standing


def _find_heading(finding: Finding, since: datetime) -> str | None:
    if is_left_open(finding):
        return find_open_outcome(finding) or PENDING
    checked_at = read_checked_at(finding)
    if is_closed_by_us(finding) and checked_at and checked_at >= since:
        return read_outcome(finding)
    return None


def _describe_counts(counts: Mapping[str, int], since: datetime) -> Iterator[str]:
    for heading, count in counts.items():
        period = f" since {since:%Y-%m-%d %H:%M} UTC" if heading in RESOLVING else ""
        yield f"- {HEADINGS[heading]}{period}: {count}"


def _list_certificates(heading: Outcome, accounts: Mapping[str, Certificates], room: int) -> str:
    parts = [f"{HEADINGS[heading].capitalize()}:"]
    entries = list(_describe_certificates(heading, accounts))
    for shown, entry in enumerate(entries):
        room -= len(entry.encode()) + len("\n")
        if room < 0:
            parts.append(f"… and {len(entries) - shown} more: see their findings in Security Hub.")
            break
        parts.append(entry)
    return "\n".join(parts)


def _describe_certificates(heading: Outcome, accounts: Mapping[str, Certificates]) -> Iterator[str]:
    """Return an entry for each certificate; the first of an account says which account."""
    for account_id, certificates in sorted(accounts.items()):
        title = f"Account {account_id} ({len(certificates)}):\n"
        for (name, _), references in sorted(certificates.items()):
            reason = references if heading in {Outcome.IN_USE, Outcome.UNVERIFIED} else ""
            yield f"{title}- {_join(name, reason)}"
            title = ""


def _join(name: str, reason: str) -> str:
    lines: Sequence[str] = (fit_words(name, NAME_LENGTH), fit_words(reason, REFERENCES_LENGTH))
    return ": ".join(" ".join(one.split()) for one in lines if one)

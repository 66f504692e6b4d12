"""The plan as a page."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

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
from models.expiry import MOVE_TO_ACM
from models.outcome import Outcome
from models.plan import (
    SHOWN_OUTCOMES,
    AccountPlan,
    PlannedCertificate,
    count_outcomes,
    find_next_to_expire,
    find_start,
    list_certificates,
)
from models.reference import Coverage

TONES: Mapping[Outcome, Tone] = {
    Outcome.WOULD_DELETE: Tone.ACT,
    Outcome.IN_USE: Tone.WARN,
    Outcome.UNVERIFIED: Tone.WARN,
    Outcome.IN_GRACE_PERIOD: Tone.KEEP,
    Outcome.EXEMPT: Tone.KEEP,
    Outcome.NOT_EXPIRED: Tone.GOOD,
}
NOTHING_REFERS = "nothing refers to it"
REPLACE = f"Replace it where it is used. {MOVE_TO_ACM}"


def compose_plan_page(plans: Sequence[AccountPlan]) -> Page:
    """Return the plans of accounts as one page."""
    return Page(
        title="What IAM.26 remediation would do",
        generated_at=find_start(plans),
        summary=describe_summary(plans),
        counts=_count(plans),
        facts=tuple(_describe_facts(plans)),
        warnings=tuple(_list_warnings(plans)),
        tables=(
            _list_certificates(plans),
            _list_references(plans),
            _list_evidence(plans),
        ),
    )


def describe_summary(plans: Sequence[AccountPlan]) -> str:
    """Return `2 would be deleted, 5 in use, 14 valid; next to expire: web (2026-12-24)`."""
    told = describe_counts(_count(plans))
    if not told:
        failed = sum(plan.error is not None for plan in plans)
        return "Nothing is known." if failed == len(plans) else "No server certificates in IAM."
    following = [
        f"{one.name}{f' in {account}' if len(plans) > 1 else ''} ({one.expires:%Y-%m-%d})"
        for account, one in find_next_to_expire(plans)
    ]
    return f"{told}; next to expire: {', '.join(following)}." if following else f"{told}."


def _count(plans: Sequence[AccountPlan]) -> tuple[Count, ...]:
    return compose_counts(count_outcomes(list_certificates(plans)), SHOWN_OUTCOMES, TONES)


def _describe_facts(plans: Sequence[AccountPlan]) -> Iterator[tuple[str, str]]:
    yield ("Account" if len(plans) == 1 else "Accounts", ", ".join(one.account for one in plans))
    yield "Looked at", format_time(find_start(plans))
    if any(one.outcome is Outcome.IN_USE for one in list_certificates(plans)):
        yield "What is in use", REPLACE
    yield "Regions read", _join(region for plan in plans for region in plan.regions)
    if left_out := _join(region for plan in plans for region in plan.regions_out_of_scope):
        yield "Regions out of scope", left_out
    if closed := _join(region for plan in plans for region in plan.regions_not_enabled):
        yield "Regions not enabled", closed


def _list_warnings(plans: Sequence[AccountPlan]) -> Iterator[str]:
    for plan in plans:
        if plan.error:
            yield f"Account {plan.account} was not looked at: {plan.error}"
    for plan in plans:
        where = f" in account {plan.account}" if len(plans) > 1 else ""
        if plan.gaps:
            yield f"Not read{where}: {'; '.join(plan.gaps)}."
    yield from dict.fromkeys(text for plan in plans for text in plan.advice)


def _list_certificates(plans: Sequence[AccountPlan]) -> Table:
    return _compose_table(
        plans,
        lambda plan: map(_describe_certificate, plan.certificates),
        id="certificates",
        heading="Certificates",
        columns=(
            Column("Certificate"),
            Column("Expires"),
            Column("Outcome"),
            Column("Why", is_wide=True),
        ),
        empty="There are no server certificates in IAM.",
    )


def _describe_certificate(one: PlannedCertificate) -> tuple[Cell, ...]:
    expires = f"{one.expires:%Y-%m-%d}" if one.expires else "unknown"
    return (
        say(one.name, one.id),
        say(expires, key=one.expires.isoformat() if one.expires else ""),
        say(SHOWN_OUTCOMES[one.outcome], tone=TONES[one.outcome]),
        say(*_explain(one)),
    )


def _explain(one: PlannedCertificate) -> tuple[str, ...]:
    """Return what decides, without what the other columns say."""
    match one.outcome:
        case Outcome.WOULD_DELETE:
            return (NOTHING_REFERS,)
        case Outcome.IN_USE:
            return one.references
        case Outcome.NOT_EXPIRED:
            return one.references or (NOTHING_REFERS,)
        case Outcome.UNVERIFIED if one.gaps:
            return tuple(f"not known: {gap}" for gap in one.gaps)
        case _:
            return (one.reason,)


def _list_references(plans: Sequence[AccountPlan]) -> Table:
    return _compose_table(
        plans,
        lambda plan: (
            (say(one.name, one.id), say(reference))
            for one in plan.certificates
            for reference in one.references
        ),
        id="references",
        heading="References",
        columns=(Column("Certificate"), Column("Is referred to by", is_wide=True)),
        empty="Nothing that was read refers to any of them.",
    )


def _list_evidence(plans: Sequence[AccountPlan]) -> Table:
    return _compose_table(
        plans,
        lambda plan: map(_describe_coverage, plan.evidence),
        id="evidence",
        heading="Evidence",
        columns=(
            Column("Source", is_wide=True),
            Column("Region"),
            Column("State"),
            Column("Examined"),
            Column("At"),
        ),
        empty="Nothing could be read.",
    )


def _describe_coverage(one: Coverage) -> tuple[Cell, ...]:
    return (
        say(one.source),
        say(one.region),
        say(one.state),
        say(str(one.examined)),
        say(f"{one.checked_at:%Y-%m-%d %H:%M:%S} UTC", key=one.checked_at.isoformat()),
    )


def _compose_table(
    plans: Sequence[AccountPlan],
    list_rows: Callable[[AccountPlan], Iterable[tuple[Cell, ...]]],
    *,
    id: str,  # noqa: A002 - as the table calls it
    heading: str,
    columns: tuple[Column, ...],
    empty: str,
) -> Table:
    """Return a table of what each plan has; of several accounts it says which."""
    several = len(plans) > 1
    return Table(
        id=id,
        heading=heading,
        columns=(Column("Account"), *columns) if several else columns,
        rows=tuple(
            (say(plan.account), *row) if several else row
            for plan in plans
            for row in list_rows(plan)
        ),
        empty=empty,
    )


def _join(regions: Iterable[str]) -> str:
    return ", ".join(sorted(set(regions)))

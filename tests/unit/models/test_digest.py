"""The digest: how the certificates of all accounts stand, in one message that always fits."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.aws.knobs import OWN_ACCOUNT
from models.digest import compose_digest
from models.finding import Finding
from models.outcome import Outcome
from models.report import MESSAGE_BYTES, SUBJECT_LENGTH, Notification
from tests.builders import NOW, OTHER_ACCOUNT, make_arn, make_finding

SINCE = NOW - timedelta(days=1)
CHECKED = NOW - timedelta(hours=3)
OPEN = [
    Outcome.WOULD_DELETE,
    Outcome.NOT_EXPIRED,
    Outcome.IN_GRACE_PERIOD,
    Outcome.EXEMPT,
    Outcome.IN_USE,
    Outcome.UNVERIFIED,
]
CLOSED = [Outcome.DELETED, Outcome.ALREADY_GONE]


def make_told(
    outcome: str, name: str = "web", *, account_id: str = OWN_ACCOUNT, refers: str = "", **more: Any
) -> Finding:
    """Return a finding that this application examined at `CHECKED`."""
    arn = make_arn(name, account_id=account_id)
    status = "RESOLVED" if outcome in CLOSED else "NOTIFIED"
    fields: dict[str, Any] = {
        "Id": f"{account_id}/{name}",
        "AwsAccountId": account_id,
        "Resources": [{"Id": arn}],
        "Workflow": {"Status": status},
        "UserDefinedFields": {
            "iam26Outcome": outcome,
            "iam26Certificate": arn,
            "iam26CheckedAt": CHECKED.isoformat(),
            "iam26References": refers,
        },
    }
    return make_finding(**fields | more)


def compose(*findings: Finding) -> Notification | None:
    return compose_digest(OWN_ACCOUNT, findings, SINCE)


def read_text(*findings: Finding) -> str:
    digest = compose(*findings)
    assert digest is not None
    return digest.text


def test_whole_message() -> None:
    """First what came of how many, then which they are, account by account, and what refers."""
    digest = compose(
        make_told("deleted", "old"),
        make_told("in-use", "shop", refers="Classic Load Balancer shop:443 in us-east-1"),
        make_told("in-use", "till", account_id=OTHER_ACCOUNT, refers="CloudFront E1"),
        make_told("in-use", "door", account_id=OTHER_ACCOUNT, refers="CloudFront E2"),
        make_told("unverified", "mail", refers="AppSync in eu-west-1: AccessDenied"),
        make_told("exempt", "kept"),
        make_finding(),
    )

    assert digest == Notification(
        account_id=OWN_ACCOUNT,
        outcome="digest",
        subject="IAM.26: 1 deleted, 3 in use, 1 unverified, 1 to be examined",
        text=f"""\
IAM.26: 1 deleted, 3 in use, 1 unverified, 1 to be examined.

- deleted since 2026-11-19 06:00 UTC: 1
- in use: 3
- kept because the proof is incomplete: 1
- exempt: 1
- to be examined: 1

Deleted:
Account {OWN_ACCOUNT} (1):
- {make_arn("old")}

In use:
Account {OWN_ACCOUNT} (1):
- {make_arn("shop")}: Classic Load Balancer shop:443 in us-east-1
Account {OTHER_ACCOUNT} (2):
- {make_arn("door", account_id=OTHER_ACCOUNT)}: CloudFront E2
- {make_arn("till", account_id=OTHER_ACCOUNT)}: CloudFront E1

Kept because the proof is incomplete:
Account {OWN_ACCOUNT} (1):
- {make_arn("mail")}: AppSync in eu-west-1: AccessDenied""",
    )


@pytest.mark.parametrize("outcome", [*OPEN, *CLOSED])
def test_every_outcome_is_counted(outcome: Outcome) -> None:
    """Whatever is written on findings counts as what it is."""
    one, two = read_text(make_told(outcome)), read_text(make_told(outcome), make_told(outcome, "b"))
    [counted] = [line for line in one.splitlines() if line.startswith("- ") and "arn:" not in line]
    assert counted.endswith(": 1")
    assert counted.removesuffix("1") + "2" in two
    assert "to be examined" not in one


@pytest.mark.parametrize("outcome", OPEN)
def test_set_back_to_new(outcome: Outcome) -> None:
    """What was found out about a certificate counts, whatever the status of its finding."""
    again = make_told(outcome, Workflow={"Status": "NEW"})
    assert read_text(again) == read_text(make_told(outcome))


@pytest.mark.parametrize(
    "finding",
    [
        make_finding(),
        make_told("nonsense"),
        make_told("deleted", Workflow={"Status": "NEW"}),
        make_told("deleted", Workflow={"Status": "NOTIFIED"}),
        make_told("deleted", UpdatedAt=(CHECKED + timedelta(days=2)).isoformat()),
        make_told("already-gone", UpdatedAt=(CHECKED + timedelta(days=2)).isoformat()),
    ],
    ids=["new", "not understood", "new again", "open again", "evaluated again", "not gone"],
)
def test_to_be_examined(finding: Finding) -> None:
    """Nobody knows yet, or any more, what comes of these, and none counts as deleted."""
    digest = compose(finding)
    assert digest is not None
    assert digest.subject == "IAM.26: 1 to be examined"
    assert "deleted" not in digest.text


@pytest.mark.parametrize(
    "finding",
    [
        make_finding(Workflow={"Status": "NOTIFIED"}),
        make_finding(Workflow={"Status": "RESOLVED"}),
        make_told("in-use", Workflow={"Status": "RESOLVED"}),
        make_told("in-use", Workflow={"Status": "SUPPRESSED"}),
        make_told("in-use", RecordState="ARCHIVED"),
        make_told("in-use", Compliance={"Status": "FAILED", "SecurityControlId": "IAM.3"}),
    ],
)
def test_is_not_ours_to_tell(finding: Finding) -> None:
    """What others took, closed or accepted is not told, and without anything there is no digest."""
    assert compose(finding) is None


@pytest.mark.parametrize("outcome", CLOSED)
@pytest.mark.parametrize(
    "checked_at", [(SINCE - timedelta(seconds=1)).isoformat(), "yesterday", "", "2026-11-20"]
)
def test_closed_before(outcome: Outcome, checked_at: str) -> None:
    """What was closed before, or nobody knows when, was told before or cannot be told."""
    fields = {"iam26Outcome": outcome, "iam26CheckedAt": checked_at}
    assert compose(make_told(outcome, UserDefinedFields=fields)) is None


def test_findings_of_several_standards_are_one_certificate() -> None:
    """A certificate counts once, however many findings are about it."""
    digest = compose(make_told("in-use", Id="cis-3"), make_told("in-use", Id="cis-5"))
    assert digest is not None
    assert digest.subject == "IAM.26: 1 in use"
    assert digest.text.count("arn:aws:iam") == 1


def test_nothing_to_do() -> None:
    """Certificates that are rightly kept are counted, and the subject asks nobody to look."""
    digest = compose(make_told("exempt", "a"), make_told("not-expired", "b"))
    assert digest is not None
    assert digest.subject == "IAM.26: nothing to do"
    assert "- exempt: 1\n- not expired: 1" in digest.text


def test_every_section_gets_its_share() -> None:
    """However many were deleted, what people must look into is shown, and the rest is counted."""
    digest = read_text(
        *(make_told("deleted", f"certificate-{number}") for number in range(2500)),
        *(make_told("in-use", f"busy-{number}", refers="x" * 250) for number in range(100)),
    )
    _, deleted, in_use = digest.split("\n\n", 1)[1].split("\n\n")
    names = [line for line in deleted.splitlines() if line.startswith("- ")]
    assert deleted.splitlines()[-1] == (
        f"… and {2500 - len(names)} more: see their findings in Security Hub."
    )
    assert in_use.count("busy-") == 100
    assert "more" not in in_use
    assert len(digest.encode()) > MESSAGE_BYTES * 0.5


outcomes = st.sampled_from([*OPEN, *CLOSED, "nonsense"])
characters = st.sampled_from(["a", "é", "𝄞", "\n", " "])
groups = st.tuples(outcomes, characters, st.integers(0, 3000), st.integers(1, 150))


@settings(deadline=None)
@given(st.lists(groups, max_size=6))
def test_always_fits(groups: list[tuple[str, str, int, int]]) -> None:
    """However many, however long and in whatever letters: SNS takes subject and text."""
    findings = [
        told.model_copy(
            update={
                "account_id": f"{number % 7:012}",
                "user_defined_fields": told.user_defined_fields
                | {"iam26Certificate": f"{group}-{number}-{character * length}"},
            }
        )
        for group, (outcome, character, length, count) in enumerate(groups)
        for told in [make_told(outcome, refers=character * length)]
        for number in range(count)
    ]

    digest = compose(*findings)

    assert (digest is None) is (not findings)
    if digest:
        assert len(digest.text.encode()) <= MESSAGE_BYTES - 1024
        assert len(digest.subject) <= SUBJECT_LENGTH
        assert digest.subject.isascii()
        assert digest.subject.isprintable()

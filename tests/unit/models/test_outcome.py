"""Outcomes: their row of the table, and how they are written where people look."""

import itertools
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.certificate import CertificateIdentifier
from models.conclusions import (
    conclude_accepted,
    conclude_conflict,
    conclude_dangling,
    conclude_deletable,
    conclude_exempt,
    conclude_gaps,
    conclude_in_grace,
    conclude_in_use,
    conclude_moved,
    conclude_valid,
    unverified,
)
from models.expiry import MOVE_TO_ACM
from models.finding import WorkflowStatus
from models.outcome import UPDATED_BY, Conclusion, Outcome
from models.proof import Candidate, prove
from models.reference import Coverage, Gap, GapKind
from models.report import describe_fields, merge_fields
from models.settings import Settings
from tests.builders import (
    CERTIFICATE_ID,
    EXPIRATION,
    NOW,
    make_arn,
    make_certificate,
    make_finding,
    make_reference,
    make_references,
    make_report,
)

LONG_NAME = "n" * 128
LONG_PATH = "/" + "p" * 498 + "/"
HOLDERS = [f"Load balancer listener edge-{n:02}:443 in eu-central-1" for n in range(25)]
GAPS = [
    Gap(
        source="Elastic Beanstalk", region=f"eu-west-{n}", cause="AccessDenied", kind=GapKind.DENIED
    )
    for n in range(25)
]
NOTIFYING = (Outcome.DELETED, Outcome.WOULD_DELETE, Outcome.IN_USE, Outcome.UNVERIFIED)

item_lists = st.lists(st.text("ab ", min_size=1, max_size=400), min_size=1, max_size=30)


def conclude_with_gaps(*gaps: Gap) -> Conclusion:
    return conclude_gaps(make_certificate(LONG_NAME), make_references(gaps=gaps))


def make_coverage(**overrides: Any) -> Coverage:
    fields = {"source": "x", "region": "us-east-1", "checked_at": NOW}
    return Coverage.model_validate(fields | overrides)


def in_grace(days: int, expiration: datetime = EXPIRATION) -> Conclusion:
    certificate = make_certificate(expiration=expiration)
    settings = Settings(grace_period_days=days)
    return conclude_in_grace(certificate, settings, until=expiration + settings.grace_period)


def exempt(key: str) -> Conclusion:
    return conclude_exempt(make_certificate(), Settings(exempt_tag_key=key), value="")


def valid(days: int) -> Conclusion:
    return conclude_valid(make_certificate(expiration=NOW + timedelta(days=days)))


class TestTable:
    """The outcome table of the contract."""

    @pytest.mark.parametrize(
        ("name", "status", "notifies"),
        [
            ("deleted", WorkflowStatus.RESOLVED, True),
            ("already-gone", WorkflowStatus.RESOLVED, False),
            ("would-delete", WorkflowStatus.NOTIFIED, True),
            ("not-expired", WorkflowStatus.NOTIFIED, False),
            ("in-grace-period", WorkflowStatus.NOTIFIED, False),
            ("exempt", WorkflowStatus.NOTIFIED, False),
            ("in-use", WorkflowStatus.NOTIFIED, True),
            ("unverified", WorkflowStatus.NOTIFIED, True),
            ("refused", None, False),
        ],
    )
    def test_row(self, name: str, status: WorkflowStatus | None, *, notifies: bool) -> None:
        """Each outcome has the workflow status of its row, and notifies as its row says."""
        outcome = Outcome(name)
        assert outcome.workflow_status is status
        assert outcome.notifies is notifies

    def test_all_rows(self) -> None:
        """There are nine outcomes, and all but `refused` move a finding out of NEW."""
        assert len(Outcome) == 9
        statuses = {one.workflow_status for one in Outcome if one is not Outcome.REFUSED}
        assert statuses == {WorkflowStatus.RESOLVED, WorkflowStatus.NOTIFIED}

    def test_name_of_who_updates(self) -> None:
        """Notes are signed with the name of the application."""
        assert UPDATED_BY == "iam26-remediation"


class TestNote:
    """The note on a finding."""

    def test_names_every_holder_that_fits(self) -> None:
        """A few holders are all named, followed by what to do."""
        note = conclude_in_use(make_certificate("web"), HOLDERS[:2], "examined a lot").note
        assert note == (
            "Kept: certificate web expired on 2026-10-21, but it is in use by "
            "Load balancer listener edge-00:443 in eu-central-1; "
            "Load balancer listener edge-01:443 in eu-central-1. Replace it there first. "
            f"{MOVE_TO_ACM}"
        )

    @pytest.mark.parametrize("name", ["web", LONG_NAME])
    def test_many_holders(self, name: str) -> None:
        """Of 25 holders the first are named whole, the rest is counted, and the advice stays."""
        note = conclude_in_use(make_certificate(name), HOLDERS, "examined a lot").note
        assert len(note) <= 512
        assert f"{HOLDERS[0]}; {HOLDERS[1]}; " in note
        assert note.endswith(" more. Replace it there first.")
        shown = note.count("Load balancer listener")
        assert f"; and {25 - shown} more." in note

    @pytest.mark.parametrize("message", ["in use by arn:aws:elasticloadbalancing:lb", "in use"])
    def test_a_conflict_says_where_to_move(self, message: str) -> None:
        """IAM's own words come first, and how to move to ACM follows where there is room."""
        note = conclude_conflict(make_certificate("web"), message, "examined a lot").note
        assert note.index(message) < note.index(MOVE_TO_ACM)
        assert note.endswith(MOVE_TO_ACM)

    def test_many_gaps(self) -> None:
        """Of 25 gaps the first are named, the rest is counted, and the advice stays."""
        note = conclude_with_gaps(*GAPS).note
        assert len(note) <= 512
        assert f"{GAPS[0]}; " in note
        assert " more. Grant the role the missing permission" in note

    def test_long_arns(self) -> None:
        """Two ARNs of 500-character paths are cut, so that the note still says what is wrong."""
        certificate = make_certificate(LONG_NAME, path=LONG_PATH)
        identifier = CertificateIdentifier.parse(make_arn(LONG_NAME, path="/new" + LONG_PATH))
        assert identifier is not None
        conclusion = conclude_moved(certificate, identifier)
        assert len(conclusion.note) <= 512
        assert conclusion.note.startswith(f"Kept: certificate {LONG_NAME} is not where")
        assert "…; and 1 more." in conclusion.note
        assert conclusion.note.endswith("Security Hub raises a new finding for it.")

    def test_long_names_in_every_holder(self) -> None:
        """A dangling holder with a long ARN leaves a note that still says what to do."""
        held = make_arn(LONG_NAME, path=LONG_PATH)
        dangling = (make_reference(held), make_reference(held, holder="b:1"))
        references = make_references(*dangling)
        conclusion = conclude_dangling(make_certificate(LONG_NAME[1:]), dangling, references)
        assert len(conclusion.note) <= 512
        assert "Classic Load Balancer b:1 in us-east-1 names arn:aws:iam" in conclusion.note
        assert conclusion.note.endswith("Point the resource at a certificate that exists.")

    def test_long_tag_key(self) -> None:
        """A tag key and a name of 128 characters each leave a note that fits."""
        settings = Settings(exempt_tag_key="k" * 128)
        note = conclude_exempt(make_certificate(LONG_NAME), settings, value="v" * 256).note
        assert len(note) <= 512
        assert "k" * 128 in note
        assert note.endswith("v…). Remove the tag if it need not be kept.")

    def test_tag_value(self) -> None:
        """The value of the tag, which may say why, is in the note on one line."""
        note = conclude_exempt(make_certificate(), Settings(), value="CHG-7,\n  until May").note
        assert "carries the tag iam26:keep (CHG-7, until May). Remove" in note

    @given(
        lead=st.text("ab ", min_size=1, max_size=700),
        items=item_lists | st.just([]),
        details=st.lists(st.text("ab ", max_size=300), max_size=3),
    )
    def test_always_fits(self, lead: str, items: list[str], details: list[str]) -> None:
        """Whatever it says, a note has between 1 and 512 characters and begins with its lead."""
        conclusion = Conclusion(
            outcome=Outcome.UNVERIFIED, lead=lead, items=tuple(items), details=tuple(details)
        )
        assert 1 <= len(conclusion.note) <= 512
        assert conclusion.note.startswith(lead[:255].rstrip())


class TestReferencesField:
    """What refers to a certificate, as it stands in a user-defined field."""

    def test_lists_what_refers_to_it(self) -> None:
        """A list that fits is there as it is."""
        conclusion = conclude_in_use(make_certificate(), HOLDERS[:2], "examined a lot")
        assert conclusion.references_field == f"{HOLDERS[0]}; {HOLDERS[1]}"

    def test_tells_what_was_examined(self) -> None:
        """Where nothing refers to a certificate, the field tells what was examined."""
        conclusion = Conclusion(outcome=Outcome.DELETED, lead="Deleted.", examined="examined 3")
        assert conclusion.references_field == "examined 3"

    def test_never_empty(self) -> None:
        """Without a scan the field says so, because AWS takes no empty value."""
        assert Conclusion(outcome=Outcome.EXEMPT, lead="Kept.").references_field

    def test_same_set_same_text(self) -> None:
        """Two scans that find the same holders or gaps in another order give the same text."""
        found = [make_reference(make_arn(LONG_NAME), holder=f"edge-{n}:443") for n in range(60)]
        identifier = CertificateIdentifier.parse(LONG_NAME)
        assert identifier is not None
        candidate = Candidate(make_certificate(LONG_NAME), identifier, {})
        texts = set()
        for order in (found, found[::-1], found * 2):
            one = prove(candidate, make_references(*order), (), Settings(), NOW)
            assert isinstance(one, Conclusion)
            texts.add(one.references_field)
        assert len(texts) == 1
        assert (
            conclude_with_gaps(*GAPS).references_field
            == conclude_with_gaps(*GAPS[::-1]).references_field
        )

    def test_different_sets_different_texts(self) -> None:
        """Sets that differ only in what is cut off still give different texts."""
        many = [f"{HOLDERS[0]} number {n:03}" for n in range(40)]
        sets = [many, [*many[:-1], "another"], many[:-1], [*many, "one more"]]
        texts = [
            conclude_in_use(make_certificate(), one, "examined a lot").references_field
            for one in sets
        ]
        assert all(len(one) <= 1024 for one in texts)
        assert all(one != other for one, other in itertools.combinations(texts, 2))

    def test_one_item_that_is_too_long(self) -> None:
        """A single item longer than a field is cut, and still differs from its like."""
        texts = {unverified("Kept:", ["x" * 2000 + end]).references_field for end in ("", "a", "b")}
        assert len(texts) == 3
        assert all(len(one) <= 1024 for one in texts)

    @given(item_lists, item_lists)
    def test_always_fits(self, items: list[str], others: list[str]) -> None:
        """A text has at most 1024 characters, and is the same exactly where the items are."""
        text = unverified("Kept:", items).references_field
        other = unverified("Kept:", others).references_field
        assert 1 <= len(text) <= 1024
        assert (text == other) == (items == others)


class TestUnchanged:
    """Whether a finding already says an outcome."""

    def test_new_finding(self) -> None:
        """A finding that carries nothing of ours says nothing."""
        assert not make_report().conclusion.is_written_on(make_finding(), CERTIFICATE_ID)

    @pytest.mark.parametrize(
        "conclusion",
        [
            conclude_in_use(make_certificate(), HOLDERS, "examined a lot"),
            unverified("Kept:", [str(one) for one in GAPS]),
            Conclusion(outcome=Outcome.NOT_EXPIRED, lead="Kept."),
        ],
    )
    def test_what_was_written(self, conclusion: Conclusion) -> None:
        """A finding says what was written on it, at whatever time that was."""
        fields = describe_fields(make_report(conclusion=conclusion), NOW)
        assert conclusion.is_written_on(
            make_finding(UserDefinedFields={"a": "b"} | fields), CERTIFICATE_ID
        )
        fields["iam26CheckedAt"] = "2026-01-01T00:00:00Z"
        assert conclusion.is_written_on(make_finding(UserDefinedFields=fields), CERTIFICATE_ID)

    def test_counts_do_not_matter(self) -> None:
        """The same outcome with other counts is nothing new."""
        fields = {
            "iam26Outcome": "would-delete",
            "iam26CertificateId": CERTIFICATE_ID,
            "iam26References": "examined 3 resources",
        }
        conclusion = Conclusion(outcome=Outcome.WOULD_DELETE, lead="x", examined="examined 4")
        assert conclusion.is_written_on(make_finding(UserDefinedFields=fields), CERTIFICATE_ID)

    def test_advice_does_not_matter(self) -> None:
        """The same gaps in other words are nothing new."""
        fields = describe_fields(make_report(conclusion=unverified("Kept:", ["a gap"])), NOW)
        conclusion = unverified("Kept, in other words:", ["a gap"], "Do something.")
        assert conclusion.is_written_on(make_finding(UserDefinedFields=fields), CERTIFICATE_ID)

    @pytest.mark.parametrize("items", [HOLDERS[:1], HOLDERS[1:], [*HOLDERS, "one more"], []])
    def test_other_referrers(self, items: list[str]) -> None:
        """Other referrers are news, also where they would be cut off."""
        written = conclude_in_use(make_certificate(), HOLDERS, "examined a lot")
        fields = describe_fields(make_report(conclusion=written), NOW)
        if not items:
            del fields["iam26References"]
        now = conclude_in_use(make_certificate(), items or HOLDERS, "examined a lot")
        assert not now.is_written_on(make_finding(UserDefinedFields=fields), CERTIFICATE_ID)

    def test_other_outcome(self) -> None:
        """Another outcome is news, even about the same items."""
        fields = describe_fields(make_report(), NOW)
        conclusion = unverified("Kept:", HOLDERS[:1])
        assert not conclusion.is_written_on(make_finding(UserDefinedFields=fields), CERTIFICATE_ID)

    @pytest.mark.parametrize("others", [50, 49, 48, 47])
    def test_no_room_for_our_fields(self, others: int) -> None:
        """Where others left no room for our fields, our note tells, if it is ours."""
        conclusion = make_report().conclusion
        theirs = {f"field{number}": "" for number in range(others)}
        fields = merge_fields(theirs, describe_fields(make_report(), NOW))
        note = {"Text": conclusion.note, "UpdatedBy": UPDATED_BY}
        written = make_finding(UserDefinedFields=fields, Note=note)
        assert conclusion.is_written_on(written, CERTIFICATE_ID)
        for changed in ({"Text": "another"}, {"UpdatedBy": "a person"}):
            finding = make_finding(UserDefinedFields=fields, Note=note | changed)
            assert conclusion.is_written_on(finding, CERTIFICATE_ID) == (others == 47)

    def test_counts_do_not_matter_without_room(self) -> None:
        """Where only our note tells, other counts of what was examined are no news either."""
        theirs = {f"field{number}": "" for number in range(50)}
        one, other = (
            conclude_deletable(
                make_certificate(),
                make_references(coverage=(make_coverage(examined=count),)),
                archived_as=None,
            )
            for count in (1, 22)
        )
        note = {"Text": one.note, "UpdatedBy": UPDATED_BY}
        assert one.note != other.note
        finding = make_finding(UserDefinedFields=theirs, Note=note)
        assert other.is_written_on(finding, CERTIFICATE_ID)

    @pytest.mark.parametrize("known", [None, "ASCAEARLIER0000000001"])
    def test_another_certificate_of_the_name(self, known: str | None) -> None:
        """The same outcome about another certificate is news."""
        conclusion = Conclusion(outcome=Outcome.DELETED, lead="Deleted.")
        report = make_report(conclusion=conclusion, certificate_id=known)
        written = make_finding(UserDefinedFields=describe_fields(report, NOW))
        assert conclusion.is_written_on(written, known)
        assert not conclusion.is_written_on(written, CERTIFICATE_ID)

    @pytest.mark.parametrize(
        ("then", "now"),
        [
            (in_grace(days=30), in_grace(days=40)),
            (in_grace(days=30), in_grace(days=30, expiration=EXPIRATION + timedelta(days=1))),
            (exempt("keep"), exempt("keep-me")),
            (exempt("keep"), conclude_accepted(make_certificate(), "finding/2")),
            (valid(90), valid(91)),
        ],
        ids=["grace", "expiry", "tag", "suppressed", "renewed again"],
    )
    def test_other_promise(self, then: Conclusion, now: Conclusion) -> None:
        """A note that promises another date, period, tag or finding is news."""
        fields = describe_fields(make_report(conclusion=then), NOW)
        finding = make_finding(UserDefinedFields=fields)
        assert then.is_written_on(finding, CERTIFICATE_ID)
        assert not now.is_written_on(finding, CERTIFICATE_ID)

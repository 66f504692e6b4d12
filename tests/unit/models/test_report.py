"""The report: fields on findings, and messages to people."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.aws.knobs import OWN_ACCOUNT
from models.outcome import Conclusion, Outcome
from models.report import compose_notification, describe_fields, merge_fields
from tests.builders import CERTIFICATE_ID, NOW, make_arn, make_report

LONG_NAME = "n" * 128
LONG_PATH = "/" + "p" * 498 + "/"
HOLDERS = [f"Load balancer listener edge-{n:02}:443 in eu-central-1" for n in range(25)]
NOTIFYING = (Outcome.DELETED, Outcome.WOULD_DELETE, Outcome.IN_USE, Outcome.UNVERIFIED)


class TestFields:
    """The user-defined fields."""

    def test_ours(self) -> None:
        """A report is five fields, with the time in UTC to the second."""
        checked_at = datetime(2026, 11, 20, 6, 0, 1, 999999, tzinfo=UTC)
        assert describe_fields(make_report(), checked_at) == {
            "iam26Outcome": "in-use",
            "iam26Certificate": make_arn("web"),
            "iam26CertificateId": CERTIFICATE_ID,
            "iam26CheckedAt": "2026-11-20T06:00:01Z",
            "iam26References": HOLDERS[0],
        }

    def test_certificate_that_is_not_known(self) -> None:
        """Where there is no ARN, what the finding names stands in its place, cut if need be."""
        report = make_report(arn=None, resource_id="x" * 5000)
        assert len(describe_fields(report, NOW)["iam26Certificate"]) <= 1024

    def test_theirs_are_kept(self) -> None:
        """Fields of others stay, and ours replace what we wrote before."""
        theirs = {"ticket": "SEC-1", "iam26Outcome": "in-use"}
        merged = merge_fields(theirs, {"iam26Outcome": "deleted", "iam26References": "none"})
        assert merged == {"ticket": "SEC-1", "iam26Outcome": "deleted", "iam26References": "none"}

    @given(
        theirs=st.integers(0, 50),
        replaced=st.booleans(),
    )
    def test_at_most_fifty(self, theirs: int, *, replaced: bool) -> None:
        """There are never more than 50 fields, and theirs are always among them."""
        ours = describe_fields(make_report(), NOW)
        others = {f"field{number}": str(number) for number in range(theirs)}
        before = others | (dict.fromkeys(ours, "old") if replaced and theirs <= 46 else {})
        merged = merge_fields(before, ours)
        assert len(merged) == min(50, theirs + len(ours))
        assert merged.items() >= others.items()
        assert "old" not in merged.values()

    def test_the_outcome_comes_first(self) -> None:
        """Where there is room for one field, it is the outcome."""
        theirs = {f"field{number}": "" for number in range(49)}
        merged = merge_fields(theirs, describe_fields(make_report(), NOW))
        assert merged == theirs | {"iam26Outcome": "in-use"}

    def test_nothing_is_changed_in_place(self) -> None:
        """The fields of the finding itself stay as they are."""
        theirs = {"iam26Outcome": "in-use"}
        merge_fields(theirs, {"iam26Outcome": "deleted"})
        assert theirs == {"iam26Outcome": "in-use"}


class TestNotification:
    """The message for people."""

    @pytest.mark.parametrize("outcome", NOTIFYING)
    @pytest.mark.parametrize("count", [1, 2, 5000])
    def test_fits(self, outcome: Outcome, count: int) -> None:
        """Subject and text fit what SNS takes, for one report and for 5,000."""
        conclusion = Conclusion(
            outcome=outcome, lead=f"Kept: {LONG_NAME} is used by", items=tuple(HOLDERS)
        )
        arn = make_arn(LONG_NAME, path=LONG_PATH)
        report = make_report(arn=arn, conclusion=conclusion)
        message = compose_notification(OWN_ACCOUNT, outcome, [(report, ["finding"] * 2)] * count)
        assert 1 <= len(message.subject) <= 100
        assert message.subject.isascii()
        assert message.subject.isprintable()
        assert len(message.text.encode()) <= 256 * 1024

    def test_lists_certificates(self) -> None:
        """The text names each certificate, says what came of it and names its findings."""
        reports = [(make_report("web"), ["finding/1", "finding/2"]), (make_report("api"), ["f/3"])]
        message = compose_notification(OWN_ACCOUNT, Outcome.IN_USE, reports)
        assert (
            message.subject == f"IAM.26: 2 certificates expired but in use in account {OWN_ACCOUNT}"
        )
        assert (message.account_id, message.outcome) == (OWN_ACCOUNT, Outcome.IN_USE)
        for report, finding_ids in reports:
            assert f"- {report.arn}\n  {report.conclusion.note}\n" in message.text
            assert all(f"  Finding: {one}\n" in message.text for one in finding_ids)

    def test_counts_what_it_leaves_out(self) -> None:
        """Of 5,000 certificates as many as fit are listed, and the others are counted."""
        message = compose_notification(OWN_ACCOUNT, Outcome.IN_USE, [(make_report(), ["f"])] * 5000)
        shown = message.text.count("  Finding: ")
        assert shown > 700
        assert message.text.endswith(
            f"… and {5000 - shown} more: see their findings in Security Hub."
        )

    def test_fits_to_the_last_byte(self) -> None:
        """However the last certificate that fits meets the limit, the text stays within it."""
        finding_ids = [f"finding/{number:04}" for number in range(500)]
        for length in range(0, 12_000, 50):
            reports = [
                (make_report(), ["f" * length]),
                *[(make_report(f"web-{number}"), finding_ids) for number in range(30)],
            ]
            message = compose_notification(OWN_ACCOUNT, Outcome.IN_USE, reports)
            assert len(message.text.encode()) <= 256 * 1024
            assert "more: see their findings" in message.text

    def test_one_certificate(self) -> None:
        """One certificate is counted in the singular."""
        message = compose_notification(OWN_ACCOUNT, Outcome.DELETED, [(make_report(), ["f"])])
        assert message.subject == f"IAM.26: 1 certificate deleted in account {OWN_ACCOUNT}"

    def test_certificate_without_arn(self) -> None:
        """A certificate that is not known is named as its finding names it."""
        report = make_report(arn=None, resource_id="AWS::::Account:1")
        message = compose_notification(OWN_ACCOUNT, Outcome.UNVERIFIED, [(report, ["f"])])
        assert "- AWS::::Account:1\n" in message.text

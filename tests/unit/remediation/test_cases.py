"""A finding on its way: it arrives, is grouped by its certificate, and ends as a case."""

from collections.abc import Sequence

import pytest

from handlers.remediation.cases import (
    Arrival,
    Case,
    Postponed,
    Subject,
    attempt,
    group_by_certificate,
)
from local.aws.knobs import OWN_ACCOUNT
from models.certificate import ServerCertificate
from models.conclusions import conclude_refused
from models.errors import AwsCallError, TransientError
from models.outcome import Conclusion, Outcome
from tests.builders import CERTIFICATE_ID, OTHER_ACCOUNT, make_arn, make_certificate, make_finding
from tests.fakes import make_arrival, make_subject
from tests.unit.remediation.conftest import ReadLog

VERDICT = conclude_refused("it is a test")
POSTPONED = Postponed(TransientError("throttled"))


def arrive(*resource_ids: str) -> list[Arrival]:
    """Return the arrival of a finding for each resource id, in order."""
    return [
        make_arrival(make_finding(Id=f"finding/{number}", Resources=[{"Id": one}]))
        for number, one in enumerate(resource_ids, 1)
    ]


def group(
    resource_ids: Sequence[str], certificates: Sequence[ServerCertificate]
) -> tuple[list[list[str]], list[Subject], list[Case]]:
    """Return the finding ids of each subject, the subjects, and the cases that are no subject."""
    subjects, untrusted = group_by_certificate(arrive(*resource_ids), certificates, "aws")
    ids = [[finding.id for finding in subject.findings] for subject in subjects]
    return ids, subjects, untrusted


class TestGroup:
    """Findings about one certificate are one decision."""

    def test_every_form_means_the_same(self) -> None:
        """ARN, id and name of one certificate are one subject, which has the certificate."""
        certificate, other = make_certificate(), make_certificate("web", id="ASCAOTHER00000000001")

        ids, subjects, untrusted = group(
            [make_arn(), "web", CERTIFICATE_ID, "example-cert", make_arn(path="/")],
            [other, certificate],
        )

        assert ids == [["finding/1", "finding/3", "finding/4", "finding/5"], ["finding/2"]]
        assert [one.certificate for one in subjects] == [certificate, other]
        assert [one.identifier.text for one in subjects] == [CERTIFICATE_ID, "web"]
        assert [one.account_id for one in subjects] == [OWN_ACCOUNT, OWN_ACCOUNT]
        assert untrusted == []

    def test_another_path(self) -> None:
        """An ARN with the certificate's path decides over one with another, in whichever order."""
        moved, exact = make_arn(path="/new/"), make_arn()

        ids, subjects, _ = group([moved, exact, "example-cert", moved], [make_certificate()])

        assert ids == [["finding/1", "finding/2", "finding/3", "finding/4"]]
        assert [one.identifier.text for one in subjects] == [exact]

    def test_another_path_alone(self) -> None:
        """Where no finding names the certificate as it is, the subject does not either."""
        moved = make_arn(path="/new/")
        [subject] = group([moved, moved], [make_certificate()])[1]
        assert subject.identifier.text == moved

    @pytest.mark.parametrize("by_id", [CERTIFICATE_ID, make_arn(CERTIFICATE_ID)])
    def test_id_decides(self, by_id: str) -> None:
        """A finding that names the id decides over those that name name or path, in any order."""
        names = [make_arn(path="/new/"), make_arn(), "example-cert"]
        for order in ([*names, by_id], [by_id, *names]):
            [subject] = group(order, [make_certificate()])[1]
            assert subject.identifier.text == by_id
            assert len(subject.arrivals) == 4

    @pytest.mark.parametrize("named", [CERTIFICATE_ID, make_arn(CERTIFICATE_ID)])
    def test_ambiguous(self, named: str) -> None:
        """What is one certificate's id and another one's name is not guessed."""
        other = make_certificate(CERTIFICATE_ID, id="ASCAOTHER000000000001")

        ids, _, [case] = group([named, make_arn()], [other, make_certificate()])

        assert ids == [["finding/2"]]
        assert isinstance(case.verdict, Conclusion)
        assert case.verdict.outcome is Outcome.UNVERIFIED
        assert {"ASCAOTHER000000000001", "example-cert"} <= set(
            case.verdict.note.replace("(", " ").replace(")", " ").split()
        )

    def test_gone_ones_stay_apart(self) -> None:
        """The archive vouches finding by finding, so each that has no certificate is alone."""
        ids, subjects, _ = group([make_arn(), make_arn(), CERTIFICATE_ID], [])

        assert ids == [["finding/1"], ["finding/2"], ["finding/3"]]
        assert [one.certificate for one in subjects] == [None, None, None]

    def test_untrusted(self) -> None:
        """A finding that names no certificate to be trusted is a case at once, and no other is."""
        foreign = make_arn(account_id=OTHER_ACCOUNT)

        ids, _, untrusted = group([foreign, make_arn(), "two words"], [make_certificate()])

        assert ids == [["finding/2"]]
        assert [case.findings[0].id for case in untrusted] == ["finding/1", "finding/3"]
        for case in untrusted:
            assert isinstance(case.verdict, Conclusion)
            assert case.verdict.outcome is Outcome.UNVERIFIED
            assert (case.arn, case.certificate_id) == (None, None)

    def test_partition(self) -> None:
        """An ARN of another partition than ours is not trusted."""
        subjects, untrusted = group_by_certificate(arrive(make_arn()), [], "aws-cn")
        assert (subjects, len(untrusted)) == ([], 1)


class TestCase:
    """What came of findings."""

    @pytest.mark.parametrize(
        ("resource_id", "arn"),
        [(make_arn(), make_arn()), (CERTIFICATE_ID, None), ("two words", None)],
    )
    def test_of_a_finding(self, resource_id: str, arn: str | None) -> None:
        """A finding whose certificate was not looked for keeps the ARN that it names, if any."""
        [arrival] = arrive(resource_id)

        case = Case.of(arrival, VERDICT)

        assert (case.arrivals, case.verdict) == ((arrival,), VERDICT)
        assert (case.arn, case.certificate_id) == (arn, None)
        assert (case.account_id, case.findings) == (OWN_ACCOUNT, [arrival.finding])

    def test_of_a_subject(self) -> None:
        """The case of a certificate that IAM has is about what IAM has."""
        arrivals = arrive("example-cert", CERTIFICATE_ID)
        certificate = make_certificate()
        subject = make_subject(*arrivals, resource_id=make_arn(path="/"), certificate=certificate)

        case = subject.close(POSTPONED)

        assert (case.arrivals, case.verdict) == (tuple(arrivals), POSTPONED)
        assert (case.arn, case.certificate_id) == (certificate.arn, certificate.id)

    def test_of_a_subject_that_is_gone(self) -> None:
        """What the archive knows of a certificate counts before what was listed."""
        archived = make_certificate("archived", id="ASCAARCHIVED000000001")
        for listed in (None, make_certificate()):
            subject = make_subject(resource_id="example-cert", certificate=listed)
            case = subject.close(VERDICT, archived)
            assert (case.arn, case.certificate_id) == (archived.arn, archived.id)

    @pytest.mark.parametrize(
        ("resource_id", "arn"), [(make_arn(), make_arn()), (CERTIFICATE_ID, None), ("web", None)]
    )
    def test_of_a_subject_that_nobody_knows(self, resource_id: str, arn: str | None) -> None:
        """Where nobody knows the certificate, the case has the ARN that findings name, if any."""
        case = make_subject(resource_id=resource_id).close(VERDICT)
        assert (case.arn, case.certificate_id) == (arn, None)


def fail(error: Exception) -> str:
    raise error


class TestAttempt:
    """What an error on the path of a finding means for it."""

    def test_no_error(self) -> None:
        """What the work returns is returned."""
        assert attempt(int, "ff", base=16) == 255

    def test_refused(self) -> None:
        """A call that AWS refused leaves the proof incomplete, and the note says which."""
        verdict = attempt(fail, AwsCallError("ListServerCertificates", "AccessDenied"))
        assert isinstance(verdict, Conclusion)
        assert verdict.outcome is Outcome.UNVERIFIED
        assert "ListServerCertificates" in verdict.note

    def test_transient(self, read_log: ReadLog) -> None:
        """What may succeed later is retried, and is no defect to be logged as one."""
        error = TransientError("throttled")
        assert attempt(fail, error) == Postponed(error)
        assert read_log() == []

    def test_unexpected(self, read_log: ReadLog) -> None:
        """A defect is retried as well, and logged with its traceback."""
        error = RuntimeError("a defect")
        assert attempt(fail, error) == Postponed(error)
        [line] = read_log()
        assert line["level"] == "ERROR"
        assert "a defect" in line["exception"]

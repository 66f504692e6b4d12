"""A certificate is not there: the archive decides whether we deleted it."""

from datetime import datetime, timedelta

import pytest

from handlers.remediation.absence import Absence
from handlers.remediation.cases import Case
from local.aws.knobs import OWN_ACCOUNT
from models.archive import ArchiveRecord, ArchiveState, Attempt, compose_record
from models.errors import AwsCallError, TransientError
from models.outcome import Conclusion, Outcome
from tests.builders import (
    CERTIFICATE_ID,
    NOW,
    OTHER_ACCOUNT,
    make_arn,
    make_certificate,
    make_finding,
    make_references,
)
from tests.fakes import World, make_arrival, make_record, make_subject

FORMS = {
    "arn": make_arn(),
    "arn-without-path": make_arn(path="/"),
    "arn-with-id": make_arn(CERTIFICATE_ID),
    "config": f"AWS::IAM::ServerCertificate:{CERTIFICATE_ID}",
    "id": CERTIFICATE_ID,
    "name": "example-cert",
}
DAY = timedelta(days=1)


def conclude(world: World, resource_id: str, *created: datetime) -> Case:
    """Conclude on a gone certificate that findings of these times name."""
    arrivals = [make_arrival(make_finding(CreatedAt=at)) for at in created]
    subject = make_subject(*arrivals, resource_id=resource_id)
    listed = world.certificates.list_all()
    return Absence(world.certificates, world.archive).conclude(subject, listed)


def conclude_vanished(world: World, resource_id: str, kept: Attempt | None = None) -> Case:
    """Conclude on a certificate that was listed and then was not there by its name."""
    subject = make_subject(resource_id=resource_id, certificate=make_certificate())
    return Absence(world.certificates, world.archive).conclude_vanished(subject, kept)


def outcome_of(case: Case) -> Outcome:
    assert isinstance(case.verdict, Conclusion)
    return case.verdict.outcome


def archive(world: World, record: ArchiveRecord, account_id: str = OWN_ACCOUNT) -> str:
    """Put a record in the archive at the time that it says, and return its location."""
    world.clock.now = record.archived_at
    return world.archive.put(account_id, record)


class TestGone:
    """IAM lists no such certificate."""

    @pytest.mark.parametrize("form", FORMS)
    def test_deleted_by_us(self, world: World, form: str) -> None:
        """A record of a delete that was begun after the finding vouches in every form of id."""
        evidence = make_references(regions_left_out=("sa-east-1",))
        location = archive(world, make_record(evidence=evidence))

        case = conclude(world, FORMS[form], NOW - DAY)

        assert outcome_of(case) is Outcome.DELETED
        assert isinstance(case.verdict, Conclusion)
        assert f"Archived as {location}." in case.verdict.note
        assert "Out of scope by the settings: sa-east-1." in case.verdict.note
        assert case.verdict.examined == evidence.summary
        assert (case.arn, case.certificate_id) == (make_arn(), CERTIFICATE_ID)

    @pytest.mark.parametrize("form", ["arn", "arn-without-path", "arn-with-id", "config", "id"])
    def test_deleted_by_others(self, world: World, form: str) -> None:
        """Without a record it is already gone, and this application did not delete it."""
        assert outcome_of(conclude(world, FORMS[form], NOW - DAY)) is Outcome.ALREADY_GONE

    def test_case_names_what_the_finding_names(self, world: World) -> None:
        """Of a certificate that nobody knows, the finding's own ARN is told, and no id."""
        arrival = make_arrival(make_finding())
        subject = make_subject(arrival, resource_id=make_arn())

        case = Absence(world.certificates, world.archive).conclude(subject, ())

        assert (case.arn, case.certificate_id) == (make_arn(), None)
        assert case.arrivals == (arrival,)

    def test_bare_name(self, world: World) -> None:
        """A name without certificate and without record proves nothing."""
        assert outcome_of(conclude(world, "example-cert", NOW - DAY)) is Outcome.UNVERIFIED

    def test_no_archive(self, world: World) -> None:
        """Where nothing is ever deleted, a certificate that is gone was deleted by others."""
        absence = Absence(world.certificates, None)
        case = absence.conclude(make_subject(resource_id=make_arn()), ())
        assert outcome_of(case) is Outcome.ALREADY_GONE

    @pytest.mark.parametrize("form", ["arn", "id"])
    def test_kept_by_us(self, world: World, form: str) -> None:
        """A certificate that we kept was deleted by others."""
        archive(world, make_record(state=ArchiveState.KEPT))
        assert outcome_of(conclude(world, FORMS[form], NOW - DAY)) is Outcome.ALREADY_GONE

    @pytest.mark.parametrize("form", ["arn", "id"])
    def test_archive_of_another_account(self, world: World, form: str) -> None:
        """A record of another account vouches for nothing here."""
        archive(world, make_record(), OTHER_ACCOUNT)
        assert outcome_of(conclude(world, FORMS[form], NOW - DAY)) is Outcome.ALREADY_GONE

    def test_record_before_the_finding(self, world: World) -> None:
        """A delete before the finding was of an earlier certificate of that name."""
        archive(world, make_record())
        later = NOW + timedelta(milliseconds=1)
        assert outcome_of(conclude(world, make_arn(), later)) is Outcome.ALREADY_GONE

    def test_record_between_two_findings(self, world: World) -> None:
        """Where several findings share a decision, the newest of them must be vouched for."""
        archive(world, make_record())
        case = conclude(world, make_arn(), NOW + DAY, NOW - DAY)
        assert outcome_of(case) is Outcome.ALREADY_GONE

    def test_renamed_before_the_finding_was_worked_on(self, world: World) -> None:
        """What is there under another name was not deleted, whatever its record says."""
        archive(world, make_record())
        world.certificates.put(make_certificate("example-cert.expired"))

        case = conclude(world, make_arn(), NOW - DAY)

        assert outcome_of(case) is Outcome.ALREADY_GONE
        assert isinstance(case.verdict, Conclusion)
        assert "deleted or renamed" in case.verdict.note

    @pytest.mark.parametrize("form", FORMS)
    def test_archive_may_not_be_read(self, world: World, form: str) -> None:
        """Who deleted it is unknown then, but not that it is gone: nothing says that it is kept."""
        world.archive.fail("ListObjectsV2", AwsCallError("ListObjectsV2", "AccessDenied"))

        case = conclude(world, FORMS[form], NOW - DAY)

        assert outcome_of(case) is Outcome.UNVERIFIED
        assert isinstance(case.verdict, Conclusion)
        assert "Kept" not in case.verdict.note
        assert "not in the account any more" in case.verdict.note
        assert "Allow ListObjectsV2" in case.verdict.note

    def test_archive_does_not_answer(self, world: World) -> None:
        """Nothing is concluded until it does."""
        world.archive.fail("ListObjectsV2", TransientError("throttled"))
        with pytest.raises(TransientError, match="throttled"):
            conclude(world, make_arn(), NOW - DAY)


class TestVanished:
    """IAM listed the certificate, and then had none of its name."""

    @pytest.mark.parametrize("form", FORMS)
    def test_renamed(self, world: World, form: str) -> None:
        """A certificate that is there under another name is retried, however findings name it."""
        world.certificates.put(make_certificate("example-cert.expired"))
        archive(world, make_record())
        with pytest.raises(TransientError, match="renamed"):
            conclude_vanished(world, FORMS[form])

    @pytest.mark.parametrize("form", FORMS)
    def test_our_attempt_deleted_nothing(self, world: World, form: str) -> None:
        """An attempt that deleted nothing vouches for nothing, whatever its record says."""
        record = make_record(id="ours")
        archive(world, record)
        outcome = outcome_of(conclude_vanished(world, FORMS[form], record))
        assert outcome is not Outcome.DELETED

    def test_another_attempt_is_under_way(self, world: World) -> None:
        """While another invocation may be deleting it, nobody can tell who deletes it."""
        ours, theirs = (make_record(id=name) for name in ("ours", "theirs"))
        archive(world, compose_record([ours, theirs]))
        with pytest.raises(TransientError, match="another invocation"):
            conclude_vanished(world, make_arn(), ours)

    def test_another_attempt_deleted_it(self, world: World) -> None:
        """Another invocation's record vouches beside an attempt of ours that did not."""
        ours, theirs = make_record(id="ours"), make_record(id="theirs", state=ArchiveState.DELETED)
        archive(world, compose_record([ours, theirs]))
        assert outcome_of(conclude_vanished(world, make_arn(), ours)) is Outcome.DELETED

    def test_cannot_be_listed(self, world: World) -> None:
        """Without another list nothing is concluded."""
        world.certificates.fail("ListServerCertificates", AwsCallError("L", "AccessDenied"))
        with pytest.raises(AwsCallError):
            conclude_vanished(world, make_arn())

    @pytest.mark.parametrize("form", FORMS)
    def test_deleted_by_us(self, world: World, form: str) -> None:
        """A record vouches that another invocation of ours was faster."""
        archive(world, make_record())
        assert outcome_of(conclude_vanished(world, FORMS[form])) is Outcome.DELETED

    @pytest.mark.parametrize("form", ["arn", "arn-without-path", "arn-with-id", "id"])
    def test_named_by_its_arn(self, world: World, form: str) -> None:
        """Nothing is under the ARN that the finding names any more: it is already gone."""
        assert outcome_of(conclude_vanished(world, FORMS[form])) is Outcome.ALREADY_GONE

    def test_named_by_its_name(self, world: World) -> None:
        """A name proves nothing."""
        assert outcome_of(conclude_vanished(world, "example-cert")) is Outcome.UNVERIFIED

    def test_case_keeps_what_was_listed(self, world: World) -> None:
        """The certificate is told as it was listed, id included."""
        case = conclude_vanished(world, make_arn(path="/"))
        assert (case.arn, case.certificate_id) == (make_arn(), CERTIFICATE_ID)

"""The act of deleting: look once more, archive, delete, and say truthfully what came of it."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from handlers.remediation.cases import Case, Subject
from handlers.remediation.deletion import Deletion
from models.archive import ArchiveState
from models.certificate import CertificateFiles, ServerCertificate
from models.errors import AwsCallError, DeleteUnansweredError, TransientError
from models.outcome import Conclusion, Outcome
from models.proof import Candidate, Proof, prove
from tests.builders import CERTIFICATE_ID, NOW, make_arn, make_finding, make_references
from tests.fakes import World, make_arrival, make_subject
from tests.unit.remediation.conftest import ReadLog

DENIED = AwsCallError("DeleteServerCertificate", "AccessDenied")
LISTENER = "arn:aws:elasticloadbalancing:us-east-1:111122223333:listener/app/edge/1/2"
VALID = NOW + timedelta(days=90)
EVIDENCE = make_references(regions_left_out=("sa-east-1",))


def make_proof(world: World, subject: Subject) -> Proof:
    """Return the proof that a subject's certificate may be deleted, on a scan at `NOW`."""
    certificate = subject.certificate
    assert certificate is not None
    candidate = Candidate(certificate, subject.identifier, {})
    proof = prove(candidate, EVIDENCE, (certificate,), world.settings, NOW)
    assert isinstance(proof, Proof)
    return proof


def delete(world: World, resource_id: str | None = None, *finding_ids: str) -> Conclusion:
    """Delete the world's one certificate, and return what was concluded."""
    verdict = delete_case(world, resource_id, *finding_ids).verdict
    assert isinstance(verdict, Conclusion)
    return verdict


def delete_case(world: World, resource_id: str | None = None, *finding_ids: str) -> Case:
    """Delete the world's one certificate, and return its case."""
    [files] = world.certificates.stored.values()
    arrivals = [make_arrival(make_finding(Id=one)) for one in finding_ids]
    subject = make_subject(
        *arrivals,
        resource_id=resource_id or files.certificate.arn,
        certificate=files.certificate,
    )
    deletion = Deletion(world.account, world.archive, world.settings, world.clock)
    ended = deletion.delete(subject, make_proof(world, subject))
    return ended if isinstance(ended, Case) else subject.close(ended)


def change(world: World, operation: str, **changed: object) -> None:
    """Let the certificate become another right before an operation."""

    def replace() -> None:
        [(name, files)] = world.certificates.stored.items()
        world.certificates.stored[name] = CertificateFiles.model_validate(
            files.model_dump() | changed
        )

    world.certificates.before[operation] = replace


def remove(world: World, operation: str) -> None:
    """Let the certificate vanish right before an operation."""
    world.certificates.before[operation] = world.certificates.stored.clear


def once_archived(world: World, happens: Callable[[], None]) -> None:
    """Let something happen while the record is written, before the certificate is read again."""
    world.archive.before["PutObject"] = happens


def leave_unanswered(world: World, happens: Callable[[], None] = lambda: None) -> None:
    """Let something come of the next delete, but no answer."""

    def happen() -> None:
        happens()
        world.certificates.fail("DeleteServerCertificate", DeleteUnansweredError("lost"))

    world.certificates.before["DeleteServerCertificate"] = happen


def rename(world: World) -> None:
    """Rename the certificate as some do at its renewal."""
    world.certificates.rename("example-cert", "example-cert.expired")


def archived_states(world: World) -> list[ArchiveState]:
    return [record.state for _, _, record in world.archive.versions]


@pytest.fixture
def certificate(world: World) -> ServerCertificate:
    """Put an expired certificate in the account."""
    return world.add_expired()


class TestDeleted:
    """Nothing came in between."""

    def test_says_so(self, world: World, certificate: ServerCertificate) -> None:
        """The certificate is gone, and the conclusion has the evidence and the archive record."""
        conclusion = delete(world)

        assert world.certificates.deleted == [certificate]
        assert conclusion.outcome is Outcome.DELETED
        [key] = {key for key, _, _ in world.archive.versions}
        assert f"Archived as s3://archive/{key}." in conclusion.note
        assert EVIDENCE.summary in conclusion.note
        assert "sa-east-1" in conclusion.note

    @pytest.mark.usefixtures("certificate")
    def test_record_is_there_before_the_delete(self, world: World) -> None:
        """When the delete is sent, the record says all that can be known, as it was just read."""
        change(world, "GetServerCertificate", body="PEM as read", tags={"owner": "web"})
        records = []
        world.certificates.before["DeleteServerCertificate"] = lambda: records.extend(
            world.archive.versions
        )
        world.clock.advance(minutes=1)

        delete(world, None, "finding/1", "finding/2")

        [(key, _, record)] = records
        assert key == f"certificates/{world.account.id}/example-cert/{CERTIFICATE_ID}.json"
        assert record.state is ArchiveState.DELETING
        assert record.archived_at == NOW + timedelta(minutes=1)
        assert (record.files.body, record.files.tags) == ("PEM as read", {"owner": "web"})
        assert record.finding_ids == ("finding/1", "finding/2")
        assert record.evidence == EVIDENCE
        assert record.regions_out_of_scope == ("sa-east-1",)

    def test_costs(self, world: World, certificate: ServerCertificate) -> None:
        """A deletion is two reads, two writes of the record, and one delete, in this order."""
        calls: list[str] = []
        world.certificates.calls = world.archive.calls = calls

        conclude = delete(world)

        assert conclude.outcome is Outcome.DELETED
        assert world.certificates.deleted == [certificate]
        assert calls == [
            "GetServerCertificate",
            "PutObject",
            "GetServerCertificate",
            "DeleteServerCertificate",
            "PutObject",
        ]

    @pytest.mark.usefixtures("certificate")
    def test_is_recorded(self, world: World) -> None:
        """Once IAM accepted, the record says so, and the case that it was now."""
        case = delete_case(world)

        assert archived_states(world) == [ArchiveState.DELETING, ArchiveState.DELETED]
        assert case.deleted_now

    @pytest.mark.usefixtures("certificate")
    @pytest.mark.parametrize(
        "error", [AwsCallError("PutObject", "AccessDenied"), TransientError("throttled")]
    )
    def test_record_cannot_be_settled(
        self, world: World, error: Exception, read_log: ReadLog
    ) -> None:
        """What was deleted is told as deleted, whatever its record goes on saying."""
        world.certificates.before["DeleteServerCertificate"] = lambda: world.archive.fail(
            "PutObject", error
        )

        case = delete_case(world)

        assert case.has_outcome(Outcome.DELETED)
        assert case.deleted_now
        assert archived_states(world) == [ArchiveState.DELETING]
        assert [line["state"] for line in read_log()] == ["deleted"]


@pytest.mark.usefixtures("certificate")
class TestLookedAtAgain:
    """What was proven is read once more before anything is done."""

    @pytest.mark.parametrize(
        ("changed", "outcome"),
        [
            ({"id": "ASCARENEWED0000000001", "expiration": VALID}, Outcome.NOT_EXPIRED),
            ({"id": "ASCAREPLACED000000001"}, Outcome.UNVERIFIED),
            ({"expiration": VALID}, Outcome.NOT_EXPIRED),
            ({"arn": make_arn(path="/new/"), "path": "/new/"}, Outcome.UNVERIFIED),
        ],
    )
    def test_changed(self, world: World, changed: dict[str, object], outcome: Outcome) -> None:
        """A certificate that is no longer what was proven is kept, and nothing is archived."""
        [files] = world.certificates.stored.values()
        current = files.certificate.model_copy(update=changed)
        change(world, "GetServerCertificate", certificate=current)

        conclusion = delete(world)

        assert conclusion.outcome is outcome
        assert world.certificates.deleted == []
        assert "DeleteServerCertificate" not in world.certificates.calls
        assert world.archive.versions == []

    def test_exempted(self, world: World) -> None:
        """A tag that somebody put on it meanwhile keeps it."""
        change(world, "GetServerCertificate", tags={"iam26:keep": ""})
        assert delete(world).outcome is Outcome.EXEMPT
        assert world.certificates.deleted == []

    def test_gone(self, world: World) -> None:
        """What is gone by then was not deleted by us."""
        remove(world, "GetServerCertificate")
        case = delete_case(world)
        assert case.has_outcome(Outcome.ALREADY_GONE)
        assert not case.deleted_now

    @pytest.mark.parametrize("named", [None, CERTIFICATE_ID])
    def test_renamed(self, world: World, named: str | None) -> None:
        """What has another name by then is retried."""
        world.certificates.before["GetServerCertificate"] = lambda: rename(world)
        with pytest.raises(TransientError, match="renamed"):
            delete(world, named)

    def test_cannot_be_read(self, world: World) -> None:
        """Without another look nothing is deleted."""
        world.certificates.fail("GetServerCertificate", DENIED)
        with pytest.raises(AwsCallError):
            delete(world)
        assert world.certificates.deleted == []


@pytest.mark.usefixtures("certificate")
class TestKept:
    """Something stands against the delete itself."""

    @pytest.mark.parametrize(
        "error", [AwsCallError("PutObject", "AccessDenied"), TransientError("throttled")]
    )
    def test_cannot_be_archived(self, world: World, error: Exception) -> None:
        """Without a record nothing is deleted."""
        world.archive.fail("PutObject", error)

        with pytest.raises(type(error)):
            delete(world)

        assert "DeleteServerCertificate" not in world.certificates.calls

    def test_proof_grew_old(self, world: World) -> None:
        """When archiving took until five minutes after the scan began, it is scanned anew."""
        once_archived(world, lambda: world.clock.advance(minutes=5))

        with pytest.raises(TransientError, match="grew old"):
            delete(world)

        assert "DeleteServerCertificate" not in world.certificates.calls
        assert archived_states(world)[-1] is ArchiveState.KEPT

    def test_proof_is_fresh_until_then(self, world: World) -> None:
        """A moment before that it may go."""
        once_archived(world, lambda: world.clock.advance(seconds=299.9))
        assert delete(world).outcome is Outcome.DELETED

    @pytest.mark.parametrize(
        ("changed", "outcome"),
        [
            ({"id": "ASCARENEWED0000000001", "expiration": VALID}, Outcome.NOT_EXPIRED),
            ({"id": "ASCAREPLACED000000001"}, Outcome.UNVERIFIED),
            ({"expiration": VALID}, Outcome.NOT_EXPIRED),
            ({"expiration": None}, Outcome.UNVERIFIED),
            ({"arn": make_arn(path="/new/"), "path": "/new/"}, Outcome.UNVERIFIED),
        ],
    )
    def test_changed_while_it_was_archived(
        self, world: World, changed: dict[str, object], outcome: Outcome
    ) -> None:
        """Writing the record can take a minute: what is no longer as proven is kept."""
        [files] = world.certificates.stored.values()
        current = files.certificate.model_copy(update=changed)
        once_archived(world, lambda: change(world, "GetServerCertificate", certificate=current))

        conclusion = delete(world)

        assert conclusion.outcome is outcome
        assert "DeleteServerCertificate" not in world.certificates.calls
        assert archived_states(world)[-1] is ArchiveState.KEPT

    @pytest.mark.parametrize("key", ["iam26:keep", "IAM26:Keep", "iam26:KEEP ", " iam26:keep"])
    def test_exempted_while_it_was_archived(self, world: World, key: str) -> None:
        """A tag that somebody puts on it then keeps it, in whichever case it is written."""
        once_archived(world, lambda: change(world, "GetServerCertificate", tags={key: ""}))

        assert delete(world).outcome is Outcome.EXEMPT
        assert world.certificates.deleted == []
        assert archived_states(world)[-1] is ArchiveState.KEPT

    @pytest.mark.parametrize("named", [None, CERTIFICATE_ID, "example-cert"])
    @pytest.mark.parametrize("moment", ["GetServerCertificate", "DeleteServerCertificate"])
    def test_renamed_once_it_was_archived(
        self, world: World, moment: str, named: str | None
    ) -> None:
        """A certificate that IAM has under another name is not deleted, and is retried."""
        once_archived(
            world, lambda: world.certificates.before.update({moment: lambda: rename(world)})
        )

        with pytest.raises(TransientError, match="renamed"):
            delete(world, named)

        assert list(world.certificates.stored) == ["example-cert.expired"]
        assert archived_states(world)[-1] is ArchiveState.KEPT

    @pytest.mark.parametrize("moment", ["GetServerCertificate", "DeleteServerCertificate"])
    def test_deleted_by_somebody_once_it_was_archived(self, world: World, moment: str) -> None:
        """What somebody else deleted is not claimed, though our record was written before."""
        once_archived(world, lambda: remove(world, moment))

        case = delete_case(world)

        assert case.has_outcome(Outcome.ALREADY_GONE)
        assert not case.deleted_now
        assert archived_states(world)[-1] is ArchiveState.KEPT

    def test_deleted_by_somebody_and_the_record_cannot_be_settled(self, world: World) -> None:
        """What somebody else deleted is not claimed because our record goes on saying deleting."""

        def vanish() -> None:
            world.certificates.stored.clear()
            world.archive.fail("PutObject", AwsCallError("PutObject", "AccessDenied"))

        once_archived(
            world, lambda: world.certificates.before.update(DeleteServerCertificate=vanish)
        )

        assert delete(world).outcome is Outcome.ALREADY_GONE
        assert archived_states(world) == [ArchiveState.DELETING]

    @pytest.mark.parametrize("moment", ["GetServerCertificate", "DeleteServerCertificate"])
    def test_deleted_by_another_invocation(self, world: World, moment: str) -> None:
        """Another invocation's whole deletion in between is told as ours, once, and not as now."""
        theirs: list[Case] = []
        once_archived(
            world,
            lambda: world.certificates.before.update(
                {moment: lambda: theirs.append(delete_case(world))}
            ),
        )

        case = delete_case(world)

        assert case.has_outcome(Outcome.DELETED)
        assert [one.deleted_now for one in (*theirs, case)] == [True, False]
        record = world.archive.versions[-1][2]
        assert [one.state for one in record.attempts] == [ArchiveState.DELETED, ArchiveState.KEPT]

    def test_conflict_beside_another_invocation(self, world: World) -> None:
        """An invocation that is refused overwrites nothing that another one wrote."""

        def delete_elsewhere_then_conflict() -> None:
            [files] = world.certificates.stored.values()
            delete(world)
            world.certificates.put(files.certificate)
            world.certificates.conflicts["example-cert"] = "in use by arn:aws:x"

        once_archived(
            world,
            lambda: world.certificates.before.update(
                DeleteServerCertificate=delete_elsewhere_then_conflict
            ),
        )

        assert delete(world).outcome is Outcome.IN_USE
        assert world.archive.versions[-1][2].state is ArchiveState.DELETED

    @pytest.mark.parametrize("error", [DENIED, TransientError("throttled")])
    def test_cannot_be_read_again(self, world: World, error: Exception) -> None:
        """Without the second read nothing is deleted, and the record says that it was kept."""
        once_archived(world, lambda: world.certificates.fail("GetServerCertificate", error))

        with pytest.raises(type(error)):
            delete(world)

        assert "DeleteServerCertificate" not in world.certificates.calls
        assert archived_states(world)[-1] is ArchiveState.KEPT

    @pytest.mark.parametrize(
        "message",
        [
            f"It is currently in use by {LISTENER}. Please remove it first before deleting it.",
            f"in use by {LISTENER}, which is live",
            f"in use by {LISTENER}",
        ],
    )
    def test_in_use(self, world: World, message: str) -> None:
        """What IAM says is in use is kept, IAM's holder is named, and the record says kept."""
        world.certificates.conflicts["example-cert"] = message

        conclusion = delete(world)

        assert conclusion.outcome is Outcome.IN_USE
        assert conclusion.references == (LISTENER,)
        assert conclusion.examined == EVIDENCE.summary
        assert archived_states(world) == [ArchiveState.DELETING, ArchiveState.KEPT]
        assert len({key for key, _, _ in world.archive.versions}) == 1
        assert world.certificates.deleted == []

    def test_in_use_by_several(self, world: World) -> None:
        """Each ARN that IAM names is kept, and IAM's own words are on the finding."""
        message = f"Certificate: X is currently in use by {LISTENER}, {LISTENER}9. Please remove."
        world.certificates.conflicts["example-cert"] = message

        conclusion = delete(world)

        assert conclusion.references == (LISTENER, f"{LISTENER}9")
        assert message[:100] in conclusion.note

    @pytest.mark.parametrize(
        "message",
        ["It is used by CloudFront.", "In use by\nan account\tof a friend", "word " * 200],
    )
    def test_in_use_by_something(self, world: World, message: str, read_log: ReadLog) -> None:
        """Where IAM names no ARN, its own words tell, cut to fit, and whole in the log."""
        world.certificates.conflicts["example-cert"] = message

        conclusion = delete(world)

        [holder] = conclusion.references
        words = " ".join(message.split()).rstrip(".")
        assert words[:150] in holder
        assert len(holder) < 300
        assert words[:150] in conclusion.note
        assert "DeleteConflict" in conclusion.note
        assert message in [line.get("reason") for line in read_log()]

    def test_in_use_without_a_word(self, world: World) -> None:
        """Where IAM says nothing at all, the conflict itself is the holder."""
        world.certificates.conflicts["example-cert"] = ""
        [holder] = delete(world).references
        assert "IAM knows of" in holder

    def test_denied(self, world: World) -> None:
        """A delete that is refused is an error, and the record says kept."""
        world.certificates.fail("DeleteServerCertificate", DENIED)

        with pytest.raises(AwsCallError) as caught:
            delete(world)

        assert caught.value is DENIED
        assert archived_states(world)[-1] is ArchiveState.KEPT
        assert len(world.certificates.stored) == 1

    def test_record_cannot_be_corrected(self, world: World, read_log: ReadLog) -> None:
        """A record that goes on saying deleting changes nothing about the certificate."""
        world.certificates.conflicts["example-cert"] = f"in use by {LISTENER}."
        world.archive.before["PutObject"] = lambda: world.archive.before.update(
            PutObject=lambda: world.archive.fail(
                "PutObject", AwsCallError("PutObject", "AccessDenied")
            )
        )

        assert delete(world).outcome is Outcome.IN_USE

        assert archived_states(world) == [ArchiveState.DELETING]
        [line] = [line for line in read_log() if line["level"] == "ERROR"]
        assert line["state"] == "kept"
        assert line["certificate"] == make_arn()
        assert "PutObject" in line["reason"]


@pytest.mark.usefixtures("certificate")
class TestUnanswered:
    """IAM did not say whether it deleted the certificate."""

    def test_it_did(self, world: World) -> None:
        """Another look and list show that it is gone, and the record that we did it, now."""
        leave_unanswered(world, world.certificates.stored.clear)

        case = delete_case(world)

        assert case.has_outcome(Outcome.DELETED)
        assert case.deleted_now
        assert world.certificates.calls.count("DeleteServerCertificate") == 1

    @pytest.mark.parametrize("times", [1, 2, 3])
    def test_it_was_renamed(self, world: World, times: int) -> None:
        """A certificate that has another name since was not deleted: nothing says that it was."""
        unanswered = [DeleteUnansweredError("lost")] * (times - 1)
        world.certificates.fail("DeleteServerCertificate", *unanswered)
        sent: list[int] = []

        def rename_at_last() -> None:
            sent.append(1)
            if len(sent) == times:
                rename(world)
                world.certificates.fail("DeleteServerCertificate", DeleteUnansweredError("lost"))
            else:
                world.certificates.before["DeleteServerCertificate"] = rename_at_last

        world.certificates.before["DeleteServerCertificate"] = rename_at_last

        with pytest.raises(TransientError):
            delete(world)
        assert list(world.certificates.stored) == ["example-cert.expired"]

    @pytest.mark.parametrize("times", [1, 2])
    def test_it_did_not(self, world: World, read_log: ReadLog, times: int) -> None:
        """A certificate that is still there is deleted after all, and each time is logged."""
        unanswered = [DeleteUnansweredError("lost")] * times
        world.certificates.fail("DeleteServerCertificate", *unanswered)

        assert delete(world).outcome is Outcome.DELETED
        assert len(world.certificates.deleted) == 1
        assert [line["reason"] for line in read_log()] == ["lost"] * times

    def test_it_never_does(self, world: World) -> None:
        """After three attempts it is left for later, undecided: the record says deleting."""
        lost = [DeleteUnansweredError(f"lost {number}") for number in range(9)]
        world.certificates.fail("DeleteServerCertificate", *lost)

        with pytest.raises(DeleteUnansweredError):
            delete(world)

        assert world.certificates.calls.count("DeleteServerCertificate") == 3
        assert ArchiveState.KEPT not in archived_states(world)

    def test_another_took_the_name(self, world: World) -> None:
        """The certificate that has the name since is never hit, and the delete is told."""
        [files] = world.certificates.stored.values()
        renewed = files.certificate.model_copy(
            update={"id": "ASCARENEWED0000000001", "expiration": VALID}
        )

        leave_unanswered(world, lambda: world.certificates.put(renewed))

        case = delete_case(world)

        assert case.has_outcome(Outcome.DELETED)
        assert case.deleted_now
        assert world.certificates.calls.count("DeleteServerCertificate") == 1
        assert "example-cert" in world.certificates.stored

    @pytest.mark.parametrize("denied", ["GetServerCertificate", "ListServerCertificates"])
    def test_nobody_may_look_any_more(self, world: World, denied: str) -> None:
        """What may be deleted already is not said to be kept: it is retried."""

        def vanish() -> None:
            world.certificates.stored.clear()
            world.certificates.fail(denied, AwsCallError(denied, "AccessDenied"))

        leave_unanswered(world, vanish)

        with pytest.raises(TransientError, match="not answered"):
            delete(world)

    def test_defect_before_the_delete(self, world: World) -> None:
        """An attempt that ends in a defect before IAM was asked has deleted nothing."""
        once_archived(
            world, lambda: world.certificates.fail("GetServerCertificate", RuntimeError("defect"))
        )
        with pytest.raises(RuntimeError):
            delete(world)
        assert archived_states(world)[-1] is ArchiveState.KEPT

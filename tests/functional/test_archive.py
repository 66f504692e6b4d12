"""The archive on a real bucket: conditional writes, and records that are found again."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from handlers.aws.archive import Archive
from handlers.aws.clients import Clients, make_session
from local.aws import faults
from local.aws.knobs import HOME_REGION, OWN_ACCOUNT
from models.archive import (
    ArchiveRecord,
    ArchiveState,
    Attempt,
    begin_attempt,
    compose_key,
    settle_attempt,
)
from models.certificate import CertificateIdentifier
from models.errors import AwsCallError, TransientError
from tests.builders import CERTIFICATE_ID, NOW, make_arn, make_certificate
from tests.fakes import make_record
from tests.functional.deployment import BUCKET, Deployment

KEY = compose_key(OWN_ACCOUNT, make_certificate())
Change = Callable[[ArchiveRecord | None], ArchiveRecord]


@pytest.fixture
def archive(deployment: Deployment) -> Archive:
    """Return the archive on the deployment's bucket."""
    assert deployment
    clients = Clients(make_session(HOME_REGION), HOME_REGION, user_agent="test")
    return Archive(clients, BUCKET, lambda: OWN_ACCOUNT)


def make_attempt(name: str) -> Attempt:
    return Attempt.model_validate(dict(make_record(id=name)))


def begin(attempt: Attempt) -> Change:
    return lambda known: begin_attempt(known, attempt)


def settle(attempt: Attempt, state: ArchiveState) -> Change:
    return lambda known: settle_attempt(known, attempt, state)


def read(archive: Archive, resource_id: str = make_arn()) -> list[ArchiveRecord]:
    identifier = CertificateIdentifier.parse(resource_id)
    assert identifier is not None
    stored = archive.list_records(OWN_ACCOUNT, identifier, NOW - timedelta(days=9999))
    return [one.record for one in stored]


class TestUpdate:
    """A record is written over the version that was seen, and over no other."""

    def test_alone(self, archive: Archive) -> None:
        """An invocation that is alone writes twice, and reads nothing."""
        ours = make_attempt("ours")

        with faults.record_calls() as calls:
            stored = archive.update(OWN_ACCOUNT, None, begin(ours))
            archive.update(OWN_ACCOUNT, stored, settle(ours, ArchiveState.DELETED))

        assert [call.operation for call in calls] == ["PutObject", "PutObject"]
        assert stored.location == f"s3://{BUCKET}/{KEY}"
        assert [record.state for record in read(archive)] == [ArchiveState.DELETED]

    def test_two_at_once(self, archive: Archive) -> None:
        """Neither overwrites what the other wrote, though each has seen an earlier version."""
        ours, theirs = make_attempt("ours"), make_attempt("theirs")
        seen_by_us = archive.update(OWN_ACCOUNT, None, begin(ours))
        seen_by_them = archive.update(OWN_ACCOUNT, None, begin(theirs))

        archive.update(OWN_ACCOUNT, seen_by_them, settle(theirs, ArchiveState.DELETED))
        archive.update(OWN_ACCOUNT, seen_by_us, settle(ours, ArchiveState.KEPT))

        [record] = read(archive)
        assert record.state is ArchiveState.DELETED
        assert {one.id: one.state for one in record.attempts} == {
            "ours": ArchiveState.KEPT,
            "theirs": ArchiveState.DELETED,
        }

    def test_answer_was_lost(self, archive: Archive) -> None:
        """A write that the SDK repeats is no second attempt, and is not refused by itself."""
        ours = make_attempt("ours")
        lost = faults.ConnectionDropped(after_effect=True)
        with faults.inject(operation="PutObject", fault=lost, times=1):
            archive.update(OWN_ACCOUNT, None, begin(ours))

        [record] = read(archive)
        assert [one.id for one in record.attempts] == ["ours"]

    def test_record_was_removed(self, archive: Archive, deployment: Deployment) -> None:
        """A record that somebody removed is written anew."""
        ours = make_attempt("ours")
        stored = archive.update(OWN_ACCOUNT, None, begin(ours))
        deployment.aws.client("s3").delete_object(Bucket=BUCKET, Key=KEY)

        archive.update(OWN_ACCOUNT, stored, settle(ours, ArchiveState.DELETED))

        assert [record.state for record in read(archive)] == [ArchiveState.DELETED]

    def test_others_write_all_the_time(self, archive: Archive, deployment: Deployment) -> None:
        """A record that changes after each look at it is given up for now."""
        s3 = deployment.aws.client("s3")
        number = iter(range(99))

        def write_elsewhere() -> None:
            record = make_record(id=f"theirs {next(number)}")
            s3.put_object(Bucket=BUCKET, Key=KEY, Body=record.model_dump_json(by_alias=True))

        write_elsewhere()
        with (
            faults.inject(operation="GetObject", fault=faults.Then(write_elsewhere)),
            pytest.raises(TransientError, match="changed by others"),
        ):
            archive.update(OWN_ACCOUNT, None, begin(make_attempt("ours")))

    def test_denied(self, archive: Archive) -> None:
        """A write that is denied is an error at once."""
        with (
            faults.inject(operation="PutObject", fault=faults.AccessDenied()),
            pytest.raises(AwsCallError, match="PutObject answered AccessDenied"),
        ):
            archive.update(OWN_ACCOUNT, None, begin(make_attempt("ours")))


class TestListRecords:
    """Records are found by what a finding names."""

    @pytest.mark.parametrize(
        "resource_id",
        [make_arn(), make_arn(path="/"), make_arn(CERTIFICATE_ID), CERTIFICATE_ID, "example-cert"],
    )
    def test_every_form(self, archive: Archive, resource_id: str) -> None:
        """Name, id and ARN find it, whichever of the two the ARN ends in."""
        archive.update(OWN_ACCOUNT, None, begin(make_attempt("ours")))
        assert [one.id for one in read(archive, resource_id)] == ["ours"]

"""Archive records: all that is known of a certificate before its deletion."""

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from models.archive import (
    ArchiveRecord,
    ArchiveState,
    StoredRecord,
    compose_key,
    compose_prefix,
    find_vouching,
)
from models.certificate import CertificateFiles, CertificateIdentifier, ServerCertificate
from models.reference import Coverage, CoverageState
from tests.builders import (
    ACCOUNT,
    CERTIFICATE_ID,
    NOW,
    make_arn,
    make_certificate,
    make_files,
    make_reference,
    make_references,
)

BODY = "-----BEGIN CERTIFICATE-----\nMIIBody\n-----END CERTIFICATE-----"
CHAIN = "-----BEGIN CERTIFICATE-----\nMIIChain\n-----END CERTIFICATE-----"


def make_record(**overrides: Any) -> ArchiveRecord:
    denied = Coverage(
        source="AppSync custom domain",
        region="eu-west-3",
        state=CoverageState.OUT_OF_SCOPE,
        checked_at=NOW,
    )
    references = make_references(make_reference(make_arn("other")))
    fields: dict[str, Any] = {
        "state": ArchiveState.DELETING,
        "archived_at": NOW + timedelta(seconds=9),
        "files": make_files(body=BODY, chain=CHAIN, tags={"Eigentümer": "Zoë 🦊"}),
        "finding_ids": ("one", "two"),
        "evidence": references.model_copy(update={"coverage": (*references.coverage, denied)}),
        "regions_out_of_scope": ("eu-west-3",),
    }
    return ArchiveRecord.model_validate(fields | overrides)


def write(record: ArchiveRecord) -> str:
    return record.model_dump_json(by_alias=True, indent=2)


def list_names(value: object) -> set[str]:
    """Return the names of fields at every level of a JSON document, but not those of tags."""
    if isinstance(value, list):
        return set[str]().union(*(list_names(one) for one in value))
    if isinstance(value, dict):
        inner = (list_names(one) for name, one in value.items() if name != "tags")
        return set(value).union(*inner)
    return set()


@pytest.mark.parametrize("state", list(ArchiveState))
def test_round_trip(state: ArchiveState) -> None:
    """A record that was written reads back as the same record."""
    record = make_record(state=state)
    assert ArchiveRecord.model_validate_json(write(record)) == record


def test_says_what_was_deleted_and_why() -> None:
    """The document carries certificate, tags, findings, and each place with its time."""
    document = json.loads(write(make_record()))
    assert document["state"] == "deleting"
    assert document["archivedAt"] == "2026-11-20T06:00:09Z"
    assert document["findingIds"] == ["one", "two"]
    assert document["regionsOutOfScope"] == ["eu-west-3"]
    files = document["files"]
    assert (files["body"], files["chain"]) == (BODY, CHAIN)
    assert files["tags"] == {"Eigentümer": "Zoë 🦊"}
    assert files["certificate"]["Arn"] == make_arn()
    assert files["certificate"]["ServerCertificateId"] == CERTIFICATE_ID
    assert document["evidence"]["startedAt"] == "2026-11-20T06:00:00Z"
    assert document["evidence"]["coverage"] == [
        {
            "source": "Classic Load Balancer",
            "region": "us-east-1",
            "state": "read",
            "examined": 3,
            "checkedAt": "2026-11-20T06:00:00Z",
        },
        {
            "source": "AppSync custom domain",
            "region": "eu-west-3",
            "state": "out of scope",
            "examined": 0,
            "checkedAt": "2026-11-20T06:00:00Z",
        },
    ]


def test_names_are_readable() -> None:
    """Our fields are named in camelCase, and those of IAM as IAM names them."""
    document = json.loads(write(make_record()))
    metadata = document["files"].pop("certificate")
    assert all(re.fullmatch("[A-Z][A-Za-z]+", name) for name in metadata)
    assert all(re.fullmatch("[a-z][A-Za-z]+", name) for name in list_names(document))


def test_never_a_private_key() -> None:
    """A private key beside a certificate's files is dropped, whoever put it there."""
    files = CertificateFiles.model_validate(
        {
            "certificate": make_certificate(),
            "body": BODY,
            "PrivateKey": "secret",
            "privateKey": "secret",
            "private_key": "secret",
        }
    )
    assert "secret" not in write(make_record(files=files))


def test_body_stays_out_of_logs() -> None:
    """Neither body nor chain shows where a record or its files are printed."""
    record = make_record()
    for shown in (repr(record), str(record), repr(record.files), f"{record.files}"):
        assert "MII" not in shown


def test_body_stays_out_of_errors() -> None:
    """Nor do they show in the text of an error about a record that cannot be read."""
    document = json.loads(write(make_record()))
    document["files"] = {"certificate": {}, "body": ["MIIBody"], "chain": ["MIIChain"]}
    with pytest.raises(ValidationError) as caught:
        ArchiveRecord.model_validate_json(json.dumps(document))
    assert "MII" not in str(caught.value)
    assert "files.body" in str(caught.value)


@pytest.mark.parametrize("name", ["web", "n" * 128, "a+b=c,d.e@f-g"])
def test_key(name: str) -> None:
    """A record's key names account, certificate name and certificate id."""
    certificate = make_certificate(name)
    assert (
        compose_key(ACCOUNT, certificate) == f"certificates/{ACCOUNT}/{name}/{CERTIFICATE_ID}.json"
    )


def test_key_does_not_depend_on_the_path() -> None:
    """A certificate that was moved to another path keeps its key: names are unique."""
    moved = make_certificate(path="/new/place/")
    assert compose_key(ACCOUNT, moved) == compose_key(ACCOUNT, make_certificate())


def test_prefix_is_of_one_name_alone() -> None:
    """The prefix of one certificate's records is no prefix of those of a longer name."""
    longer = make_certificate("web-2")
    assert not compose_key(ACCOUNT, longer).startswith(compose_prefix(ACCOUNT, "web"))
    assert compose_key(ACCOUNT, longer).startswith(compose_prefix(ACCOUNT, "web-2"))
    assert compose_key(ACCOUNT, longer).startswith(compose_prefix(ACCOUNT))
    assert not compose_key(ACCOUNT, longer).startswith(compose_prefix(ACCOUNT[:-1]))


def vouch(
    resource_id: str,
    *records: ArchiveRecord,
    there: Sequence[ServerCertificate] = (),
    seen: dict[str, datetime] | None = None,
) -> ArchiveRecord | None:
    """Return the record that vouches for a certificate that a finding of `NOW` names."""
    identifier = CertificateIdentifier.parse(resource_id)
    assert identifier is not None
    stored = [
        StoredRecord(f"s3://archive/{number}", one, "1") for number, one in enumerate(records)
    ]
    vouching = find_vouching(stored, identifier, NOW, there, seen or {})
    if vouching is None:
        return None
    assert vouching in stored
    return vouching.record


def at(minutes: float, **overrides: Any) -> ArchiveRecord:
    """Return a record that was written so many minutes after the finding was created."""
    return make_record(archived_at=NOW + timedelta(minutes=minutes), **overrides)


class TestVouching:
    """Which record says that it was us who deleted a certificate that is gone."""

    @pytest.mark.parametrize(
        "resource_id", [make_arn(), make_arn(path="/"), CERTIFICATE_ID, "example-cert"]
    )
    def test_delete_that_was_begun(self, resource_id: str) -> None:
        """A delete after the finding vouches, in whichever form the finding names it."""
        record = at(1)
        assert vouch(resource_id, record) == record

    @pytest.mark.parametrize("resource_id", [make_arn(), CERTIFICATE_ID, "example-cert"])
    def test_kept(self, resource_id: str) -> None:
        """A certificate that was kept was not deleted by us."""
        assert vouch(resource_id, at(1, state=ArchiveState.KEPT)) is None

    def test_no_record(self) -> None:
        """Nothing vouches where there is nothing."""
        assert vouch(make_arn()) is None

    @pytest.mark.parametrize("resource_id", [make_arn(), CERTIFICATE_ID, "example-cert"])
    @pytest.mark.parametrize("newest_first", [True, False])
    def test_newest_decides(self, resource_id: str, *, newest_first: bool) -> None:
        """An older delete says nothing beside a newer record that keeps, and the other way round.

        The order in which they are listed is none: that of their keys.
        """
        kept = ArchiveState.KEPT
        for older, newer in (
            (at(1), at(2, state=kept)),
            (at(1, state=kept), at(2)),
            (at(1), at(2)),
        ):
            records = (newer, older) if newest_first else (older, newer)
            expected = None if newer.state is kept else newer
            assert vouch(resource_id, *records) == expected

    def test_older_than_the_finding(self) -> None:
        """A record from before the finding is about an earlier certificate of that name."""
        assert vouch(make_arn(), at(-0.001)) is None
        assert vouch(make_arn(), at(0)) is not None

    def test_older_record_beside_one_that_counts(self) -> None:
        """A record from before the finding changes nothing about a newer one."""
        record = at(1)
        assert vouch(make_arn(), at(-1, state=ArchiveState.KEPT), record) == record

    @pytest.mark.parametrize(
        "other",
        [
            make_certificate("example-cert-2", id="ASCAOTHER000000000001"),
            make_certificate("Example-Cert", id="ASCAOTHER000000000001"),
            make_certificate(path="/new/", id="ASCAOTHER000000000001"),
        ],
        ids=["name", "case", "path"],
    )
    def test_record_of_another(self, other: ServerCertificate) -> None:
        """A record under another name, spelling or path vouches for nothing, nor objects."""
        theirs, record = make_files(certificate=other), at(1)
        assert vouch(make_arn(), at(2, files=theirs)) is None
        assert vouch(make_arn(), record, at(2, files=theirs, state=ArchiveState.KEPT)) == record

    def test_record_of_another_id(self) -> None:
        """What a finding names by its id is vouched for under this id alone, name or not."""
        theirs = make_files(certificate=make_certificate(id="ASCAOTHER000000000001"))
        assert vouch(CERTIFICATE_ID, at(1, files=theirs)) is None
        assert vouch("example-cert", at(1, files=theirs)) is not None

    def test_name_that_looks_like_an_id(self) -> None:
        """A record of a certificate that has what the finding names as its name vouches."""
        theirs = make_files(
            certificate=make_certificate(CERTIFICATE_ID, id="ASCAOTHER000000000001")
        )
        assert vouch(CERTIFICATE_ID, at(1, files=theirs)) is not None

    @pytest.mark.parametrize("state", [ArchiveState.DELETING, ArchiveState.DELETED])
    @pytest.mark.parametrize("resource_id", [make_arn(), CERTIFICATE_ID, make_arn(CERTIFICATE_ID)])
    def test_renamed(self, resource_id: str, state: ArchiveState) -> None:
        """What is there under another name was not deleted, whatever its record says."""
        renamed = make_certificate("example-cert.expired")
        assert vouch(resource_id, at(1, state=state), there=[renamed]) is None
        other = make_certificate("example-cert.expired", id="ASCAOTHER000000000001")
        assert vouch(resource_id, at(1, state=state), there=[other]) is not None

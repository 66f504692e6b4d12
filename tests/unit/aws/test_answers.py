"""Answers of IAM, S3 and Security Hub that are not whole, or odd, are no proof of anything."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from handlers.aws.account import Identity
from handlers.aws.archive import Archive
from handlers.aws.certificate_deletion import DeletableCertificates
from local.aws.knobs import OWN_ACCOUNT
from models.certificate import CertificateIdentifier
from models.errors import AwsCallError
from tests.builders import CERTIFICATE_ID, NOW, make_arn
from tests.unit.aws.scripted import Answer, ScriptedAws

METADATA = {
    "ServerCertificateName": "example-cert",
    "ServerCertificateId": CERTIFICATE_ID,
    "Arn": make_arn(),
    "Path": "/old/",
    "Expiration": "2026-10-21T06:00:00Z",
}
OTHER = METADATA | {
    "ServerCertificateName": "other",
    "ServerCertificateId": "ASCAOTHER000000000001",
}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in METADATA.items() if key != name}


def list_certificates(*certificates: Mapping[str, Any], **more: object) -> dict[str, Any]:
    listed = {"ServerCertificateMetadataList": list(certificates), "IsTruncated": False}
    return listed | more


def ask(answers: dict[str, Answer]) -> DeletableCertificates:
    return DeletableCertificates(ScriptedAws(answers).make_clients())


class TestCertificates:
    """The server certificates of an account."""

    @pytest.mark.parametrize(
        "odd",
        ["", "soon", "2026-13-45T06:00:00Z", "0000-00-00T00:00:00Z", "9" * 40, "2026-10-21T06:0"],
    )
    def test_odd_expiration(self, odd: str) -> None:
        """A date that IAM answers oddly leaves that certificate without expiry, and no other."""
        answer = list_certificates(METADATA | {"Expiration": odd}, OTHER)

        first, second = ask({"ListServerCertificates": answer}).list_all()

        assert first.expiration is None
        assert second.expiration == datetime(2026, 10, 21, 6, 0, tzinfo=UTC)

    def test_odd_upload_date(self) -> None:
        """When it was uploaded decides on nothing, so an odd date is none."""
        answer = list_certificates(METADATA | {"UploadDate": "yesterday"})
        [certificate] = ask({"ListServerCertificates": answer}).list_all()
        assert certificate.upload_date is None
        assert certificate.expiration is not None

    @pytest.mark.parametrize(
        ("answer", "cause"),
        [
            ({"IsTruncated": False}, "no ServerCertificateMetadataList"),
            (list_certificates(METADATA, IsTruncated=True), "not where"),
            ({"ServerCertificateMetadataList": [METADATA]}, "no IsTruncated"),
            (list_certificates(METADATA, Marker="x"), "not that there is"),
            (list_certificates(METADATA, {}), "empty item"),
            (list_certificates(without("ServerCertificateName")), "ServerCertificateName"),
            (list_certificates(without("ServerCertificateId")), "ServerCertificateId"),
            (list_certificates(without("Arn")), "Arn"),
        ],
    )
    def test_list_that_is_not_whole(self, answer: dict[str, Any], cause: str) -> None:
        """A list that may leave out a certificate is an error that says what it lacks."""
        with pytest.raises(AwsCallError, match=f"ListServerCertificates answered .*{cause}"):
            ask({"ListServerCertificates": answer}).list_all()

    @pytest.mark.parametrize(
        ("answer", "cause"),
        [
            ({"IsTruncated": False}, "no Tags"),
            ({"Tags": [], "IsTruncated": True}, "not where"),
            ({"Tags": [{"Value": "x"}], "IsTruncated": False}, "no Key"),
        ],
    )
    def test_tags_that_are_not_whole(self, answer: dict[str, Any], cause: str) -> None:
        """Tags that may leave out the exempt one are an error."""
        with pytest.raises(AwsCallError, match=cause):
            ask({"ListServerCertificateTags": answer}).read_tags("example-cert")

    @pytest.mark.parametrize(
        ("answer", "cause"),
        [
            ({}, "no ServerCertificate"),
            ({"ServerCertificate": {"CertificateBody": "PEM"}}, "no ServerCertificateMetadata"),
            ({"ServerCertificate": {"ServerCertificateMetadata": METADATA}}, "no CertificateBody"),
            (
                {
                    "ServerCertificate": {
                        "ServerCertificateMetadata": without("ServerCertificateId"),
                        "CertificateBody": "PEM",
                    }
                },
                "ServerCertificateId",
            ),
        ],
    )
    def test_certificate_that_is_not_whole(self, answer: dict[str, Any], cause: str) -> None:
        """What must be archived and compared is there, or it is an error."""
        with pytest.raises(AwsCallError, match=cause) as caught:
            ask({"GetServerCertificate": answer}).read("example-cert")
        assert "PEM" not in str(caught.value)


def list_archive(body: str) -> None:
    answers = {"ListObjectsV2": f"<ListBucketResult>{body}</ListBucketResult>"}
    archive = Archive(ScriptedAws(answers).make_clients(), "archive", lambda: OWN_ACCOUNT)
    identifier = CertificateIdentifier.parse(make_arn())
    assert identifier is not None
    archive.list_records(OWN_ACCOUNT, identifier, NOW)


def read_own_id(answer: dict[str, Any]) -> str:
    return Identity(ScriptedAws({"GetCallerIdentity": answer}).make_clients()).read_account_id()


class TestOthers:
    """What the path asks beside IAM."""

    @pytest.mark.parametrize(
        ("call", "cause"),
        [
            (lambda: list_archive("<IsTruncated>true</IsTruncated>"), "not where"),
            (lambda: list_archive(""), "no IsTruncated"),
            (lambda: read_own_id({}), "no Account"),
        ],
        ids=["archive goes on", "archive does not say", "identity"],
    )
    def test_answer_that_is_not_whole(self, call: Callable[[], object], cause: str) -> None:
        """An answer that lacks what it must have is an error that says so."""
        with pytest.raises(AwsCallError, match=cause):
            call()

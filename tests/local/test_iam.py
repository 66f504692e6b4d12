"""IAM: server certificates that are what their PEM says, and are kept while they are in use."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from local.aws.patches import iam
from local.aws.patches.patch import ApiError
from local.aws.server import Aws
from local.fixtures import seed
from local.fixtures.certificates import CertificateFiles, make_certificate
from tests.builders import MEMBER_ACCOUNT
from tests.functional.holders import ATTACHMENTS
from tests.local.answers import NOT_IMPLEMENTED, code_of, message_of
from tests.local.conftest import Unpatched

VALID_FROM = datetime(2025, 3, 1, 12, 30, tzinfo=UTC)
EXPIRES = datetime(2095, 3, 1, 12, 30, tzinfo=UTC)
# What moto says of every certificate.
MOTO_EXPIRES = datetime(2012, 5, 8, 1, 2, 3, 4000, tzinfo=UTC)
MOTO_ID = "ASCACKCEVSQ6C2EXAMPLE"


def make_files(**more: Any) -> CertificateFiles:
    return make_certificate("example.com", VALID_FROM, EXPIRES, **more)


def make_other_key() -> str:
    """Return a private key that belongs to none of our certificates."""
    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        .decode()
    )


def upload(aws: Aws, name: str, **more: Any) -> dict[str, Any]:
    return seed.upload_certificate(aws.client, name, expires=EXPIRES, **more)


def upload_code(aws: Aws, name: str, body: str, private_key: str) -> str:
    return code_of(
        aws.client("iam").upload_server_certificate,
        ServerCertificateName=name,
        CertificateBody=body,
        PrivateKey=private_key,
    )


def read(aws: Aws, name: str) -> dict[str, Any]:
    got = aws.client("iam").get_server_certificate(ServerCertificateName=name)
    return dict(got["ServerCertificate"])


def list_names(aws: Aws, **params: Any) -> list[str]:
    listed = aws.client("iam").list_server_certificates(**params)
    return [one["ServerCertificateName"] for one in listed["ServerCertificateMetadataList"]]


def delete_code(aws: Aws, name: str) -> str:
    return code_of(aws.client("iam").delete_server_certificate, ServerCertificateName=name)


class TestMetadata:
    """What IAM says of a certificate."""

    def test_the_expiry_is_the_certificates_own(self, aws: Aws, unpatched: Unpatched) -> None:
        """Upload, list and get all say when the certificate in the PEM expires."""

        def read_expiries() -> set[datetime]:
            uploaded = upload(aws, "web")
            listed = aws.client("iam").list_server_certificates()["ServerCertificateMetadataList"]
            metadata = read(aws, "web")["ServerCertificateMetadata"]
            return {one["Expiration"] for one in (uploaded, *listed, metadata)}

        assert read_expiries() == {EXPIRES}
        with unpatched(iam.PATCH):
            assert read_expiries() == {MOTO_EXPIRES}

    def test_it_was_uploaded_just_now(self, aws: Aws, unpatched: Unpatched) -> None:
        """The upload date is the moment of the upload."""
        age = datetime.now(UTC) - upload(aws, "web")["UploadDate"]
        assert age < timedelta(minutes=1)
        with unpatched(iam.PATCH):
            assert upload(aws, "web")["UploadDate"].year == 2010

    def test_every_certificate_has_an_id_of_its_own(self, aws: Aws, unpatched: Unpatched) -> None:
        """Ids look like IAM's, and a certificate uploaded again under its name has a new one."""
        first = upload(aws, "web")["ServerCertificateId"]
        assert delete_code(aws, "web") == "OK"
        second = upload(aws, "web")["ServerCertificateId"]
        assert first != second
        assert all(re.fullmatch("ASCA[A-Z0-9]{17}", one) for one in (first, second))
        with unpatched(iam.PATCH):
            assert upload(aws, "web")["ServerCertificateId"] == MOTO_ID

    def test_the_arn_has_the_path(self, aws: Aws) -> None:
        """A path stands between the resource type and the name."""
        arn = upload(aws, "web", path="/team/a/")["Arn"]
        assert arn == "arn:aws:iam::111122223333:server-certificate/team/a/web"

    def test_get_returns_body_chain_and_tags_and_no_key(self, aws: Aws) -> None:
        """The public parts of a certificate come back as they were uploaded."""
        files = make_files(with_chain=True)
        aws.client("iam").upload_server_certificate(
            ServerCertificateName="web",
            CertificateBody=files.body,
            PrivateKey=files.private_key,
            CertificateChain=files.chain,
            Tags=[{"Key": "team", "Value": "a"}],
        )
        got = read(aws, "web")
        assert got.keys() == {
            "ServerCertificateMetadata",
            "CertificateBody",
            "CertificateChain",
            "Tags",
        }
        assert got["CertificateBody"].strip() == files.body.strip()
        assert got["CertificateChain"].strip() == str(files.chain).strip()
        assert got["Tags"] == [{"Key": "team", "Value": "a"}]


class TestUpload:
    """What IAM takes for a certificate."""

    @pytest.mark.parametrize(
        ("body", "private_key"),
        [("junk", make_files().private_key), (make_files().body, "junk")],
        ids=["body", "key"],
    )
    def test_junk_is_refused(
        self, aws: Aws, unpatched: Unpatched, body: str, private_key: str
    ) -> None:
        """What is no PEM is no certificate."""
        assert upload_code(aws, "web", body, private_key) == "MalformedCertificate"
        assert list_names(aws) == []
        with unpatched(iam.PATCH):
            assert upload_code(aws, "web", body, private_key) == "OK"

    def test_a_key_of_another_certificate_is_refused(self, aws: Aws, unpatched: Unpatched) -> None:
        """The private key has to belong to the certificate."""
        body, key = make_files().body, make_other_key()
        assert upload_code(aws, "web", body, key) == "KeyPairMismatch"
        with unpatched(iam.PATCH):
            assert upload_code(aws, "web", body, key) == "OK"

    @pytest.mark.parametrize(
        ("valid_from", "expires"),
        [
            (timedelta(days=-90), timedelta(days=-30)),
            (timedelta(days=-90), timedelta(seconds=-2)),
            (timedelta(seconds=30), timedelta(days=90)),
        ],
        ids=["expired", "expired just now", "not yet valid"],
    )
    def test_a_certificate_that_is_not_valid_now_is_refused(
        self, aws: Aws, unpatched: Unpatched, valid_from: timedelta, expires: timedelta
    ) -> None:
        """Nobody can upload a certificate that has expired, or that is not valid yet."""
        now = datetime.now(UTC)
        files = make_certificate("example.com", now + valid_from, now + expires)
        assert upload_code(aws, "web", files.body, files.private_key) == "MalformedCertificate"
        assert list_names(aws) == []
        with unpatched(iam.PATCH):
            assert upload_code(aws, "web", files.body, files.private_key) == "OK"

    def test_the_refusal_says_when_it_is_valid(self, aws: Aws) -> None:
        """The error names both ends of the certificate's validity."""
        files = make_certificate("example.com", VALID_FROM, VALID_FROM + timedelta(days=1))
        message = message_of(
            aws.client("iam").upload_server_certificate,
            ServerCertificateName="web",
            CertificateBody=files.body,
            PrivateKey=files.private_key,
        )
        assert "from 2025-03-01 12:30:00+00:00 to 2025-03-02 12:30:00+00:00" in message

    @pytest.mark.parametrize("name", ["web", "WEB"])
    def test_a_name_is_taken_once(self, aws: Aws, unpatched: Unpatched, name: str) -> None:
        """Names are unique in an account, whatever their case or path."""
        files = make_files()
        upload(aws, "web", path="/elsewhere/")
        assert upload_code(aws, name, files.body, files.private_key) == "EntityAlreadyExists"
        with unpatched(iam.PATCH):
            upload(aws, "web", path="/elsewhere/")
            assert upload_code(aws, name, files.body, files.private_key) == "OK"

    def test_another_account_may_use_the_name(self, aws: Aws) -> None:
        """Names are unique in an account, not beyond it."""
        upload(aws, "web")
        upload(aws, "web", account_id=MEMBER_ACCOUNT)


class TestPlant:
    """An expired certificate, which only gets there beside the API."""

    def test_a_planted_certificate_has_expired_since_it_was_uploaded(self, aws: Aws) -> None:
        """It is listed like any other, uploaded before it expired, and can be deleted."""
        planted = seed.plant_certificate("old-web", path="/team/", tags={"team": "a"})
        [listed] = aws.client("iam").list_server_certificates()["ServerCertificateMetadataList"]
        assert listed == planted
        assert planted["UploadDate"] < planted["Expiration"] < datetime.now(UTC)
        assert planted["Arn"] == "arn:aws:iam::111122223333:server-certificate/team/old-web"
        assert read(aws, "old-web")["Tags"] == [{"Key": "team", "Value": "a"}]
        assert delete_code(aws, "old-web") == "OK"

    def test_a_planted_certificate_is_where_it_was_planted(self, aws: Aws) -> None:
        """Account and partition are those of whoever would have uploaded it."""
        planted = seed.plant_certificate("web", account_id=MEMBER_ACCOUNT, region="us-gov-west-1")
        there = aws.client("iam", account_id=MEMBER_ACCOUNT, region="us-gov-west-1")
        [listed] = there.list_server_certificates()["ServerCertificateMetadataList"]
        assert listed == planted
        assert list_names(aws) == []

    def test_a_taken_name_cannot_be_planted(self, aws: Aws) -> None:
        """Names are unique however a certificate got there."""
        upload(aws, "web")
        with pytest.raises(ApiError, match="EntityAlreadyExists"):
            seed.plant_certificate("WEB")


class TestList:
    """Paths and pages."""

    @pytest.mark.parametrize(
        ("prefix", "expected"),
        [("/", ["a", "b", "c"]), ("/team/", ["b", "c"]), ("/team/x/", ["c"]), ("/none/", [])],
    )
    def test_a_path_prefix_narrows_the_list(
        self, aws: Aws, unpatched: Unpatched, prefix: str, expected: list[str]
    ) -> None:
        """Only certificates whose path begins with the prefix are listed."""

        def list_under_prefix() -> list[str]:
            for name, path in (("a", "/"), ("b", "/team/"), ("c", "/team/x/")):
                upload(aws, name, path=path)
            return list_names(aws, PathPrefix=prefix)

        assert list_under_prefix() == expected
        with unpatched(iam.PATCH):
            assert list_under_prefix() == ["a", "b", "c"]

    def test_a_page_has_no_more_than_asked_for(self, aws: Aws, unpatched: Unpatched) -> None:
        """MaxItems cuts the list, and the marker leads to the rest."""

        def list_first_page() -> dict[str, Any]:
            for name in "abc":
                upload(aws, name)
            return dict(aws.client("iam").list_server_certificates(MaxItems=2))

        first = list_first_page()
        assert len(first["ServerCertificateMetadataList"]) == 2
        assert first["IsTruncated"]
        assert list_names(aws, MaxItems=2, Marker=first["Marker"]) == ["c"]
        with unpatched(iam.PATCH):
            moto = list_first_page()
            assert (len(moto["ServerCertificateMetadataList"]), moto["IsTruncated"]) == (3, False)

    def test_the_last_page_is_not_truncated(self, aws: Aws) -> None:
        """A page that ends the list says so, and has no marker."""
        for name in "ab":
            upload(aws, name)
        last = aws.client("iam").list_server_certificates(MaxItems=2)
        assert (last["IsTruncated"], last.get("Marker")) == (False, None)

    def test_iam_may_cut_a_page_short(self, aws: Aws) -> None:
        """A page may have fewer certificates than were asked for, with more to come."""
        aws.knobs.certificate_page_size = 1
        for name in "abc":
            upload(aws, name)
        assert list_names(aws, MaxItems=1000) == ["a"]
        pages = aws.client("iam").get_paginator("list_server_certificates").paginate()
        assert [len(page["ServerCertificateMetadataList"]) for page in pages] == [1, 1, 1]

    def test_a_deletion_between_two_pages_skips_nothing(self, aws: Aws) -> None:
        """Who deletes while reading still sees every certificate."""
        for name in "abcd":
            upload(aws, name)
        first = aws.client("iam").list_server_certificates(MaxItems=2)
        assert delete_code(aws, "a") == "OK"
        assert list_names(aws, Marker=first["Marker"]) == ["c", "d"]


class TestTags:
    """Tags of a certificate, which moto does not have."""

    def test_tags_are_listed_added_overwritten_and_removed(self, aws: Aws) -> None:
        """Tags are a map: each key once, the last value wins."""
        client = aws.client("iam")
        upload(aws, "web", tags={"team": "a", "stage": "test"})
        tagged = [{"Key": "team", "Value": "b"}, {"Key": "iam26:keep", "Value": ""}]
        client.tag_server_certificate(ServerCertificateName="web", Tags=tagged)
        client.untag_server_certificate(ServerCertificateName="web", TagKeys=["stage", "none"])
        listed = client.list_server_certificate_tags(ServerCertificateName="web")
        assert (listed["Tags"], listed["IsTruncated"]) == (tagged, False)
        assert read(aws, "web")["Tags"] == tagged

    def test_tags_come_in_pages(self, aws: Aws) -> None:
        """A page has no more tags than were asked for, and leads to the next one."""
        upload(aws, "web", tags={"a": "1", "b": "2", "c": "3"})
        pages = (
            aws.client("iam")
            .get_paginator("list_server_certificate_tags")
            .paginate(ServerCertificateName="web", PaginationConfig={"PageSize": 2})
        )
        keys = [[tag["Key"] for tag in page["Tags"]] for page in pages]
        assert keys == [["a", "b"], ["c"]]

    @pytest.mark.parametrize(
        ("method", "params"),
        [
            ("list_server_certificate_tags", {}),
            ("tag_server_certificate", {"Tags": [{"Key": "a", "Value": "b"}]}),
            ("untag_server_certificate", {"TagKeys": ["a"]}),
        ],
    )
    def test_moto_has_no_tags(
        self, aws: Aws, unpatched: Unpatched, method: str, params: dict[str, Any]
    ) -> None:
        """Each tag operation works with the patch, asks for a certificate, and lacks in moto."""
        call: Callable[..., Any] = getattr(aws.client("iam"), method)
        assert code_of(call, ServerCertificateName="web", **params) == "NoSuchEntity"
        upload(aws, "web")
        assert code_of(call, ServerCertificateName="web", **params) == "OK"
        with unpatched(iam.PATCH):
            upload(aws, "web")
            assert code_of(call, ServerCertificateName="web", **params) == NOT_IMPLEMENTED

    def test_moto_drops_tags_of_an_upload(self, aws: Aws, unpatched: Unpatched) -> None:
        """Without the patch the tags given at the upload are nowhere."""
        with unpatched(iam.PATCH):
            upload(aws, "web", tags={"team": "a"})
            assert "Tags" not in read(aws, "web")


class TestUpdate:
    """Renaming and moving a certificate, which moto does not have."""

    def test_a_certificate_gets_a_new_name_and_path_and_keeps_its_id(self, aws: Aws) -> None:
        """The ARN follows name and path; the id and the rest stay."""
        before = upload(aws, "web", path="/old/")
        aws.client("iam").update_server_certificate(
            ServerCertificateName="web", NewServerCertificateName="web-2", NewPath="/new/"
        )
        assert list_names(aws) == ["web-2"]
        assert read(aws, "web-2")["ServerCertificateMetadata"] == before | {
            "ServerCertificateName": "web-2",
            "Path": "/new/",
            "Arn": "arn:aws:iam::111122223333:server-certificate/new/web-2",
        }

    def test_the_new_name_must_be_free(self, aws: Aws) -> None:
        """A certificate cannot take the name of another, but may change the case of its own."""
        upload(aws, "web")
        upload(aws, "shop")
        update = aws.client("iam").update_server_certificate
        taken = code_of(update, ServerCertificateName="web", NewServerCertificateName="SHOP")
        own = code_of(update, ServerCertificateName="web", NewServerCertificateName="WEB")
        assert (taken, own) == ("EntityAlreadyExists", "OK")

    def test_moto_cannot_rename(self, aws: Aws, unpatched: Unpatched) -> None:
        """Without the patch the operation is missing."""
        update = aws.client("iam").update_server_certificate
        with unpatched(iam.PATCH):
            upload(aws, "web")
            code = code_of(update, ServerCertificateName="web", NewPath="/new/")
            assert code == NOT_IMPLEMENTED


# What IAM notices by itself; of the others nobody outside AWS knows.
NOTICED = ("classic", "alb", "nlb", "sni", "cloudfront", "cloudfront-twin")


class TestDelete:
    """DeleteConflict, the last guard."""

    def test_an_unused_certificate_is_deleted(self, aws: Aws) -> None:
        """What nothing refers to is gone afterwards, and cannot be deleted again."""
        upload(aws, "web")
        assert delete_code(aws, "web") == "OK"
        assert list_names(aws) == []
        assert delete_code(aws, "web") == "NoSuchEntity"
        get = aws.client("iam").get_server_certificate
        assert code_of(get, ServerCertificateName="web") == "NoSuchEntity"

    @pytest.mark.parametrize("kind", NOTICED)
    def test_a_certificate_in_use_is_kept(self, aws: Aws, unpatched: Unpatched, kind: str) -> None:
        """IAM refuses to delete what a load balancer or distribution serves."""

        def delete_while_used() -> str:
            certificate = upload(aws, "web")
            ATTACHMENTS[kind](aws.client, "user", "us-east-1", certificate)
            return delete_code(aws, "web")

        assert delete_while_used() == "DeleteConflict"
        assert "web" in list_names(aws)
        with unpatched(iam.PATCH):
            assert delete_while_used() == "OK"

    def test_the_conflict_names_id_and_user(self, aws: Aws) -> None:
        """The error says which certificate is in use by what, in any Region."""
        certificate = upload(aws, "web")
        seed.create_classic_load_balancer(
            aws.client, "edge", certificate["Arn"], region="eu-west-1"
        )
        message = message_of(
            aws.client("iam").delete_server_certificate, ServerCertificateName="web"
        )
        user = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/edge"
        assert message == (
            f"Certificate: {certificate['ServerCertificateId']} is currently in use by {user}. "
            "Please remove it first before deleting it from IAM."
        )

    def test_a_renamed_certificate_is_still_in_use(self, aws: Aws) -> None:
        """IAM knows a certificate by its id: a load balancer that has its old ARN uses it."""
        certificate = upload(aws, "web")
        seed.create_classic_load_balancer(aws.client, "edge", certificate["Arn"])
        aws.client("iam").update_server_certificate(
            ServerCertificateName="web", NewServerCertificateName="web-2"
        )
        assert delete_code(aws, "web-2") == "DeleteConflict"

    def test_a_renamed_certificate_is_in_use_by_its_new_name_too(self, aws: Aws) -> None:
        """What is attached after the renaming counts like what was attached before."""
        upload(aws, "web")
        aws.client("iam").update_server_certificate(
            ServerCertificateName="web", NewServerCertificateName="web-2", NewPath="/new/"
        )
        arn = read(aws, "web-2")["ServerCertificateMetadata"]["Arn"]
        seed.create_classic_load_balancer(aws.client, "edge", arn)
        assert delete_code(aws, "web-2") == "DeleteConflict"

    def test_a_certificate_is_free_once_its_user_is_gone(self, aws: Aws) -> None:
        """Deleting the load balancer lifts the conflict."""
        certificate = upload(aws, "web")
        seed.create_classic_load_balancer(aws.client, "edge", certificate["Arn"])
        aws.client("elb").delete_load_balancer(LoadBalancerName="edge")
        assert delete_code(aws, "web") == "OK"

    def test_another_accounts_use_is_none(self, aws: Aws) -> None:
        """A load balancer of another account does not hold a certificate of ours."""
        certificate = upload(aws, "web")
        seed.create_classic_load_balancer(
            aws.client, "edge", certificate["Arn"], account_id=MEMBER_ACCOUNT
        )
        assert delete_code(aws, "web") == "OK"

    def test_iam_may_fail_to_notice(self, aws: Aws) -> None:
        """With the knob off a certificate in use is deleted, as AWS warns that it may be."""
        aws.knobs.guard_certificates_in_use = False
        certificate = upload(aws, "web")
        seed.create_classic_load_balancer(aws.client, "edge", certificate["Arn"])
        assert delete_code(aws, "web") == "OK"

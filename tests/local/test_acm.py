"""ACM: certificates of every kind and key, in pages, and what a list hides unless asked."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from cryptography.x509 import load_pem_x509_certificate

from local.artifact.template import PROJECT
from local.aws.knobs import HOME_REGION, OWN_ACCOUNT
from local.aws.patches import acm, events
from local.aws.server import Aws
from local.fixtures import seed
from local.fixtures.certificates import KeyType, make_domain_certificate
from tests.local.answers import NOT_IMPLEMENTED, code_of, message_of
from tests.local.conftest import Unpatched

EXPIRES = datetime(2095, 3, 1, 12, 30, tzinfo=UTC)
KEY_TYPES: tuple[KeyType, ...] = get_args(KeyType)
ALL_KEYS = {"keyTypes": list(KEY_TYPES)}
OTHER_ACCOUNT = "444455556666"


def list_all(aws: Aws, **params: Any) -> list[dict[str, Any]]:
    pages = aws.client("acm").get_paginator("list_certificates").paginate(**params)
    return [one for page in pages for one in page["CertificateSummaryList"]]


def list_arns(aws: Aws, **params: Any) -> list[str]:
    return [one["CertificateArn"] for one in list_all(aws, **params)]


def describe(aws: Aws, arn: str) -> dict[str, Any]:
    return dict(aws.client("acm").describe_certificate(CertificateArn=arn)["Certificate"])


def read_body(aws: Aws, arn: str) -> bytes:
    body: str = aws.client("acm").get_certificate(CertificateArn=arn)["Certificate"]
    return body.encode()


def import_code(aws: Aws, valid_from: timedelta, expires: timedelta) -> str:
    now = datetime.now(UTC)
    files = make_domain_certificate(
        "example.com", now + valid_from, now + expires, key_type="EC_prime256v1"
    )
    return code_of(
        aws.client("acm").import_certificate,
        Certificate=files.body.encode(),
        PrivateKey=files.private_key.encode(),
    )


class TestImported:
    """What was imported through the API."""

    @pytest.mark.parametrize("key_type", KEY_TYPES)
    def test_an_imported_certificate_is_what_its_pem_says(
        self, aws: Aws, key_type: KeyType
    ) -> None:
        """List and description agree on domain, key and dates."""
        arn = seed.import_acm_certificate(
            aws.client, "api.example.com", key_type=key_type, expires=EXPIRES
        )
        [listed] = list_all(aws, Includes={"keyTypes": [key_type]})
        for shown in (listed, describe(aws, arn)):
            assert shown["CertificateArn"] == arn
            assert shown["DomainName"] == "api.example.com"
            assert (shown["Type"], shown["Status"]) == ("IMPORTED", "ISSUED")
            assert shown["KeyAlgorithm"] == key_type
            assert shown["NotAfter"] == EXPIRES
            assert shown["NotBefore"] < shown["ImportedAt"] <= datetime.now(UTC)

    @pytest.mark.parametrize(
        ("valid_from", "expires"),
        [
            (timedelta(days=-90), timedelta(seconds=-2)),
            (timedelta(seconds=30), timedelta(days=90)),
        ],
        ids=["expired", "not yet valid"],
    )
    def test_what_is_not_valid_now_cannot_be_imported(
        self, aws: Aws, valid_from: timedelta, expires: timedelta
    ) -> None:
        """ACM takes no certificate that has expired, or that is not valid yet."""
        assert import_code(aws, valid_from, expires) == "ValidationException"

    def test_tags_come_back(self, aws: Aws) -> None:
        """Tags are given with the import."""
        arn = seed.import_acm_certificate(aws.client, "example.com", tags={"team": "a"})
        tags = aws.client("acm").list_tags_for_certificate(CertificateArn=arn)["Tags"]
        assert tags == [{"Key": "team", "Value": "a"}]

    def test_a_deleted_certificate_is_gone(self, aws: Aws) -> None:
        """A certificate can be deleted once."""
        arn = seed.import_acm_certificate(aws.client, "example.com")
        delete = aws.client("acm").delete_certificate
        assert code_of(delete, CertificateArn=arn) == "OK"
        assert list_arns(aws) == []
        assert code_of(delete, CertificateArn=arn) == "ResourceNotFoundException"

    def test_reimport_renews_under_the_same_arn(self, aws: Aws) -> None:
        """Who renews an imported certificate imports it again under its ARN."""
        arn = seed.import_acm_certificate(aws.client, "example.com")
        now = datetime.now(UTC)
        files = make_domain_certificate(
            "example.com", now - timedelta(days=1), EXPIRES, key_type="RSA_2048"
        )
        aws.client("acm").import_certificate(
            CertificateArn=arn,
            Certificate=files.body.encode(),
            PrivateKey=files.private_key.encode(),
        )
        [listed] = list_all(aws)
        assert (listed["CertificateArn"], listed["NotAfter"]) == (arn, EXPIRES)


class TestNames:
    """The names that a certificate is for."""

    def test_a_certificate_without_a_domain_has_no_name(
        self, aws: Aws, unpatched: Unpatched
    ) -> None:
        """Neither list nor description shows a field for what is not there."""

        def import_nameless() -> tuple[dict[str, Any], dict[str, Any]]:
            arn = seed.import_acm_certificate(aws.client, None)
            [listed] = list_all(aws, Includes=ALL_KEYS)
            return listed, describe(aws, arn)

        assert all("DomainName" not in shown for shown in import_nameless())
        with unpatched(acm.PATCH):
            assert [shown["DomainName"] for shown in import_nameless()] == ["", ""]

    @pytest.mark.parametrize("domain", ["*.example.com", f"{'a' * 60}.{'b' * 60}.example.com"])
    def test_a_domain_is_listed_as_it_is(self, aws: Aws, domain: str) -> None:
        """A wildcard, and a name that is too long for a subject, are listed in full."""
        arn = seed.plant_acm_certificate(domain)
        [listed] = list_all(aws)
        assert listed["DomainName"] == describe(aws, arn)["DomainName"] == domain
        assert listed["SubjectAlternativeNameSummaries"] == [domain]
        assert listed["HasAdditionalSubjectAlternativeNames"] is False


class TestList:
    """What a list shows, and in which portions."""

    def test_without_being_asked_it_hides_other_keys_and_certificates_without_a_domain(
        self, aws: Aws, unpatched: Unpatched
    ) -> None:
        """RSA keys of 1024 and 2048 bits are shown, and only with a domain."""

        def plant_all() -> set[str]:
            for key_type in KEY_TYPES:
                seed.plant_acm_certificate("example.com", key_type=key_type)
            seed.plant_acm_certificate(None)
            return {one["KeyAlgorithm"] for one in list_all(aws) if one.get("DomainName")}

        assert plant_all() == {"RSA_1024", "RSA_2048"}
        assert len(list_all(aws)) == 2
        assert len(list_all(aws, Includes=ALL_KEYS)) == len(KEY_TYPES) + 1
        with unpatched(acm.PATCH):
            assert plant_all() == set(KEY_TYPES)

    def test_key_types_are_shown_as_asked_for(self, aws: Aws) -> None:
        """Who asks for types gets those, and no others."""
        for key_type in KEY_TYPES:
            seed.plant_acm_certificate("example.com", key_type=key_type)
        wanted = ["EC_secp384r1", "RSA_4096"]
        shown = list_all(aws, Includes={"keyTypes": wanted})
        assert sorted(one["KeyAlgorithm"] for one in shown) == wanted

    def test_a_status_narrows_the_list(self, aws: Aws) -> None:
        """Only certificates of the statuses asked for are listed."""
        expired = seed.plant_acm_certificate(
            "old.example.com", expires=datetime.now(UTC) - timedelta(days=5)
        )
        valid = seed.plant_acm_certificate("new.example.com")
        assert list_arns(aws, CertificateStatuses=["EXPIRED"]) == [expired]
        assert list_arns(aws, CertificateStatuses=["ISSUED"]) == [valid]

    def test_another_filter_is_refused(self, aws: Aws) -> None:
        """A filter that is not played is an error and not a list of everything."""
        listing = aws.client("acm").list_certificates
        assert code_of(listing, Includes={"keyUsage": ["ANY"]}) == "OK"
        seed.plant_acm_certificate("example.com")
        assert code_of(listing, Includes={"keyUsage": ["ANY"]}) == NOT_IMPLEMENTED

    def test_a_page_has_no_more_than_asked_for(self, aws: Aws, unpatched: Unpatched) -> None:
        """MaxItems cuts the list, and the token leads to the rest, whatever is deleted."""

        def list_first_page() -> dict[str, Any]:
            for number in range(4):
                seed.plant_acm_certificate(f"{number}.example.com")
            return dict(aws.client("acm").list_certificates(MaxItems=2))

        first = list_first_page()
        arns = list_arns(aws)
        assert [one["CertificateArn"] for one in first["CertificateSummaryList"]] == arns[:2]
        aws.client("acm").delete_certificate(CertificateArn=arns[1])
        rest = aws.client("acm").list_certificates(MaxItems=2, NextToken=first["NextToken"])
        assert [one["CertificateArn"] for one in rest["CertificateSummaryList"]] == arns[2:]
        assert "NextToken" not in rest
        with unpatched(acm.PATCH):
            assert len(list_first_page()["CertificateSummaryList"]) == 4

    def test_a_page_has_a_limit(self, aws: Aws) -> None:
        """Nobody gets more than 1,000 certificates in a page."""
        message = message_of(aws.client("acm").list_certificates, MaxItems=1001)
        assert "'1001' at 'maxItems'" in message
        assert "less than or equal to 1000" in message

    def test_250_certificates_take_three_pages(self, aws: Aws) -> None:
        """Who names no number gets 100 in a page, and every certificate once."""
        planted = [seed.plant_acm_certificate(f"{number}.example.com") for number in range(250)]
        pages = aws.client("acm").get_paginator("list_certificates").paginate()
        assert [len(page["CertificateSummaryList"]) for page in pages] == [100, 100, 50]
        assert list_arns(aws) == sorted(planted)

    def test_certificates_share_a_key(self, aws: Aws) -> None:
        """Making a key takes so long that a test could not have hundreds of them otherwise."""
        first, second = (
            load_pem_x509_certificate(read_body(aws, seed.plant_acm_certificate(domain)))
            for domain in ("a.example.com", "b.example.com")
        )
        assert first.serial_number != second.serial_number
        assert first.public_key() == second.public_key()

    def test_certificates_belong_to_their_account_and_region(self, aws: Aws) -> None:
        """What is planted elsewhere is not listed here."""
        arn = seed.plant_acm_certificate(
            "example.com", account_id=OTHER_ACCOUNT, region="us-gov-west-1"
        )
        assert arn.startswith(f"arn:aws-us-gov:acm:us-gov-west-1:{OTHER_ACCOUNT}:certificate/")
        there = aws.client("acm", account_id=OTHER_ACCOUNT, region="us-gov-west-1")
        [listed] = there.list_certificates()["CertificateSummaryList"]
        assert listed["CertificateArn"] == arn
        assert list_arns(aws) == []


class TestIssued:
    """What ACM issues itself."""

    def test_a_requested_certificate_has_no_dates_before_it_is_issued(
        self, aws: Aws, unpatched: Unpatched
    ) -> None:
        """While its domain waits for validation there is nothing that could expire."""

        def request() -> tuple[dict[str, Any], dict[str, Any]]:
            made = aws.client("acm").request_certificate(DomainName="www.example.com")
            [listed] = list_all(aws)
            return listed, describe(aws, made["CertificateArn"])

        for shown in request():
            assert shown["Status"] == "PENDING_VALIDATION"
            assert shown["Type"] == "AMAZON_ISSUED"
            assert "CreatedAt" in shown
            assert not shown.keys() & {"NotBefore", "NotAfter", "IssuedAt", "Serial"}
        with unpatched(acm.PATCH):
            assert all("NotAfter" in shown for shown in request())

    @pytest.mark.parametrize("kind", ["AMAZON_ISSUED", "PRIVATE"])
    def test_an_issued_certificate_can_be_planted(
        self, aws: Aws, kind: acm.CertificateType
    ) -> None:
        """It has its type and its dates, and no date of an import."""
        arn = seed.plant_acm_certificate("www.example.com", kind=kind, expires=EXPIRES)
        [listed] = list_all(aws)
        for shown in (listed, describe(aws, arn)):
            assert (shown["Type"], shown["Status"]) == (kind, "ISSUED")
            assert (shown["NotAfter"], shown["IssuedAt"]) == (EXPIRES, shown["NotBefore"])
            assert "ImportedAt" not in shown

    def test_an_expired_certificate_can_be_planted(self, aws: Aws) -> None:
        """Nobody can import one: it was valid when it came."""
        arn = seed.plant_acm_certificate(
            "old.example.com", expires=datetime.now(UTC) - timedelta(days=5), tags={"team": "a"}
        )
        shown = describe(aws, arn)
        assert shown["Status"] == "EXPIRED"
        assert shown["ImportedAt"] < shown["NotAfter"] < datetime.now(UTC)
        tags = aws.client("acm").list_tags_for_certificate(CertificateArn=arn)["Tags"]
        assert tags == [{"Key": "team", "Value": "a"}]

    def test_a_key_that_moto_would_not_make_is_refused(
        self, aws: Aws, unpatched: Unpatched
    ) -> None:
        """A request for another key is an error and not a certificate with the usual one."""
        request = aws.client("acm").request_certificate
        params = {"DomainName": "www.example.com", "KeyAlgorithm": "EC_prime256v1"}
        assert code_of(request, **params) == NOT_IMPLEMENTED
        with unpatched(acm.PATCH):
            assert code_of(request, **params) == "OK"


SAMPLES = sorted((PROJECT / "events" / "expiry-alarms-function").glob("*.json"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_event_reaches_a_rule_as_it_is(aws: Aws, path: Any) -> None:
    """The local bus carries ACM's own events to a rule for them."""
    event = json.loads(path.read_text())
    client, sqs = aws.client("events"), aws.client("sqs")
    url = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    pattern = {"source": ["aws.acm"], "detail-type": [event["detail-type"]]}
    client.put_rule(Name="to-inbox", EventPattern=json.dumps(pattern))
    arn = f"arn:aws:sqs:{HOME_REGION}:{OWN_ACCOUNT}:inbox"
    client.put_targets(Rule="to-inbox", Targets=[{"Id": "inbox", "Arn": arn}])

    events.emit(OWN_ACCOUNT, HOME_REGION, event)

    [message] = sqs.receive_message(QueueUrl=url)["Messages"]
    received = json.loads(message["Body"])
    assert received.pop("time") != event.pop("time")  # the bus stamps it anew
    assert received == event

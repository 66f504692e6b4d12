"""Certificates: their ARNs, what names them, and when they have expired."""

from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from local.aws.knobs import OWN_ACCOUNT
from models.certificate import CertificateArn, CertificateIdentifier, IdentifierKind
from tests.builders import (
    CERTIFICATE_ID,
    EXPIRATION,
    NOW,
    OTHER_ACCOUNT,
    make_arn,
    make_certificate,
)

ASCII_WORD = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
LONG_PATH = "/" + "/".join(["team"] * 102) + "/"

names = st.text(f"{ASCII_WORD}+=,.@-", min_size=1, max_size=128)
# IAM's pattern of a path: every printable ASCII character between two slashes.
paths = st.just("/") | st.text(
    [chr(code) for code in range(0x21, 0x7F)], min_size=1, max_size=510
).map(lambda inner: f"/{inner}/")
partitions = st.sampled_from(["aws", "aws-cn", "aws-us-gov"])


def parse(resource_id: str) -> CertificateIdentifier:
    identifier = CertificateIdentifier.parse(resource_id)
    assert identifier is not None
    return identifier


class TestArn:
    """The ARN of a server certificate."""

    @given(partitions, paths, names)
    def test_every_part_is_read(self, partition: str, path: str, name: str) -> None:
        """Every path and name that IAM allows is read back from an ARN."""
        text = make_arn(name, path=path, partition=partition)
        assert CertificateArn.parse(text) == (partition, OWN_ACCOUNT, path, name)

    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("/", "web"),
            ("/cloudfront/", "web"),
            ("/a:server-certificate/b/", "web"),
            (LONG_PATH, "n" * 128),
            ("/old/", "a+b=c,d.e@f-g_h"),
            ("/", "..."),
        ],
    )
    def test_odd_but_legal(self, path: str, name: str) -> None:
        """Long paths, long names and every sign of a name are understood."""
        arn = CertificateArn.parse(make_arn(name, path=path))
        assert arn is not None
        assert (arn.path, arn.name) == (path, name)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "web",
            make_arn(""),
            make_arn("n" * 129),
            make_arn("w\u00e9b"),
            make_arn("web\n"),
            f" {make_arn()}",
            f"{make_arn()} x",
            make_arn(path="/two words/"),
            make_arn(path=""),
            make_arn(account_id=""),
            make_arn(account_id="1234"),
            make_arn(account_id="\u0661" * 12),
            make_arn(partition=""),
            make_arn().replace(":iam:", ":acm:"),
            make_arn().replace("::", ":us-east-1:", 1),
            make_arn().replace("server-certificate", "role"),
            make_arn().upper(),
        ],
    )
    def test_any_other_text(self, text: str) -> None:
        """Whatever is no ARN of a server certificate, to the letter, has no parts."""
        assert CertificateArn.parse(text) is None


class TestNaming:
    """What a holder calls a certificate."""

    @pytest.mark.parametrize(
        "identifier",
        [
            make_arn(),
            CERTIFICATE_ID,
            make_arn(path="/"),
            make_arn(path="/elsewhere/"),
            make_arn("Example-Cert"),
            make_arn(partition="aws-cn"),
        ],
    )
    def test_names_it(self, identifier: str) -> None:
        """Its ARN, its id, and any ARN of its account that ends in its name mean it."""
        assert make_certificate().is_named_by(identifier)

    @pytest.mark.parametrize(
        "identifier",
        [
            "",
            "example-cert",
            CERTIFICATE_ID[:-1],
            CERTIFICATE_ID.lower(),
            make_arn("example-cert-2"),
            make_arn("example"),
            make_arn("old"),
            make_arn(account_id=OTHER_ACCOUNT),
            make_arn("other", path="/old/example-cert/"),
            "arn:aws:acm:us-east-1:111122223333:certificate/example-cert",
        ],
    )
    def test_names_another(self, identifier: str) -> None:
        """Other names, other accounts, other services and a bare name do not mean it."""
        assert not make_certificate().is_named_by(identifier)

    @given(paths, paths, names)
    def test_path_does_not_matter(self, own: str, held: str, name: str) -> None:
        """Wherever a certificate was moved, a holder that kept its old ARN still means it."""
        assert make_certificate(name, path=own).is_named_by(make_arn(name, path=held))

    @given(names, names)
    def test_name_matters(self, own: str, held: str) -> None:
        """An ARN means the certificate if and only if the names are the same but for case."""
        named = make_certificate(own).is_named_by(make_arn(held))
        assert named == (own.lower() == held.lower())


class TestIdentifier:
    """How a finding names its certificate, and which certificate that is."""

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Whatever a resource id holds, it is an identifier or none, and never an error."""
        identifier = CertificateIdentifier.parse(text)
        if identifier:
            assert identifier.text in text
            assert identifier.text.isascii()

    @given(paths, names)
    def test_arn_finds_its_certificate(self, path: str, name: str) -> None:
        """An ARN finds the certificate of its name among others."""
        others = (make_certificate(f"{name}-2"[:128], path=path), make_certificate("other"))
        assume(name not in {one.name for one in others})
        own = make_certificate(name, path=path)
        found = parse(own.arn).find_in((own, *others))
        assert found == (own,)

    @pytest.mark.parametrize(
        "resource_id",
        [
            make_arn("web"),
            make_arn("web", path="/"),
            "web",
            "AWS::IAM::ServerCertificate:web",
            "ASCAEXAMPLE0000000002",
            "AWS::IAM::ServerCertificate:ASCAEXAMPLE0000000002",
            make_arn("ASCAEXAMPLE0000000002"),
            make_arn("ASCAEXAMPLE0000000002", path="/"),
        ],
    )
    def test_every_form_finds_it(self, resource_id: str) -> None:
        """Every form of a resource id finds the one certificate that it means."""
        web = make_certificate("web", id="ASCAEXAMPLE0000000002")
        certificates = (make_certificate("web-2"), web, make_certificate("we"))
        assert parse(resource_id).find_in(certificates) == (web,)

    @pytest.mark.parametrize("resource_id", [make_arn("web"), "web", "ASCAEXAMPLE0000000009"])
    def test_finds_nothing(self, resource_id: str) -> None:
        """Where there is no such certificate, none that looks alike is returned."""
        certificates = (make_certificate("web-2"), make_certificate("we"))
        assert parse(resource_id).find_in(certificates) == ()

    def test_name_that_looks_like_an_id(self) -> None:
        """A certificate whose name is another one's id is not told from it."""
        named = make_certificate(CERTIFICATE_ID, id="ASCAEXAMPLE0000000002")
        own = make_certificate("web", id=CERTIFICATE_ID)
        for resource_id in (CERTIFICATE_ID, make_arn(CERTIFICATE_ID)):
            assert parse(resource_id).find_in((named,)) == (named,)
            assert set(parse(resource_id).find_in((named, own))) == {named, own}

    @pytest.mark.parametrize(
        ("resource_id", "kind", "last", "proves_absence"),
        [
            (make_arn("web"), IdentifierKind.ARN, "web", True),
            (CERTIFICATE_ID, IdentifierKind.ID, CERTIFICATE_ID, True),
            (make_arn(CERTIFICATE_ID), IdentifierKind.ARN, CERTIFICATE_ID, True),
            (f"{CERTIFICATE_ID}-old", IdentifierKind.NAME, f"{CERTIFICATE_ID}-old", False),
            ("ASCA123", IdentifierKind.NAME, "ASCA123", False),
            (CERTIFICATE_ID.lower(), IdentifierKind.NAME, CERTIFICATE_ID.lower(), False),
            ("web", IdentifierKind.NAME, "web", False),
        ],
    )
    def test_what_proves_absence(
        self, resource_id: str, kind: IdentifierKind, last: str, *, proves_absence: bool
    ) -> None:
        """That nothing is found proves absence for an ARN and an id, but not for a bare name."""
        identifier = parse(resource_id)
        assert (identifier.kind, identifier.last) == (kind, last)
        assert identifier.proves_absence is proves_absence

    @pytest.mark.parametrize(
        ("resource_id", "agrees"),
        [
            (make_arn(), True),
            (make_arn(path="/"), True),
            (make_arn(path="/new/"), False),
            (make_arn(path="/old/er/"), False),
            ("example-cert", True),
            (CERTIFICATE_ID, True),
            (make_arn(CERTIFICATE_ID), True),
            (make_arn(CERTIFICATE_ID, path="/new/"), True),
        ],
    )
    def test_path_must_agree(self, resource_id: str, *, agrees: bool) -> None:
        """An ARN with a path agrees only with a certificate at that path."""
        assert parse(resource_id).agrees_with(make_certificate()) is agrees


class TestExpiry:
    """When a certificate has expired."""

    @pytest.mark.parametrize(
        ("seconds", "expired"), [(-1, False), (-0.000001, False), (0, True), (1, True)]
    )
    def test_expires_at_the_moment(self, seconds: float, *, expired: bool) -> None:
        """A certificate has expired from the moment of its expiration on."""
        now = EXPIRATION + timedelta(seconds=seconds)
        assert make_certificate().is_expired(now) is expired

    @pytest.mark.parametrize(
        ("moment", "in_grace"),
        [
            (timedelta(seconds=-1), False),
            (timedelta(0), True),
            (timedelta(days=14, seconds=-1), True),
            (timedelta(days=14), False),
            (timedelta(days=15), False),
        ],
    )
    def test_grace_ends_at_the_moment(self, moment: timedelta, *, in_grace: bool) -> None:
        """The grace period begins with the expiration and is over right when it ends."""
        certificate = make_certificate()
        assert certificate.is_in_grace(EXPIRATION + moment, timedelta(days=14)) is in_grace

    @given(st.timedeltas(min_value=timedelta(days=-3000), max_value=timedelta(days=3000)))
    def test_no_grace(self, moment: timedelta) -> None:
        """Without a grace period no certificate is ever in it."""
        assert not make_certificate().is_in_grace(EXPIRATION + moment, timedelta(0))

    def test_unknown_expiry_proves_nothing(self) -> None:
        """A certificate without an expiration has not expired."""
        certificate = make_certificate(expiration=None)
        assert not certificate.is_expired(NOW)
        assert not certificate.is_in_grace(NOW, timedelta(days=3650))

    def test_last_representable_expiry(self) -> None:
        """An expiration at the end of time is no error, with the longest grace period too."""
        certificate = make_certificate(expiration="9999-12-31T23:59:59Z")
        assert not certificate.is_expired(NOW)
        assert not certificate.is_in_grace(NOW, timedelta(days=3650))

    @pytest.mark.parametrize(
        "odd",
        ["2026-10-21T06:00:00", "soon", "", "0000-00-00T00:00:00Z", 0, 1e300, EXPIRATION.date()],
    )
    def test_odd_expiry_proves_nothing(self, odd: object) -> None:
        """An expiration that is no point in time is not known, and no error."""
        certificate = make_certificate(expiration=odd)
        assert certificate.expiration is None
        assert not certificate.is_expired(NOW)

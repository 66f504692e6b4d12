"""A certificate to try the application with, on an account of one's own."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.__main__ import main
from local.aws.server import Aws
from tests.local.answers import code_of


def test_a_short_lived_certificate_can_be_uploaded_and_soon_expires(
    aws: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is written is valid now, for as many minutes as were asked for, and IAM takes it."""
    folder = tmp_path / "try"
    assert main(["certificate", str(folder), "--minutes", "7"]) == 0

    uploaded = aws.client("iam").upload_server_certificate(
        ServerCertificateName="iam26-try",
        CertificateBody=(folder / "certificate.pem").read_text(),
        PrivateKey=(folder / "private-key.pem").read_text(),
    )["ServerCertificateMetadata"]
    left = uploaded["Expiration"] - datetime.now(UTC)
    assert timedelta(minutes=6) < left <= timedelta(minutes=7)
    assert f"expires at {uploaded['Expiration']:%Y-%m-%d %H:%M:%S} UTC" in capsys.readouterr().out
    assert stat.S_IMODE((folder / "private-key.pem").stat().st_mode) == 0o600


def test_a_certificate_whose_minutes_are_over_cannot_be_uploaded(aws: Aws, tmp_path: Path) -> None:
    """Who waits too long before the upload has to make another one."""
    assert main(["certificate", str(tmp_path), "--minutes", "-1"]) == 0

    code = code_of(
        aws.client("iam").upload_server_certificate,
        ServerCertificateName="iam26-try",
        CertificateBody=(tmp_path / "certificate.pem").read_text(),
        PrivateKey=(tmp_path / "private-key.pem").read_text(),
    )
    assert code == "MalformedCertificate"

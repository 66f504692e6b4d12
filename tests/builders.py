"""Certificates, findings and events as tests need them: typical, except for what is said."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from models.certificate import CertificateFiles, ServerCertificate
from models.finding import Finding
from models.reference import Coverage, Reference, References

ACCOUNT = "111122223333"
OTHER_ACCOUNT = "999988887777"
PRODUCT_ARN = "arn:aws:securityhub:us-east-1::product/aws/securityhub"
CERTIFICATE_ID = "ASCAEXAMPLE0000000001"
NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
EXPIRATION = NOW - timedelta(days=30)
EVENTS = Path(__file__).parent.parent / "events"


def make_arn(
    name: str = "example-cert",
    *,
    path: str = "/old/",
    account_id: str = ACCOUNT,
    partition: str = "aws",
) -> str:
    """Give the ARN of a server certificate."""
    return f"arn:{partition}:iam::{account_id}:server-certificate{path}{name}"


def make_certificate(
    name: str = "example-cert", *, path: str = "/old/", **overrides: Any
) -> ServerCertificate:
    """Give a certificate of our account that expired 30 days before `NOW`."""
    fields = {
        "name": name,
        "id": CERTIFICATE_ID,
        "arn": make_arn(name, path=path),
        "path": path,
        "expiration": EXPIRATION,
    }
    return ServerCertificate.model_validate(fields | overrides)


def make_files(**overrides: Any) -> CertificateFiles:
    """Give a certificate with what IAM gives back of it."""
    fields: dict[str, Any] = {"certificate": make_certificate(), "body": "PEM of the certificate"}
    return CertificateFiles.model_validate(fields | overrides)


def make_raw_finding(**overrides: Any) -> dict[str, Any]:
    """Give a failed IAM.26 finding in the AWS Security Finding Format."""
    raw: dict[str, Any] = {
        "Id": f"arn:aws:securityhub:us-east-1:{ACCOUNT}:security-control/IAM.26/finding/1",
        "ProductArn": PRODUCT_ARN,
        "AwsAccountId": ACCOUNT,
        "CreatedAt": "2026-11-19T17:21:00.000Z",
        "Resources": [{"Type": "AwsIamServerCertificate", "Id": make_arn()}],
        "Compliance": {"Status": "FAILED", "SecurityControlId": "IAM.26"},
        "Workflow": {"Status": "NEW"},
        "RecordState": "ACTIVE",
    }
    return raw | overrides


def make_finding(**overrides: Any) -> Finding:
    """Give a failed IAM.26 finding; overrides have the names of its raw fields."""
    return Finding.model_validate(make_raw_finding(**overrides))


def make_reference(identifier: str, **overrides: Any) -> Reference:
    """Give the use of a certificate by a live load balancer."""
    fields = {
        "source": "Classic Load Balancer",
        "region": "us-east-1",
        "holder": "edge:443",
        "identifier": identifier,
    }
    return Reference.model_validate(fields | overrides)


def make_references(*found: Reference, **overrides: Any) -> References:
    """Give a scan at `NOW` that read one place and found these references."""
    read = Coverage(source="Classic Load Balancer", region="us-east-1", examined=3, checked_at=NOW)
    fields: dict[str, Any] = {
        "started_at": NOW,
        "finished_at": NOW,
        "found": found,
        "coverage": (read,),
    }
    return References.model_validate(fields | overrides)


def read_sample_event(name: str) -> dict[str, Any]:
    """Give a sample event of `events/`."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event

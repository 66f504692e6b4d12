"""Certificates, findings and events as tests need them: typical, except for what is said."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from local.aws.knobs import OWN_ACCOUNT
from local.fixtures import findings
from models.certificate import CertificateFiles, ServerCertificate
from models.conclusions import conclude_in_use
from models.finding import Finding
from models.reference import Coverage, Reference, References
from models.report import CertificateReport

MEMBER_ACCOUNT = "444455556666"
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
    account_id: str = OWN_ACCOUNT,
    partition: str = "aws",
) -> str:
    """Return the ARN of a server certificate."""
    return f"arn:{partition}:iam::{account_id}:server-certificate{path}{name}"


def make_certificate(
    name: str = "example-cert", *, path: str = "/old/", **overrides: Any
) -> ServerCertificate:
    """Return a certificate of our account that expired 30 days before `NOW`."""
    fields = {
        "name": name,
        "id": CERTIFICATE_ID,
        "arn": make_arn(name, path=path),
        "path": path,
        "expiration": EXPIRATION,
    }
    return ServerCertificate.model_validate(fields | overrides)


def make_files(**overrides: Any) -> CertificateFiles:
    """Return a certificate with what IAM returns of it."""
    fields: dict[str, Any] = {"certificate": make_certificate(), "body": "PEM of the certificate"}
    return CertificateFiles.model_validate(fields | overrides)


def make_raw_finding(**overrides: Any) -> dict[str, Any]:
    """Return a failed IAM.26 finding in the AWS Security Finding Format."""
    reported = datetime(2026, 11, 19, 17, 21, tzinfo=UTC)
    raw = findings.make_raw_finding(make_arn(), created_at=reported, unique_id="1")
    # One names the resource again, the other tells of an evaluation: a test that wants it says so.
    del raw["ProductFields"], raw["UpdatedAt"]
    return raw | overrides


def make_finding(**overrides: Any) -> Finding:
    """Return a failed IAM.26 finding; overrides have the names of its raw fields."""
    return Finding.model_validate(make_raw_finding(**overrides))


def make_reference(identifier: str, **overrides: Any) -> Reference:
    """Return the use of a certificate by a live load balancer."""
    fields = {
        "source": "Classic Load Balancer",
        "region": "us-east-1",
        "holder": "edge:443",
        "identifier": identifier,
    }
    return Reference.model_validate(fields | overrides)


def make_references(*found: Reference, **overrides: Any) -> References:
    """Return a scan at `NOW` that read one place and found these references."""
    read = Coverage(source="Classic Load Balancer", region="us-east-1", examined=3, checked_at=NOW)
    fields: dict[str, Any] = {
        "started_at": NOW,
        "finished_at": NOW,
        "found": found,
        "coverage": (read,),
    }
    return References.model_validate(fields | overrides)


def make_report(name: str = "web", **overrides: Any) -> CertificateReport:
    """Return the report of a certificate that one listener uses."""
    holders = ["Load balancer listener edge-00:443 in eu-central-1"]
    fields: dict[str, Any] = {
        "account_id": OWN_ACCOUNT,
        "arn": make_arn(name),
        "resource_id": make_arn(name),
        "certificate_id": CERTIFICATE_ID,
        "conclusion": conclude_in_use(make_certificate(name), holders, "examined a lot"),
    }
    return CertificateReport.model_validate(fields | overrides)


def read_sample_event(name: str) -> dict[str, Any]:
    """Return a sample event of `events/`."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event

"""IAM: server certificates with their own dates, ids, tags, paths and references.

moto reads no certificate: each one expired in 2012 and has the same id, and junk, duplicate names
and certificates that are not valid are accepted. Its lists ignore paths and pages, it has no tags
and no renaming, and it deletes a certificate in use. So all of these are as in AWS here.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from moto.cloudfront.models import cloudfront_backends
from moto.elb.models import elb_backends
from moto.elbv2.models import elbv2_backends
from moto.iam.models import Certificate, IAMBackend, iam_backends
from moto.iam.responses import IamResponse
from moto.utilities.utils import get_partition

from local.aws.knobs import knobs
from local.aws.patches.patch import ApiError, Patch, Request, take_page

PATCH = Patch("iam")

_ID_ALPHABET = string.ascii_uppercase + string.digits


class ServerCertificate(Certificate):
    """A server certificate that knows what its PEM says and every ARN it ever had."""

    # moto files models by the second part of their module's name.
    __module__ = "moto.iam.local"

    def __init__(
        self, account_id: str, region: str, partition: str, params: Mapping[str, Any]
    ) -> None:
        super().__init__(
            account_id=account_id,
            region_name=region,
            cert_name=params["ServerCertificateName"],
            cert_body=params["CertificateBody"],
            private_key=params["PrivateKey"],
            cert_chain=params.get("CertificateChain"),
            path=params.get("Path"),
        )
        self.partition = partition
        self.id = "ASCA" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(17))
        read = _read_certificate(self.cert_body, self.private_key)
        self.valid_from = read.not_valid_before_utc
        self.expiration = read.not_valid_after_utc
        self.upload_date = datetime.now(UTC)
        self.tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags", [])}
        self.arns = {self.arn}

    def move(self, name: str | None, path: str | None) -> None:
        """Take a new name or path; the id stays."""
        self.cert_name = name or self.cert_name
        self.path = path or self.path
        self.arns.add(self.arn)

    def describe(self) -> dict[str, Any]:
        """Return ServerCertificateMetadata."""
        return {
            "ServerCertificateName": self.cert_name,
            "ServerCertificateId": self.id,
            "Path": self.path,
            "Arn": self.arn,
            "UploadDate": self.upload_date,
            "Expiration": self.expiration,
        }

    def list_tags(self) -> list[dict[str, str]]:
        """Return the tags as the API writes them."""
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]


def _read_certificate(body: str, private_key: str) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificate(body.encode())
        key = load_pem_private_key(private_key.encode(), password=None)
    except ValueError as error:
        raise ApiError(
            "MalformedCertificate",
            "Unable to parse certificate. Please ensure the certificate is in PEM format.",
        ) from error
    if key.public_key() != certificate.public_key():
        raise ApiError("KeyPairMismatch", "Private key does not match the certificate.")
    return certificate


def _backend(request: Request) -> IAMBackend:
    return _backend_of(request.account, request.partition)


def _backend_of(account_id: str, partition: str) -> IAMBackend:
    return iam_backends[account_id][partition]


def _find(request: Request) -> ServerCertificate:
    name = request.params["ServerCertificateName"]
    for certificate in _certificates(_backend(request)):
        if certificate.cert_name == name:
            return certificate
    raise ApiError("NoSuchEntity", f"The Server Certificate with name {name} cannot be found.")


def _certificates(backend: IAMBackend) -> list[ServerCertificate]:
    held: Any = backend.certificates.values()
    return sorted(held, key=lambda certificate: str(certificate.cert_name))


def _refuse_taken_name(backend: IAMBackend, name: str) -> None:
    # Names are unique whatever their case.
    if any(name.lower() == held.cert_name.lower() for held in _certificates(backend)):
        raise ApiError(
            "EntityAlreadyExists", f"The Server Certificate with name {name} already exists."
        )


def _refuse_invalid(certificate: ServerCertificate) -> None:
    if not certificate.valid_from <= certificate.upload_date <= certificate.expiration:
        raise ApiError(
            "MalformedCertificate",
            f"Certificate is not valid at this moment: it is valid from {certificate.valid_from} "
            f"to {certificate.expiration}.",
        )


def _keep(certificate: ServerCertificate) -> None:
    backend = _backend_of(certificate.account_id, certificate.partition)
    _refuse_taken_name(backend, certificate.cert_name)
    backend.certificates[certificate.id] = certificate


def plant_certificate(params: Mapping[str, Any], *, account_id: str, region: str) -> dict[str, Any]:
    """Put a certificate in beside the API, and return its metadata.

    It takes the parameters of UploadServerCertificate. The certificate counts as uploaded when it
    became valid, so it may have expired since: the API refuses to upload one that has.
    """
    certificate = ServerCertificate(account_id, region, get_partition(region), params)
    certificate.upload_date = certificate.valid_from
    _keep(certificate)
    return certificate.describe()


@PATCH.replace_operation(IamResponse, "UploadServerCertificate")
def upload(request: Request) -> dict[str, Any]:
    """Answer UploadServerCertificate."""
    certificate = ServerCertificate(
        request.account, request.region, request.partition, request.params
    )
    _refuse_invalid(certificate)
    _keep(certificate)
    return {
        "ServerCertificateMetadata": certificate.describe(),
        "Tags": certificate.list_tags() or None,
    }


@PATCH.replace_operation(IamResponse, "ListServerCertificates")
def list_certificates(request: Request) -> dict[str, Any]:
    """Answer ListServerCertificates."""
    prefix = request.params.get("PathPrefix", "/")
    after = request.params.get("Marker", "")
    # The marker is a name, so a deletion between two pages skips nothing.
    held = [
        certificate
        for certificate in _certificates(_backend(request))
        if certificate.path.startswith(prefix) and certificate.cert_name > after
    ]
    size = min(request.params.get("MaxItems", 100), knobs.certificate_page_size or 1000)
    page = held[:size]
    truncated = len(held) > size
    return {
        "ServerCertificateMetadataList": [certificate.describe() for certificate in page],
        "IsTruncated": truncated,
        "Marker": page[-1].cert_name if truncated else None,
    }


@PATCH.replace_operation(IamResponse, "GetServerCertificate")
def get(request: Request) -> dict[str, Any]:
    """Answer GetServerCertificate."""
    certificate = _find(request)
    return {
        "ServerCertificate": {
            "ServerCertificateMetadata": certificate.describe(),
            "CertificateBody": certificate.cert_body,
            "CertificateChain": certificate.cert_chain,
            "Tags": certificate.list_tags() or None,
        }
    }


@PATCH.add_operation(IamResponse, "UpdateServerCertificate")
def update(request: Request) -> None:
    """Answer UpdateServerCertificate."""
    certificate = _find(request)
    new_name = request.params.get("NewServerCertificateName")
    if new_name and new_name.lower() != certificate.cert_name.lower():
        _refuse_taken_name(_backend(request), new_name)
    certificate.move(new_name, request.params.get("NewPath"))


@PATCH.replace_operation(IamResponse, "DeleteServerCertificate")
def delete(request: Request) -> None:
    """Answer DeleteServerCertificate."""
    certificate = _find(request)
    if knobs.guard_certificates_in_use:
        for user in find_users(certificate):
            raise ApiError(
                "DeleteConflict",
                f"Certificate: {certificate.id} is currently in use by {user}. "
                "Please remove it first before deleting it from IAM.",
            )
    del _backend(request).certificates[certificate.id]


def find_users(certificate: ServerCertificate) -> Iterator[str]:
    """Yield the ARN of every load balancer and distribution that a certificate serves."""
    yield from _find_load_balancers(certificate)
    distributions = cloudfront_backends[certificate.account_id][certificate.partition].distributions
    for distribution in distributions.values():
        viewer = vars(distribution.distribution_config)["ViewerCertificate"]
        if certificate.id in (viewer.iam_certificate_id, viewer.certificate):
            yield distribution.arn


def _find_load_balancers(certificate: ServerCertificate) -> Iterator[str]:
    account, partition = certificate.account_id, certificate.partition
    for region, classic in list(elb_backends[account].items()):
        for name, balancer in classic.load_balancers.items():
            if any(one.ssl_certificate_id in certificate.arns for one in balancer.listeners):
                yield f"arn:{partition}:elasticloadbalancing:{region}:{account}:loadbalancer/{name}"
    for modern in list(elbv2_backends[account].values()):
        for arn, load_balancer in modern.load_balancers.items():
            listeners = load_balancer.listeners.values()
            if any(certificate.arns & set(listener.certificates) for listener in listeners):
                yield arn


@PATCH.add_operation(IamResponse, "ListServerCertificateTags")
def list_tags(request: Request) -> dict[str, Any]:
    """Answer ListServerCertificateTags."""
    params = request.params
    page, marker = take_page(
        _find(request).list_tags(), params.get("Marker"), params.get("MaxItems"), 100
    )
    return {"Tags": page, "IsTruncated": marker is not None, "Marker": marker}


@PATCH.add_operation(IamResponse, "TagServerCertificate")
def tag(request: Request) -> None:
    """Answer TagServerCertificate."""
    _find(request).tags.update({tag["Key"]: tag["Value"] for tag in request.params["Tags"]})


@PATCH.add_operation(IamResponse, "UntagServerCertificate")
def untag(request: Request) -> None:
    """Answer UntagServerCertificate."""
    certificate = _find(request)
    for key in request.params["TagKeys"]:
        certificate.tags.pop(key, None)

"""ACM: lists with pages that hide what AWS hides, and certificates beside the API.

moto lists all certificates at once, of every type of key unless it is told some, dates a
certificate that is not issued yet, and gives one without a domain an empty name; whatever key is
asked for, it makes one of RSA. So lists have pages here and show RSA keys of 1024 and 2048 bits
with a domain unless other types are asked for, what is pending has no dates, what has no domain has
no name, and a request for another key is refused. Issued and expired certificates, which no call
makes at once, can be planted.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from moto.acm.models import CertBundle, acm_backends
from moto.acm.responses import AWSCertificateManagerResponse

from local.aws.patches.limits import refuse_beyond_limits
from local.aws.patches.patch import Patch, Request

PATCH = Patch("acm")

CertificateType = Literal["IMPORTED", "AMAZON_ISSUED", "PRIVATE"]

SHOWN_BY_DEFAULT = ("RSA_1024", "RSA_2048")
# AWS does not say how long a page is if nobody asks: short enough here to need a second one.
PAGE_SIZE = 100
MAX_SUMMARISED_NAMES = 100
_OF_ISSUED = ("IssuedAt", "NotAfter", "NotBefore", "Serial")


class PlantedCertificate(CertBundle):
    """A certificate that may have expired; its key is read once, however many share it."""

    # moto files models by the second part of their module's name.
    __module__ = "moto.acm.local"

    def validate_pk(self) -> Any:
        """Return the private key."""
        return _read_key(self.key)

    def validate_certificate(self) -> x509.Certificate:
        """Return what the PEM says, whenever it is valid."""
        return x509.load_pem_x509_certificate(self.cert)


@cache
def _read_key(pem: bytes) -> Any:
    return load_pem_private_key(pem, password=None)


def plant_certificate(
    certificate: str,
    private_key: str,
    kind: CertificateType,
    *,
    tags: Mapping[str, str],
    account_id: str,
    region: str,
) -> str:
    """Put a certificate in beside the API, and return its ARN.

    It counts as imported, or issued, when it became valid.
    """
    planted = PlantedCertificate(
        account_id, certificate.encode(), private_key.encode(), region=region, cert_type=kind
    )
    planted.created_at = planted._cert.not_valid_before_utc.replace(tzinfo=None)  # noqa: SLF001
    planted.tags.update(tags)
    _certificates(account_id, region)[planted.arn] = planted
    return str(planted.arn)


def _certificates(account_id: str, region: str) -> dict[str, CertBundle]:
    return acm_backends[account_id][region]._certificates  # noqa: SLF001


@PATCH.replace(CertBundle, "describe")
def _describe(self: CertBundle) -> dict[str, Any]:
    described: dict[str, Any] = PATCH.original(CertBundle, "describe")(self)["Certificate"]
    if not self.common_name:
        del described["DomainName"], described["Subject"]
    if self.status == "PENDING_VALIDATION":
        described = {name: value for name, value in described.items() if name not in _OF_ISSUED}
    return {"Certificate": described}


@PATCH.replace_operation(AWSCertificateManagerResponse, "ListCertificates")
def list_certificates(request: Request) -> dict[str, Any]:
    """Answer ListCertificates."""
    refuse_beyond_limits(request, "ListCertificates", "ValidationException")
    after = request.params.get("NextToken", "")
    # The token is an ARN, so a deletion between two pages skips nothing.
    held = [
        summary
        for arn, certificate in sorted(_certificates(request.account, request.region).items())
        if arn > after and _is_shown(summary := _summarise(certificate), request.params)
    ]
    size = request.params.get("MaxItems", PAGE_SIZE)
    page = held[:size]
    return {
        "CertificateSummaryList": page,
        "NextToken": page[-1]["CertificateArn"] if len(held) > size else None,
    }


def _is_shown(summary: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    statuses = params.get("CertificateStatuses")
    if statuses and summary["Status"] not in statuses:
        return False
    includes = params.get("Includes", {})
    if others := includes.keys() - {"keyTypes"}:
        raise NotImplementedError(f"the local ACM cannot filter by {', '.join(sorted(others))}")
    if key_types := includes.get("keyTypes"):
        return summary["KeyAlgorithm"] in key_types
    return summary["KeyAlgorithm"] in SHOWN_BY_DEFAULT and "DomainName" in summary


def _summarise(certificate: CertBundle) -> dict[str, Any]:
    certificate.check()
    described = certificate.describe()["Certificate"]
    names = list(dict.fromkeys(filter(None, [certificate.common_name, *certificate.sans])))
    return {
        **described,
        "SubjectAlternativeNameSummaries": names[:MAX_SUMMARISED_NAMES],
        "HasAdditionalSubjectAlternativeNames": len(names) > MAX_SUMMARISED_NAMES,
        "ExportOption": certificate.cert_options["Export"],
        "InUse": bool(described["InUseBy"]),
        "Exported": False,
    }


@PATCH.replace(AWSCertificateManagerResponse, "request_certificate")
def _request_certificate(self: Any) -> Any:
    if (key_type := self._get_param("KeyAlgorithm", "RSA_2048")) != "RSA_2048":
        raise NotImplementedError(f"the local ACM cannot issue a certificate with {key_type}")
    return PATCH.original(AWSCertificateManagerResponse, "request_certificate")(self)

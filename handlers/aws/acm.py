"""Certificates of ACM, imported and issued.

https://docs.aws.amazon.com/acm/latest/APIReference/API_ListCertificates.html
"""

from typing import TYPE_CHECKING, Any

from handlers.aws.answers import parse_part, require_list
from handlers.aws.clients import Clients
from handlers.aws.errors import translated_errors
from models.expiry import AcmCertificate

if TYPE_CHECKING:
    from mypy_boto3_acm import ACMClient

PAGE_SIZE = 1000


class AcmCertificates:
    """The certificates that ACM has in one Region."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def list_all(self) -> tuple[AcmCertificate, ...]:
        """Return every certificate, whatever its key, but for those of ACME clients.

        Raises:
            AwsCallError, TransientError: not all of them could be read.
        """
        client: ACMClient = self._clients.get_paced("acm")
        # Without them ACM leaves out all but RSA of 1024 and 2048 bits.
        algorithm: Any = client.meta.service_model.shape_for("KeyAlgorithm")
        with translated_errors("ListCertificates"):
            pages = client.get_paginator("list_certificates").paginate(
                Includes={"keyTypes": algorithm.enum}, PaginationConfig={"PageSize": PAGE_SIZE}
            )
            return tuple(
                parse_part(AcmCertificate, summary, "a certificate")
                for page in pages
                for summary in require_list(page, "CertificateSummaryList", "a page")
            )

"""IAM server certificates, as they are read.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_server-certs.html
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from handlers.aws.answers import (
    check_truncation,
    parse_part,
    require_list,
    require_part,
    require_tags,
    require_text,
)
from handlers.aws.clients import Clients
from handlers.aws.errors import translated_errors
from models.certificate import CertificateFiles, ServerCertificate
from models.errors import CertificateGoneError

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

PAGE_SIZE = 1000


class Certificates:
    """The server certificates of one account."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    @property
    def _iam(self) -> "IAMClient":
        client: IAMClient = self._clients.get("iam")
        return client

    def list_all(self) -> tuple[ServerCertificate, ...]:
        """Return every server certificate of the account, under whatever path.

        Raises:
            AwsCallError, TransientError: as for every call here.
        """
        with translated_errors("ListServerCertificates"):
            pages = self._iam.get_paginator("list_server_certificates").paginate(
                PaginationConfig={"PageSize": PAGE_SIZE}
            )
            listed = [
                parse_part(ServerCertificate, metadata, "a certificate")
                for page in pages
                for metadata in _read_page(page, "ServerCertificateMetadataList")
            ]
            # A list that changes between its pages may show one twice.
            return tuple(dict.fromkeys(listed))

    def read_tags(self, name: str) -> dict[str, str]:
        """Return the tags of a certificate.

        Raises:
            CertificateGoneError: there is no certificate of this name.
        """
        with translated_errors("ListServerCertificateTags"):
            try:
                pages = self._iam.get_paginator("list_server_certificate_tags").paginate(
                    ServerCertificateName=name
                )
                return require_tags(tag for page in pages for tag in _read_page(page, "Tags"))
            except self._iam.exceptions.NoSuchEntityException as error:
                raise CertificateGoneError(name) from error

    def read(self, name: str) -> CertificateFiles:
        """Return a certificate with its body, chain and tags.

        Raises:
            CertificateGoneError: there is no certificate of this name.
        """
        with translated_errors("GetServerCertificate"):
            try:
                answer = self._iam.get_server_certificate(ServerCertificateName=name)
            except self._iam.exceptions.NoSuchEntityException as error:
                raise CertificateGoneError(name) from error
            given = require_part(answer, "ServerCertificate", "the answer")
            metadata = require_part(given, "ServerCertificateMetadata", "the certificate")
            return CertificateFiles(
                certificate=parse_part(ServerCertificate, metadata, "a certificate"),
                body=require_text(given, "CertificateBody", "the certificate"),
                chain=given.get("CertificateChain"),
                tags=require_tags(given.get("Tags") or []),
            )


def _read_page(page: Mapping[str, Any], name: str) -> Sequence[Any]:
    check_truncation(page, "a page", marker="Marker")
    return require_list(page, name, "a page")

"""The deletion of an IAM server certificate, apart from what merely reads.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteServerCertificate.html
"""

from typing import TYPE_CHECKING

from handlers.aws.certificates import Certificates
from handlers.aws.errors import translated_errors
from models.errors import (
    CertificateGoneError,
    CertificateInUseError,
    DeleteUnansweredError,
    TransientError,
)

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


class DeletableCertificates(Certificates):
    """The server certificates of one account, which may be deleted."""

    def delete(self, name: str) -> None:
        """Delete a certificate, for good: IAM never returns its private key.

        The SDK does not repeat it: names are used again, and a repetition of a delete whose answer
        was lost could hit the certificate that came after.

        Raises:
            CertificateGoneError: there is no certificate of this name.
            CertificateInUseError: IAM knows that something uses it.
            DeleteUnansweredError: IAM did not say whether it deleted it.
        """
        iam: IAMClient = self._clients.get_unrepeating("iam")
        try:
            with translated_errors("DeleteServerCertificate"):
                try:
                    iam.delete_server_certificate(ServerCertificateName=name)
                except iam.exceptions.NoSuchEntityException as error:
                    raise CertificateGoneError(name) from error
                except iam.exceptions.DeleteConflictException as error:
                    message = error.response["Error"].get("Message", "")
                    raise CertificateInUseError(message) from error
        except TransientError as error:
            raise DeleteUnansweredError(str(error)) from error

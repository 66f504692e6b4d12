"""Server certificates in IAM, and every way a finding can name one.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_ServerCertificateMetadata.html
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, NamedTuple

from pydantic import Field

from models.base import Model
from models.times import Lenient, UtcTime

CERTIFICATE_NAME = r"[\w+=,.@-]{1,128}"
CERTIFICATE_ARN = re.compile(
    r"arn:(?P<partition>[\w-]+):iam::(?P<account_id>\d{12}):server-certificate"
    rf"(?P<path>/(?:[!-~]+/)?)(?P<name>{CERTIFICATE_NAME})",
    re.ASCII,
)
CERTIFICATE_ID = re.compile(r"ASCA[A-Z0-9]{12,124}")
CONFIG_TYPE_PREFIX = "AWS::IAM::ServerCertificate:"


class CertificateArn(NamedTuple):
    """The parts of `arn:<partition>:iam::<account>:server-certificate<path><name>`."""

    partition: str
    account_id: str
    path: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "CertificateArn | None":
        """Return the parts of a server certificate's ARN, or None for any other text."""
        match = CERTIFICATE_ARN.fullmatch(text)
        return cls(**match.groupdict()) if match else None


# Optional in IAM's own model, and an odd one must not keep an account's others from being read.
CertificateTime = Annotated[UtcTime | None, Lenient]


class ServerCertificate(Model):
    """The metadata of one server certificate as IAM has it."""

    name: str = Field(alias="ServerCertificateName", min_length=1)
    id: str = Field(alias="ServerCertificateId", min_length=1)
    arn: str = Field(alias="Arn")
    path: str = Field(alias="Path", default="/")
    # Without an expiry nothing is proven.
    expiration: CertificateTime = Field(alias="Expiration", default=None)
    upload_date: CertificateTime = Field(alias="UploadDate", default=None)

    def is_expired(self, now: datetime) -> bool:
        """Return whether the certificate is proven to have expired by `now`."""
        return self.expiration is not None and self.expiration <= now

    def is_in_grace(self, now: datetime, grace: timedelta) -> bool:
        """Return whether the certificate expired less than the grace period before `now`."""
        return self.expiration is not None and self.expiration <= now < self.expiration + grace

    def is_named_by(self, identifier: str) -> bool:
        """Return whether a holder's identifier means this certificate.

        An ARN of this account counts by the name at its end whatever its path is: names are
        unique in an account, and a certificate can be moved to another path.
        """
        if identifier in {self.arn, self.id}:
            return True
        named, own = CertificateArn.parse(identifier), CertificateArn.parse(self.arn)
        return (
            named is not None
            and own is not None
            and named.account_id == own.account_id
            and named.name.casefold() == own.name.casefold()
        )


class CertificateFiles(Model):
    """What IAM returns of a certificate: public parts only, never the private key."""

    certificate: ServerCertificate
    body: str = Field(repr=False)
    chain: str | None = Field(repr=False, default=None)
    tags: dict[str, str] = Field(default_factory=dict)


class IdentifierKind(StrEnum):
    """The form in which a finding names its certificate."""

    ARN = "ARN"
    ID = "certificate id"
    NAME = "name"


class CertificateIdentifier(Model):
    """How a finding names its certificate.

    The last component of whatever form may be the certificate's name or its id: public findings of
    sister controls end in the resource's id where its documentation has the name.
    """

    kind: IdentifierKind
    text: str
    arn: CertificateArn | None = None

    @classmethod
    def parse(cls, resource_id: str) -> "CertificateIdentifier | None":
        """Return the identifier in a finding's resource id, or None if it names no certificate."""
        text = resource_id.strip().removeprefix(CONFIG_TYPE_PREFIX)
        if arn := CertificateArn.parse(text):
            return cls(kind=IdentifierKind.ARN, text=text, arn=arn)
        if CERTIFICATE_ID.fullmatch(text):
            return cls(kind=IdentifierKind.ID, text=text)
        if re.fullmatch(CERTIFICATE_NAME, text, re.ASCII):
            return cls(kind=IdentifierKind.NAME, text=text)
        return None

    @property
    def last(self) -> str:
        """Its last component: the certificate's name, or its id."""
        return self.arn.name if self.arn else self.text

    @property
    def may_be_id(self) -> bool:
        """Whether the last component has the form of a certificate id."""
        return CERTIFICATE_ID.fullmatch(self.last) is not None

    @property
    def proves_absence(self) -> bool:
        """Whether finding nothing under this identifier proves that the certificate is gone.

        A bare name does not: nothing shows that it was a certificate's name in the first place.
        """
        return self.kind is not IdentifierKind.NAME

    def find_in(self, certificates: Iterable[ServerCertificate]) -> tuple[ServerCertificate, ...]:
        """Return the certificates of an account that this identifier may mean.

        Empty if it is gone, and more than one only if one has another's id as its name.
        """
        known = tuple(certificates)
        if same := tuple(one for one in known if self.last in {one.id, one.name}):
            return same
        if self.arn is None:
            return ()
        # IAM keeps names apart without regard to case, so this one was renamed; see `agrees_with`.
        return tuple(one for one in known if one.name.casefold() == self.last.casefold())

    def means(self, certificate: ServerCertificate) -> bool:
        """Return whether a certificate of the finding's account has this id, or name and path."""
        return self.agrees_with(certificate) and self.last in {certificate.id, certificate.name}

    def names_id_of(self, certificate: ServerCertificate) -> bool:
        """Return whether the identifier names a certificate by its id, which never changes."""
        return self.last == certificate.id

    def agrees_with(self, certificate: ServerCertificate) -> bool:
        """Return whether the certificate found has the identifier's id, or its name and path.

        An ARN without a path agrees with every path: Security Hub may leave it out.
        """
        if self.names_id_of(certificate) or self.arn is None:
            return True
        return self.arn.name == certificate.name and self.arn.path in {"/", certificate.path}

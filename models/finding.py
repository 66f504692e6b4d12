"""Security Hub findings in the AWS Security Finding Format, as far as they are used here.

https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, NamedTuple

from pydantic import AwareDatetime, BeforeValidator, Field, ValidationError

from models.base import Model, Received
from models.certificate import CertificateIdentifier
from models.errors import EventError, describe_invalid
from models.times import Lenient, require_iso

CONTROL_ID = "IAM.26"
ACCOUNT_RESOURCE = "AWS::::Account:"
SECURITY_HUB_PRODUCT = re.compile(
    r"arn:[\w-]+:securityhub:[\w-]+::product/aws/securityhub", re.ASCII
)

LEAP_SECOND = re.compile(r"(T[0-9]{2}:[0-9]{2}):60")
SHORT_OFFSET = re.compile(r"(:[0-9.]+[+-][0-9]{2})\Z")


def _normalize_time(value: object) -> datetime | str:
    time = require_iso(value)
    if isinstance(time, datetime):
        return time
    # Python's clock has no second of 60.
    return SHORT_OFFSET.sub(r"\1:00", LEAP_SECOND.sub(r"\1:59", time))


# A time as the finding format allows it: the offset may lack its minutes, and the second may be 60.
AsffTime = Annotated[AwareDatetime, BeforeValidator(_normalize_time)]
LenientTime = Annotated[AsffTime | None, Lenient]


class WorkflowStatus(StrEnum):
    """Where people are with a finding."""

    NEW = "NEW"
    NOTIFIED = "NOTIFIED"
    RESOLVED = "RESOLVED"
    SUPPRESSED = "SUPPRESSED"


class Resource(Received):
    """One resource of a finding."""

    id: str = Field(alias="Id")


class ProductFields(Received):
    """What Security Hub adds to a finding, as far as it is used here."""

    resource_id: str | None = Field(alias="Resources:0/Id", default=None)


class Compliance(Received):
    """The result of a control's check."""

    status: str | None = Field(alias="Status", default=None)
    security_control_id: str | None = Field(alias="SecurityControlId", default=None)


class Workflow(Received):
    """The workflow of a finding."""

    status: WorkflowStatus = Field(alias="Status", default=WorkflowStatus.NEW)


class Note(Received):
    """What people and applications write on a finding."""

    text: str | None = Field(alias="Text", default=None)
    updated_by: str | None = Field(alias="UpdatedBy", default=None)
    updated_at: LenientTime = Field(alias="UpdatedAt", default=None)


class FindingKey(NamedTuple):
    """What Security Hub knows a finding by."""

    id: str
    product_arn: str


class Finding(Received):
    """One finding."""

    id: str = Field(alias="Id", min_length=1)
    product_arn: str = Field(alias="ProductArn", min_length=1)
    account_id: str = Field(alias="AwsAccountId", pattern=r"^[0-9]{12}$")
    created_at: AsffTime = Field(alias="CreatedAt")
    # When Security Hub evaluated it last; what people write on it leaves this alone.
    updated_at: LenientTime = Field(alias="UpdatedAt", default=None)
    resources: tuple[Resource, ...] = Field(alias="Resources", default=())
    compliance: Compliance = Field(alias="Compliance", default=Compliance())
    workflow: Workflow = Field(alias="Workflow", default=Workflow())
    note: Note = Field(alias="Note", default=Note())
    record_state: str | None = Field(alias="RecordState", default=None)
    product_fields: ProductFields = Field(alias="ProductFields", default=ProductFields())
    user_defined_fields: dict[str, str] = Field(alias="UserDefinedFields", default_factory=dict)

    @property
    def key(self) -> FindingKey:
        """What Security Hub knows this finding by."""
        return FindingKey(self.id, self.product_arn)

    @property
    def resource_id(self) -> str | None:
        """The id of the finding's resource as Security Hub shows it."""
        given = self.resources[0].id if self.resources else None
        return given or self.product_fields.resource_id

    @property
    def certificate_identifier(self) -> CertificateIdentifier | None:
        """How the finding names its certificate, or None if it names none."""
        given = [one.id for one in self.resources[:1]]
        return next(_parse_identifiers(*given, self.product_fields.resource_id), None)

    @property
    def certificate_identifiers(self) -> tuple[CertificateIdentifier, ...]:
        """Every certificate that the finding names, in whichever of its resources."""
        given = [one.id for one in self.resources]
        return tuple(_parse_identifiers(*given, self.product_fields.resource_id))

    @property
    def is_about_account(self) -> bool:
        """Whether the finding is about a whole account, as where it has no certificate at all."""
        return (self.resource_id or "").startswith(ACCOUNT_RESOURCE)

    def find_foreign_trait(self) -> str | None:
        """Return why this finding is not IAM.26 of Security Hub itself, or None if it is.

        Anyone with `securityhub:BatchImportFindings` can import a finding with any control id,
        but only Security Hub itself writes under this product.
        """
        control_id = self.compliance.security_control_id or "none"
        return _find_other_control(control_id) or _find_other_product(self.product_arn)

    def find_settled_trait(self) -> str | None:
        """Return why this finding, as it is now, asks for no action, or None if it does ask."""
        if self.compliance.status != "FAILED":
            return f"the finding's compliance status is {self.compliance.status}"
        if self.record_state != "ACTIVE":
            return f"the finding's record state is {self.record_state}"
        if self.workflow.status is WorkflowStatus.SUPPRESSED:
            return "the finding is suppressed, which means that the risk is accepted"
        return None


def _parse_identifiers(*resource_ids: str | None) -> Iterator[CertificateIdentifier]:
    for resource_id in resource_ids:
        if resource_id and (identifier := CertificateIdentifier.parse(resource_id)):
            yield identifier


class Stranger(Model):
    """What is known of a finding that is not understood, and is not ours whatever it says.

    Attributes:
        trait: why it is not ours.
        workflow_status: as it came, which may be a status that is not known here.
    """

    trait: str
    id: str | None
    product_arn: str | None
    account_id: str | None
    workflow_status: str | None


def parse_finding(
    raw: object, within: tuple[int | str, ...] = ()
) -> Finding | Stranger | EventError:
    """Return the finding in what was sent, or the error that names the field if it may be ours.

    Args:
        raw: a finding in the AWS Security Finding Format, decoded.
        within: where it stands in the whole input, for the error.
    """
    try:
        return Finding.model_validate(raw)
    except ValidationError as error:
        return _recognize_stranger(raw) or EventError(describe_invalid(error, within))


def _recognize_stranger(raw: object) -> Stranger | None:
    """Return what is known of a finding if something in it says that it is not ours."""
    control_id = _read_text(raw, "Compliance", "SecurityControlId")
    product_arn = _read_text(raw, "ProductArn")
    # What cannot be read says nothing: a finding without its control may still be ours.
    trait = (control_id and _find_other_control(control_id)) or (
        product_arn and _find_other_product(product_arn)
    )
    if not trait:
        return None
    return Stranger(
        trait=trait,
        id=_read_text(raw, "Id"),
        product_arn=product_arn,
        account_id=_read_text(raw, "AwsAccountId"),
        workflow_status=_read_text(raw, "Workflow", "Status"),
    )


def _find_other_control(control_id: str) -> str | None:
    return None if control_id == CONTROL_ID else f"the finding is of control {control_id}"


def _find_other_product(product_arn: str) -> str | None:
    if SECURITY_HUB_PRODUCT.fullmatch(product_arn):
        return None
    return f"the finding is not Security Hub's own: its product is {product_arn}"


def _read_text(raw: object, *path: str) -> str | None:
    """Return the text at a path of what was sent, or None if there is none."""
    for name in path:
        raw = raw.get(name) if isinstance(raw, Mapping) else None
    return raw or None if isinstance(raw, str) else None

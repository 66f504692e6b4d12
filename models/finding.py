"""Security Hub findings in the AWS Security Finding Format, as far as they are used here.

https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html
"""

import re
from enum import StrEnum
from typing import Annotated, NamedTuple

from pydantic import (
    AwareDatetime,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from models.base import Received
from models.certificate import CertificateIdentifier

CONTROL_ID = "IAM.26"
SECURITY_HUB_PRODUCT = re.compile(
    r"arn:[\w-]+:securityhub:[\w-]+::product/aws/securityhub", re.ASCII
)


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


def _drop_unreadable(value: object, read: ValidatorFunctionWrapHandler) -> object:
    try:
        return read(value)
    except ValidationError:
        return None


class FindingKey(NamedTuple):
    """What Security Hub knows a finding by."""

    id: str
    product_arn: str


class Finding(Received):
    """One finding."""

    id: str = Field(alias="Id", min_length=1)
    product_arn: str = Field(alias="ProductArn", min_length=1)
    account_id: str = Field(alias="AwsAccountId", pattern=r"^[0-9]{12}$")
    created_at: AwareDatetime = Field(alias="CreatedAt")
    # When Security Hub evaluated it last; what people write on it leaves this alone.
    updated_at: Annotated[AwareDatetime | None, WrapValidator(_drop_unreadable)] = Field(
        alias="UpdatedAt", default=None
    )
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
        for resource_id in (*given, self.product_fields.resource_id):
            identifier = CertificateIdentifier.parse(resource_id) if resource_id else None
            if identifier:
                return identifier
        return None

    def find_foreign_trait(self) -> str | None:
        """Return why this finding is not IAM.26 of Security Hub itself, or None if it is.

        Anyone with `securityhub:BatchImportFindings` can import a finding with any control id,
        but only Security Hub itself writes under this product.
        """
        if self.compliance.security_control_id != CONTROL_ID:
            return f"the finding is of control {self.compliance.security_control_id or 'none'}"
        if not SECURITY_HUB_PRODUCT.fullmatch(self.product_arn):
            return f"the finding is not Security Hub's own: its product is {self.product_arn}"
        return None

    def find_settled_trait(self) -> str | None:
        """Return why this finding, as it is now, asks for no action, or None if it does ask."""
        if self.compliance.status != "FAILED":
            return f"the finding's compliance status is {self.compliance.status}"
        if self.record_state != "ACTIVE":
            return f"the finding's record state is {self.record_state}"
        if self.workflow.status is WorkflowStatus.SUPPRESSED:
            return "the finding is suppressed, which means that the risk is accepted"
        return None

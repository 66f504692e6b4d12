"""Findings: whose they are, whether they ask for action, and which certificate they name."""

import pytest

from local.aws.knobs import OWN_ACCOUNT
from models.certificate import IdentifierKind
from models.finding import FindingKey
from tests.builders import CERTIFICATE_ID, OTHER_ACCOUNT, PRODUCT_ARN, make_arn, make_finding


class TestForeign:
    """Findings that are not IAM.26 of Security Hub itself."""

    @pytest.mark.parametrize(
        "product_arn",
        [
            PRODUCT_ARN,
            "arn:aws:securityhub:eu-central-1::product/aws/securityhub",
            "arn:aws-cn:securityhub:cn-north-1::product/aws/securityhub",
            "arn:aws-us-gov:securityhub:us-gov-west-1::product/aws/securityhub",
        ],
    )
    def test_own(self, product_arn: str) -> None:
        """Security Hub's own product is accepted in every Region and partition."""
        assert make_finding(ProductArn=product_arn).find_foreign_trait() is None

    @pytest.mark.parametrize(
        "product_arn",
        [
            f"arn:aws:securityhub:us-east-1:{OWN_ACCOUNT}:product/{OWN_ACCOUNT}/default",
            f"arn:aws:securityhub:us-east-1:{OWN_ACCOUNT}:product/aws/securityhub",
            "arn:aws:securityhub:us-east-1::product/aws/securityhub/default",
            "arn:aws:securityhub:us-east-1::product/aws/securityhub-2",
            "arn:aws:securityhub:us-east-1::product/aws/guardduty",
            "arn:aws:securityhub:us-east-1::product/prowler/prowler",
            "arn:aws:securityhub:us-east-1::product/AWS/SecurityHub",
            "arn:aws:securityhub:us-east-1:product/aws/securityhub",
            "arn:aws:securityhub:::product/aws/securityhub",
            "arn:aws:events:us-east-1::product/aws/securityhub",
            f"x{PRODUCT_ARN}",
            f"{PRODUCT_ARN} ",
            f"{PRODUCT_ARN}\n",
            f"{PRODUCT_ARN}\nx",
            PRODUCT_ARN.replace("securityhub", "\u0455ecurityhub"),
            "arn:aws:securityhub:us-\u00e9ast-1::product/aws/securityhub",
            "arn:aws:securityhub:us-east-1/x::product/aws/securityhub",
            "arn:aws:securityhub:us-east-1:\u0661::product/aws/securityhub",
        ],
    )
    def test_look_alike(self, product_arn: str) -> None:
        """A finding that anyone could have imported is refused, and its product is named."""
        trait = make_finding(ProductArn=product_arn).find_foreign_trait()
        assert trait == f"the finding is not Security Hub's own: its product is {product_arn}"

    @pytest.mark.parametrize(
        ("compliance", "shown"),
        [
            ({"Status": "FAILED", "SecurityControlId": "IAM.2"}, "IAM.2"),
            ({"Status": "FAILED", "SecurityControlId": "IAM.260"}, "IAM.260"),
            ({"Status": "FAILED", "SecurityControlId": "iam.26"}, "iam.26"),
            ({"Status": "FAILED", "SecurityControlId": "IAMX26"}, "IAMX26"),
            ({"Status": "FAILED", "SecurityControlId": "IAM.26 "}, "IAM.26 "),
            ({"Status": "FAILED", "SecurityControlId": ""}, "none"),
            ({"Status": "FAILED", "SecurityControlId": None}, "none"),
            ({"Status": "FAILED"}, "none"),
            ({}, "none"),
            (None, "none"),
        ],
    )
    def test_other_control(self, compliance: object, shown: str) -> None:
        """A finding of any other control, or of none, is refused."""
        trait = make_finding(Compliance=compliance).find_foreign_trait()
        assert trait == f"the finding is of control {shown}"

    def test_generator_and_product_name_prove_nothing(self) -> None:
        """What an importer may write freely does not make a finding ours."""
        finding = make_finding(
            ProductArn=f"arn:aws:securityhub:us-east-1:{OWN_ACCOUNT}:product/{OWN_ACCOUNT}/default",
            ProductName="Security Hub",
            CompanyName="AWS",
            GeneratorId="security-control/IAM.26",
        )
        assert finding.find_foreign_trait() is not None


class TestSettled:
    """Findings that ask for no action."""

    def test_failed_active_new(self) -> None:
        """A finding that failed, is active and new asks for action."""
        assert make_finding().find_settled_trait() is None

    @pytest.mark.parametrize("workflow", [{"Status": "NOTIFIED"}, {"Status": "RESOLVED"}, {}, None])
    def test_other_workflow_status(self, workflow: object) -> None:
        """So does one that others have set to another status, or that has none."""
        assert make_finding(Workflow=workflow).find_settled_trait() is None

    @pytest.mark.parametrize("status", ["PASSED", "WARNING", "NOT_AVAILABLE", "failed", "", None])
    def test_not_failed(self, status: str | None) -> None:
        """Any compliance status but FAILED asks for nothing."""
        compliance = {"Status": status, "SecurityControlId": "IAM.26"}
        trait = make_finding(Compliance=compliance).find_settled_trait()
        assert trait == f"the finding's compliance status is {status}"

    @pytest.mark.parametrize("state", ["ARCHIVED", "active", "", None])
    def test_not_active(self, state: str | None) -> None:
        """Any record state but ACTIVE asks for nothing."""
        trait = make_finding(RecordState=state).find_settled_trait()
        assert trait == f"the finding's record state is {state}"

    def test_suppressed(self) -> None:
        """A suppressed finding is an accepted risk."""
        trait = make_finding(Workflow={"Status": "SUPPRESSED"}).find_settled_trait()
        assert trait == "the finding is suppressed, which means that the risk is accepted"


class TestCertificate:
    """The certificate that a finding names."""

    @pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
    @pytest.mark.parametrize(
        ("resource_id", "kind", "text"),
        [
            ("{arn}", IdentifierKind.ARN, "{arn}"),
            ("AWS::IAM::ServerCertificate:{arn}", IdentifierKind.ARN, "{arn}"),
            (CERTIFICATE_ID, IdentifierKind.ID, CERTIFICATE_ID),
            (f"AWS::IAM::ServerCertificate:{CERTIFICATE_ID}", IdentifierKind.ID, CERTIFICATE_ID),
            ("example-cert", IdentifierKind.NAME, "example-cert"),
            ("AWS::IAM::ServerCertificate:example-cert", IdentifierKind.NAME, "example-cert"),
            (" example-cert\n", IdentifierKind.NAME, "example-cert"),
        ],
    )
    def test_every_form(
        self, partition: str, resource_id: str, kind: IdentifierKind, text: str
    ) -> None:
        """The resource's id can be an ARN, a certificate id or a name, with Config's prefix too."""
        arn = make_arn(partition=partition)
        finding = make_finding(Resources=[{"Id": resource_id.format(arn=arn)}])
        identifier = finding.certificate_identifier
        assert identifier is not None
        assert (identifier.kind, identifier.text) == (kind, text.format(arn=arn))

    @pytest.mark.parametrize(
        "resource_id",
        [
            "",
            "AWS::::Account:111122223333",
            "AWS::IAM::ServerCertificate:",
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:server-certificate/",
            "arn:aws:iam::111122223333:server-certificate/old/",
            "arn:aws:acm:us-east-1:111122223333:certificate/0a1b2c3d",
            "arn:aws:iam::11112222333:server-certificate/short-account",
            "arn:aws:iam::111122223333:server-certificate/old/two\nlines",
            "a" * 129,
            "zertifikat-für-web",
            "two words",
        ],
    )
    def test_not_understood(self, resource_id: str) -> None:
        """An id that is nothing of the kind names no certificate."""
        finding = make_finding(Resources=[{"Id": resource_id}])
        assert finding.certificate_identifier is None

    @pytest.mark.parametrize("resources", [None, [], [{"Id": ""}], [{"Id": "AWS::::Account:1"}]])
    def test_falls_back_to_product_fields(self, resources: object) -> None:
        """Where the resource names no certificate, ProductFields may."""
        finding = make_finding(Resources=resources, ProductFields={"Resources:0/Id": make_arn()})
        identifier = finding.certificate_identifier
        assert identifier is not None
        assert identifier.text == make_arn()

    @pytest.mark.parametrize("resources", [None, [], [{"Id": ""}]])
    def test_shown_id_falls_back_to_product_fields(self, resources: object) -> None:
        """Where there is no resource to show, the one in ProductFields is shown."""
        finding = make_finding(Resources=resources, ProductFields={"Resources:0/Id": "web"})
        assert finding.resource_id == "web"

    def test_resource_comes_before_product_fields(self) -> None:
        """Where both name a certificate, the resource's id counts."""
        finding = make_finding(
            Resources=[{"Id": make_arn(account_id=OTHER_ACCOUNT)}],
            ProductFields={"Resources:0/Id": make_arn()},
        )
        identifier = finding.certificate_identifier
        assert identifier is not None
        assert identifier.text == make_arn(account_id=OTHER_ACCOUNT)

    @pytest.mark.parametrize("product_fields", [None, {}, {"Resources:0/Id": ""}])
    def test_names_nothing(self, product_fields: object) -> None:
        """A finding without a resource anywhere names none."""
        finding = make_finding(Resources=[], ProductFields=product_fields)
        assert finding.certificate_identifier is None
        assert not finding.resource_id

    def test_only_the_first_resource_counts(self) -> None:
        """A second resource is never taken for the finding's certificate."""
        finding = make_finding(
            Resources=[{"Id": "AWS::::Account:111122223333"}, {"Id": make_arn()}]
        )
        assert finding.certificate_identifier is None


def test_key_is_id_and_product() -> None:
    """Security Hub knows a finding by its id and product together."""
    finding = make_finding(Id="one")
    assert finding.key == FindingKey("one", PRODUCT_ARN)

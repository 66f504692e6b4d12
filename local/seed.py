"""Short ways to fill the local AWS with what a scan may find, and with findings about it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from local.certificates import make_certificate
from local.mends.securityhub import custom_action_event, imported_event
from local.world import HOME_REGION, OWN_ACCOUNT

if TYPE_CHECKING:
    from local.aws import ClientFactory

__all__ = [
    "add_sni_certificate",
    "create_api_domain",
    "create_classic_load_balancer",
    "create_distribution",
    "create_environment",
    "create_load_balancer",
    "create_saved_configuration",
    "custom_action_event",
    "imported_event",
    "make_finding",
    "sqs_batch",
    "upload_certificate",
]

Standard = Literal["consolidated", "cis-3.0", "cis-5.0"]
_CIS_CONTROLS = {"3.0": "1.19", "5.0": "1.18"}
_CERTIFICATE_OPTIONS: dict[str, tuple[str, str]] = {
    "classic": ("aws:elb:listener:443", "SSLCertificateId"),
    "application": ("aws:elbv2:listener:443", "SSLCertificateArns"),
}


def upload_certificate(
    client: ClientFactory,
    name: str,
    *,
    expires: datetime | None = None,
    path: str = "/",
    tags: Mapping[str, str] | None = None,
    account_id: str = OWN_ACCOUNT,
    region: str = HOME_REGION,
) -> dict[str, Any]:
    """Upload a certificate, expired 30 days ago unless told when, and return its metadata."""
    expires = expires or datetime.now(UTC) - timedelta(days=30)
    # A common name has 64 characters at most; a certificate in IAM may be named longer.
    files = make_certificate(f"{name[:40]}.example.com", expires - timedelta(days=365), expires)
    answer = client("iam", region=region, account_id=account_id).upload_server_certificate(
        ServerCertificateName=name,
        Path=path,
        CertificateBody=files.body,
        PrivateKey=files.private_key,
        Tags=[{"Key": key, "Value": value} for key, value in (tags or {}).items()],
    )
    metadata: dict[str, Any] = answer["ServerCertificateMetadata"]
    return metadata


def create_classic_load_balancer(
    client: ClientFactory,
    name: str,
    certificate_arn: str | None = None,
    *,
    region: str = HOME_REGION,
    account_id: str = OWN_ACCOUNT,
) -> str:
    """Create a Classic Load Balancer, HTTPS if it gets a certificate, and return its name."""
    listener: dict[str, Any] = {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 80}
    if certificate_arn:
        listener |= {
            "Protocol": "HTTPS",
            "LoadBalancerPort": 443,
            "SSLCertificateId": certificate_arn,
        }
    client("elb", region=region, account_id=account_id).create_load_balancer(
        LoadBalancerName=name, Listeners=[listener], AvailabilityZones=[f"{region}a"]
    )
    return name


def create_load_balancer(
    client: ClientFactory,
    name: str,
    certificate_arn: str | None = None,
    *,
    sni: Sequence[str] = (),
    kind: Literal["application", "network", "gateway"] = "application",
    region: str = HOME_REGION,
    account_id: str = OWN_ACCOUNT,
) -> tuple[str, str | None]:
    """Create a load balancer with a listener if it gets a certificate; return both ARNs."""
    elbv2 = client("elbv2", region=region, account_id=account_id)
    subnets = client("ec2", region=region, account_id=account_id).describe_subnets()["Subnets"]
    made = elbv2.create_load_balancer(
        Name=name, Type=kind, Subnets=[subnet["SubnetId"] for subnet in subnets[:2]]
    )
    balancer_arn: str = made["LoadBalancers"][0]["LoadBalancerArn"]
    if certificate_arn is None:
        return balancer_arn, None
    target: str = elbv2.create_target_group(
        Name=f"{name}-targets",
        Protocol="HTTP" if kind == "application" else "TCP",
        Port=80,
        VpcId=subnets[0]["VpcId"],
    )["TargetGroups"][0]["TargetGroupArn"]
    listener_arn: str = elbv2.create_listener(
        LoadBalancerArn=balancer_arn,
        Protocol="HTTPS" if kind == "application" else "TLS",
        Port=443,
        Certificates=[{"CertificateArn": certificate_arn}],
        DefaultActions=[{"Type": "forward", "TargetGroupArn": target}],
    )["Listeners"][0]["ListenerArn"]
    if sni:
        add_sni_certificate(client, listener_arn, *sni, region=region, account_id=account_id)
    return balancer_arn, listener_arn


def add_sni_certificate(
    client: ClientFactory,
    listener_arn: str,
    *certificate_arns: str,
    region: str = HOME_REGION,
    account_id: str = OWN_ACCOUNT,
) -> None:
    """Add certificates to the SNI list of a listener."""
    client("elbv2", region=region, account_id=account_id).add_listener_certificates(
        ListenerArn=listener_arn,
        Certificates=[{"CertificateArn": arn} for arn in certificate_arns],
    )


def create_distribution(
    client: ClientFactory,
    certificate_id: str | None = None,
    *,
    deprecated: bool = False,
    account_id: str = OWN_ACCOUNT,
) -> str:
    """Create a CloudFront distribution with an IAM certificate, and return its ARN.

    `deprecated` configures it by the twin fields Certificate and CertificateSource alone.
    """
    viewer: dict[str, Any] = {"CloudFrontDefaultCertificate": True}
    if certificate_id:
        by_id = {"IAMCertificateId": certificate_id}
        by_twin = {"Certificate": certificate_id, "CertificateSource": "iam"}
        viewer = (by_twin if deprecated else by_id) | {"SSLSupportMethod": "sni-only"}
    made = client("cloudfront", account_id=account_id).create_distribution(
        DistributionConfig={
            "CallerReference": str(uuid.uuid4()),
            "Comment": "",
            "Enabled": True,
            "Origins": {
                "Quantity": 1,
                "Items": [
                    {
                        "Id": "origin",
                        "DomainName": "example.s3.amazonaws.com",
                        "S3OriginConfig": {"OriginAccessIdentity": ""},
                    }
                ],
            },
            "DefaultCacheBehavior": {
                "TargetOriginId": "origin",
                "ViewerProtocolPolicy": "https-only",
            },
            "ViewerCertificate": viewer,
        }
    )
    arn: str = made["Distribution"]["ARN"]
    return arn


def create_api_domain(
    client: ClientFactory,
    domain_name: str,
    certificate_arn: str,
    *,
    region: str = HOME_REGION,
    account_id: str = OWN_ACCOUNT,
) -> str:
    """Create an AppSync custom domain, and return its name."""
    client("appsync", region=region, account_id=account_id).create_domain_name(
        domainName=domain_name, certificateArn=certificate_arn
    )
    return domain_name


def create_environment(
    client: ClientFactory,
    application: str,
    environment: str,
    certificate_arn: str | None = None,
    *,
    kind: Literal["classic", "application"] = "application",
    region: str = HOME_REGION,
    account_id: str = OWN_ACCOUNT,
) -> str:
    """Create a Beanstalk environment (and its application), and return its name."""
    beanstalk = client("elasticbeanstalk", region=region, account_id=account_id)
    _create_application(beanstalk, application)
    beanstalk.create_environment(
        ApplicationName=application,
        EnvironmentName=environment,
        OptionSettings=_make_option_settings(certificate_arn, kind),
    )
    return environment


def create_saved_configuration(
    client: ClientFactory,
    application: str,
    template: str,
    certificate_arn: str | None = None,
    *,
    kind: Literal["classic", "application"] = "application",
    region: str = HOME_REGION,
    account_id: str = OWN_ACCOUNT,
) -> str:
    """Save a Beanstalk configuration (and create its application), and return its name."""
    beanstalk = client("elasticbeanstalk", region=region, account_id=account_id)
    _create_application(beanstalk, application)
    beanstalk.create_configuration_template(
        ApplicationName=application,
        TemplateName=template,
        SolutionStackName="64bit Amazon Linux 2023 v4.6.0 running Python 3.13",
        OptionSettings=_make_option_settings(certificate_arn, kind),
    )
    return template


def _create_application(beanstalk: Any, name: str) -> None:
    if not beanstalk.describe_applications(ApplicationNames=[name])["Applications"]:
        beanstalk.create_application(ApplicationName=name)


def _make_option_settings(certificate_arn: str | None, kind: str) -> list[dict[str, str]]:
    settings = [
        {
            "Namespace": "aws:elasticbeanstalk:environment",
            "OptionName": "LoadBalancerType",
            "Value": kind,
        }
    ]
    if certificate_arn:
        namespace, option = _CERTIFICATE_OPTIONS[kind]
        settings.append({"Namespace": namespace, "OptionName": option, "Value": certificate_arn})
    return settings


def make_finding(  # noqa: PLR0913 - each is a field that a test may want otherwise
    resource_id: str,
    *,
    standard: Standard = "consolidated",
    account_id: str = OWN_ACCOUNT,
    region: str = HOME_REGION,
    partition: str = "aws",
    workflow_status: str = "NEW",
    compliance_status: str = "FAILED",
    record_state: str = "ACTIVE",
    created_at: datetime | None = None,
    unique_id: str | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Return an IAM.26 finding about a resource in ASFF; `fields` overwrite top-level fields."""
    created = _format_time(created_at or datetime.now(UTC))
    product_arn = f"arn:{partition}:securityhub:{region}::product/aws/securityhub"
    source = _describe_source(standard, f"arn:{partition}:securityhub:{region}:{account_id}")
    finding_id = f"{source['base']}/finding/{unique_id or uuid.uuid4()}"
    kinds = ["Software and Configuration Checks/Industry and Regulatory Standards" + source["kind"]]
    severity = {"Label": "MEDIUM", "Normalized": 40, "Original": "MEDIUM"}
    url = "https://docs.aws.amazon.com/console/securityhub/IAM.26/remediation"
    return {
        "SchemaVersion": "2018-10-08",
        "Id": finding_id,
        "ProductArn": product_arn,
        "ProductName": "Security Hub",
        "CompanyName": "AWS",
        "Region": region,
        "GeneratorId": source["generator"],
        "AwsAccountId": account_id,
        "Types": kinds,
        "FirstObservedAt": created,
        "LastObservedAt": created,
        "CreatedAt": created,
        "UpdatedAt": created,
        "ProcessedAt": created,
        "Severity": severity,
        "Title": (
            f"{source['title']}Expired SSL/TLS certificates managed in IAM should be removed"
        ),
        "Description": (
            "This control checks whether an active SSL/TLS server certificate that is managed in "
            "IAM has expired."
        ),
        "Remediation": {
            "Recommendation": {
                "Text": (
                    "For information on how to correct this issue, consult the AWS Security Hub "
                    "controls documentation."
                ),
                "Url": url,
            }
        },
        "ProductFields": {
            **source["fields"],
            "RelatedAWSResources:0/name": (
                "securityhub-iam-server-certificate-expiration-check-0a1b2c3d"
            ),
            "RelatedAWSResources:0/type": "AWS::Config::ConfigRule",
            "aws/securityhub/ProductName": "Security Hub",
            "aws/securityhub/CompanyName": "AWS",
            "Resources:0/Id": resource_id,
            "aws/securityhub/FindingId": f"{product_arn}/{finding_id}",
        },
        "Resources": [
            {
                "Type": "AwsIamServerCertificate",
                "Id": resource_id,
                "Partition": partition,
                "Region": region,
            }
        ],
        "Compliance": {
            "Status": compliance_status,
            "SecurityControlId": "IAM.26",
            "RelatedRequirements": source["requirements"],
            "AssociatedStandards": [{"StandardsId": one} for one in source["standards"]],
        },
        "WorkflowState": "NEW",
        "Workflow": {"Status": workflow_status},
        "RecordState": record_state,
        "FindingProviderFields": {"Types": kinds, "Severity": severity},
        **fields,
    }


def _describe_source(standard: Standard, hub_arn: str) -> dict[str, Any]:
    if standard == "consolidated":
        return {
            "base": f"{hub_arn}:security-control/IAM.26",
            "generator": "security-control/IAM.26",
            "title": "",
            "kind": "",
            "fields": {},
            "requirements": [
                f"CIS AWS Foundations Benchmark v{version}.0/{control}"
                for version, control in _CIS_CONTROLS.items()
            ],
            "standards": [
                f"standards/cis-aws-foundations-benchmark/v/{version}.0"
                for version in _CIS_CONTROLS
            ],
        }
    version = standard.removeprefix("cis-")
    control = _CIS_CONTROLS[version]
    benchmark = f"cis-aws-foundations-benchmark/v/{version}.0"
    partition = hub_arn.split(":")[1]
    return {
        "base": f"{hub_arn}:subscription/{benchmark}/{control}",
        "generator": f"{benchmark}/{control}",
        "title": f"{control} ",
        "kind": "/CIS AWS Foundations Benchmark",
        "fields": {
            "StandardsArn": f"arn:{partition}:securityhub:::standards/{benchmark}",
            "StandardsSubscriptionArn": f"{hub_arn}:subscription/{benchmark}",
            "ControlId": control,
            "StandardsControlArn": f"{hub_arn}:control/{benchmark}/{control}",
        },
        "requirements": [f"CIS AWS Foundations Benchmark v{version}.0/{control}"],
        "standards": [f"standards/{benchmark}"],
    }


def sqs_batch(
    events: Iterable[Mapping[str, Any] | str],
    *,
    queue_arn: str = f"arn:aws:sqs:{HOME_REGION}:{OWN_ACCOUNT}:iam26-remediation",
    receive_count: int = 1,
) -> dict[str, Any]:
    """Return what Lambda passes for messages of a queue; a string becomes a body as it is."""
    sent_at = str(int(datetime.now(UTC).timestamp() * 1000))
    return {
        "Records": [
            {
                "messageId": str(uuid.uuid4()),
                "receiptHandle": f"handle-{number}",
                "body": event if isinstance(event, str) else json.dumps(event),
                "attributes": {
                    "ApproximateReceiveCount": str(receive_count),
                    "SentTimestamp": sent_at,
                    "SenderId": "AIDAEXAMPLE",
                    "ApproximateFirstReceiveTimestamp": sent_at,
                },
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": queue_arn,
                "awsRegion": queue_arn.split(":")[3],
            }
            for number, event in enumerate(events)
        ]
    }


def _format_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")

"""Partitions: where a request belongs."""

import pytest

from local.aws.knobs import OWN_ACCOUNT
from local.aws.patches import partitions
from local.aws.server import Aws
from local.fixtures import seed
from tests.local.conftest import Unpatched


def arn_in(aws: Aws, region: str) -> str:
    return str(seed.upload_certificate(aws.client, "web", region=region)["Arn"])


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("us-east-1", "aws"),
        ("eu-west-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-gov-east-1", "aws-us-gov"),
    ],
)
def test_a_certificate_is_of_the_partition_it_was_uploaded_to(
    aws: Aws, region: str, partition: str
) -> None:
    """IAM is one for each partition, and its ARNs say which."""
    assert arn_in(aws, region) == f"arn:{partition}:iam::{OWN_ACCOUNT}:server-certificate/web"


def test_moto_takes_govcloud_for_the_commercial_partition(aws: Aws, unpatched: Unpatched) -> None:
    """Without the patch IAM's global endpoint of GovCloud is taken for a Region of `aws`."""
    with unpatched(partitions.PATCH):
        assert arn_in(aws, "us-gov-west-1").startswith("arn:aws:iam:")


def test_partitions_do_not_see_each_other(aws: Aws) -> None:
    """A certificate in GovCloud is in no other partition, and the name is free there."""
    arn_in(aws, "us-gov-west-1")
    for region in ("us-east-1", "cn-north-1"):
        listed = aws.client("iam", region=region).list_server_certificates()
        assert listed["ServerCertificateMetadataList"] == []
    assert arn_in(aws, "us-east-1")

"""CloudFront: what a distribution says of its certificate."""

from typing import Any

import pytest

from local.aws.patches import cloudfront
from local.aws.server import Aws
from local.fixtures import seed
from tests.local.conftest import Unpatched

ID = "ASCAEXAMPLE1234567890"


def read_certificate(aws: Aws, certificate_id: str | None, *, deprecated: bool) -> dict[str, Any]:
    seed.create_distribution(aws.client, certificate_id, deprecated=deprecated)
    [listed] = aws.client("cloudfront").list_distributions()["DistributionList"]["Items"]
    names = (
        "IAMCertificateId",
        "Certificate",
        "CertificateSource",
        "CloudFrontDefaultCertificate",
    )
    return {name: listed["ViewerCertificate"].get(name) for name in names}


@pytest.mark.parametrize(
    ("deprecated", "expected_id"), [(False, ID), (True, None)], ids=["by id", "by twin fields"]
)
def test_an_iam_certificate_is_reported_with_its_source(
    aws: Aws, unpatched: Unpatched, *, deprecated: bool, expected_id: str | None
) -> None:
    """A distribution reports its IAM certificate, in the deprecated twin fields as well."""
    assert read_certificate(aws, ID, deprecated=deprecated) == {
        "IAMCertificateId": expected_id,
        "Certificate": ID,
        "CertificateSource": "iam",
        "CloudFrontDefaultCertificate": False,
    }
    with unpatched(cloudfront.PATCH):
        moto = read_certificate(aws, ID, deprecated=deprecated)
        assert (moto["CertificateSource"], moto["CloudFrontDefaultCertificate"]) == (
            "cloudfront",
            True,
        )


def test_an_acm_certificate_is_not_taken_for_iams(aws: Aws, unpatched: Unpatched) -> None:
    """A certificate of ACM is reported with that source."""
    arn = "arn:aws:acm:us-east-1:111122223333:certificate/1"

    def read_source() -> str:
        seed.create_distribution(aws.client)
        [made] = aws.client("cloudfront").list_distributions()["DistributionList"]["Items"]
        answer = aws.client("cloudfront").get_distribution_config(Id=made["Id"])
        config = answer["DistributionConfig"]
        config["ViewerCertificate"] = {"ACMCertificateArn": arn, "SSLSupportMethod": "sni-only"}
        updated = aws.client("cloudfront").update_distribution(
            Id=made["Id"], IfMatch=answer["ETag"], DistributionConfig=config
        )
        viewer = updated["Distribution"]["DistributionConfig"]["ViewerCertificate"]
        return str(viewer["CertificateSource"])

    assert read_source() == "acm"
    with unpatched(cloudfront.PATCH):
        assert read_source() == "cloudfront"


def test_no_certificate_is_cloudfronts_own(aws: Aws) -> None:
    """A distribution without a certificate reports CloudFront's default."""
    assert read_certificate(aws, None, deprecated=False) == {
        "IAMCertificateId": None,
        "Certificate": None,
        "CertificateSource": "cloudfront",
        "CloudFrontDefaultCertificate": True,
    }

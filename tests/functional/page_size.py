"""Lists in small pages: AWS may always answer fewer items than it was asked for."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.handlers import BUILTIN_HANDLERS
from botocore.model import OperationModel

SIZE_PARAMETERS: Mapping[str, str] = {
    "elb.DescribeLoadBalancers": "PageSize",
    "elbv2.DescribeLoadBalancers": "PageSize",
    "elbv2.DescribeListeners": "PageSize",
    "elbv2.DescribeListenerCertificates": "PageSize",
    "cloudfront.ListDistributions": "MaxItems",
    "appsync.ListDomainNames": "maxResults",
    "elasticbeanstalk.DescribeEnvironments": "MaxRecords",
    "iam.ListServerCertificates": "MaxItems",
    "iam.ListServerCertificateTags": "MaxItems",
    "acm.ListCertificates": "MaxItems",
    "cloudwatch.DescribeAlarms": "MaxRecords",
    "s3.ListObjectsV2": "MaxKeys",
    "securityhub.GetFindings": "MaxResults",
}

_sizes: list[int] = []


@contextmanager
def small_pages(size: int = 1) -> Iterator[None]:
    """Let every list come in pages of so many items."""
    _sizes.append(size)
    try:
        yield
    finally:
        _sizes.pop()


def _shrink(params: dict[str, Any], model: OperationModel, **_: Any) -> None:
    name = SIZE_PARAMETERS.get(f"{model.service_model.service_name}.{model.name}")
    if _sizes and name and model.input_shape:
        # CloudFront's is a number written as text.
        is_text = model.input_shape.members[name].type_name == "string"
        params[name] = str(_sizes[-1]) if is_text else _sizes[-1]


# Before the first session exists, so that all of them take it over.
BUILTIN_HANDLERS.append(("before-parameter-build", _shrink))

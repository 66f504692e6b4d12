"""CloudFront: a distribution's certificate is reported as it was configured.

moto says of every viewer certificate that its source is `cloudfront`, and does not derive the
deprecated field `Certificate`. So all fields follow from the configuration here, as in AWS.
"""

from __future__ import annotations

from typing import Any

from moto.cloudfront.models import ViewerCertificate

from local.aws.patches.patch import Patch

PATCH = Patch("cloudfront")


@PATCH.replace(ViewerCertificate, "__init__")
def configure(self: Any, config: dict[str, Any]) -> None:
    """Set what ListDistributions reports: the certificate, and its deprecated twin fields."""
    self.iam_certificate_id = config.get("IAMCertificateId")
    self.acm_certificate_arn = config.get("ACMCertificateArn")
    own = self.iam_certificate_id or self.acm_certificate_arn
    source = "iam" if self.iam_certificate_id else "acm" if own else "cloudfront"
    # A distribution of the old days is configured, and reported, by the twin fields alone.
    self.certificate = own or config.get("Certificate")
    self.certificate_source = source if own else config.get("CertificateSource", source)
    self.cloud_front_default_certificate = self.certificate is None
    self.ssl_support_method = config.get("SSLSupportMethod", "sni-only")
    self.minimum_protocol_version = config.get("MinimumProtocolVersion", "TLSv1")

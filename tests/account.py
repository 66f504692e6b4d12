"""The account around the application on a local AWS: what tests do in it and see of it."""

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from local.aws.knobs import HOME_REGION
from local.aws.server import Aws
from local.fixtures import seed
from local.fixtures.findings import make_raw_finding

Finding = Mapping[str, Any]


@dataclass
class Account:
    """An account with certificates, and with findings in its home Region."""

    aws: Aws
    _: KW_ONLY
    home: str = HOME_REGION

    def upload(self, name: str, *, days: float = -90, **more: Any) -> dict[str, Any]:
        """Put in a certificate that expires in so many days, and return its metadata."""
        expires = datetime.now(UTC) + timedelta(days=days)
        return seed.plant_certificate(name, expires=expires, region=self.home, **more)

    def find(self, resource_id: str, **more: Any) -> dict[str, Any]:
        """Return an hour-old finding about a resource, which Security Hub has yet to import."""
        created_at = datetime.now(UTC) - timedelta(hours=1)
        fields: dict[str, Any] = {"region": self.home, "created_at": created_at}
        return make_raw_finding(resource_id, **fields | more)

    def read(self, finding: Finding) -> dict[str, Any]:
        """Return a finding as Security Hub has it now."""
        hub = self.aws.client("securityhub", region=self.home)
        wanted = {"Id": [{"Value": finding["Id"], "Comparison": "EQUALS"}]}
        return dict(hub.get_findings(Filters=wanted)["Findings"][0])

    def certificates(self) -> set[str]:
        """Return the names of the certificates in IAM."""
        return {one["ServerCertificateName"] for one in self._list_certificates()}

    def certificate_ids(self) -> set[str]:
        """Return the ids of the certificates in IAM."""
        return {one["ServerCertificateId"] for one in self._list_certificates()}

    def _list_certificates(self) -> Iterator[dict[str, Any]]:
        iam = self.aws.client("iam", region=self.home)
        for page in iam.get_paginator("list_server_certificates").paginate():
            yield from page["ServerCertificateMetadataList"]

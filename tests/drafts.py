"""What property tests draw of a certificate, whether their world is of fakes or of requests."""

from dataclasses import dataclass

from tests.builders import make_arn

GRACE_DAYS = 10
PATHS = ("/", "/cloudfront/", "/team/old/")
# How a finding may name its certificate.
ID_FORMS = ("arn", "arn-without-path", "arn-with-id", "config", "id", "name")
# What people do to a certificate while an invocation is on its way.
PEOPLE = ("renewed", "replaced", "renamed", "exempted", "deleted")


@dataclass(frozen=True, kw_only=True)
class Draft:
    """One certificate of a drawn world, and what happens to it."""

    path: str
    id_form: str
    suppressed_meanwhile: bool
    change: str | None

    def name_resource(self, name: str, certificate_id: str) -> str:
        """Return what a finding calls the certificate that has this name and id."""
        return {
            "arn": make_arn(name, path=self.path),
            "arn-without-path": make_arn(name, path="/"),
            "arn-with-id": make_arn(certificate_id, path="/"),
            "config": f"AWS::IAM::ServerCertificate:{certificate_id}",
            "id": certificate_id,
            "name": name,
        }[self.id_form]

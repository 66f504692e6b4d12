"""What an account is full of: one of everything that can hold a certificate, in any Region."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from local.aws.knobs import HOME_REGION
from local.aws.server import Aws, ClientFactory
from local.fixtures import seed

Certificate = Mapping[str, Any]
# Makes a holder of a name, in a Region, with a certificate.
Attach = Callable[[ClientFactory, str, str, Certificate], object]


def attach_to_classic(client: ClientFactory, name: str, region: str, one: Certificate) -> object:
    return seed.create_classic_load_balancer(client, name, one["Arn"], region=region)


def attach_to_listener(kind: Literal["application", "network"]) -> Attach:
    def attach(client: ClientFactory, name: str, region: str, one: Certificate) -> object:
        return seed.create_load_balancer(client, name, one["Arn"], kind=kind, region=region)

    return attach


def attach_by_sni(client: ClientFactory, name: str, region: str, one: Certificate) -> object:
    later = datetime.now(UTC) + timedelta(days=900)
    default = seed.upload_certificate(client, f"{name}-default", expires=later)
    return seed.create_load_balancer(client, name, default["Arn"], sni=[one["Arn"]], region=region)


def attach_to_distribution(*, deprecated: bool) -> Attach:
    def attach(client: ClientFactory, name: str, region: str, one: Certificate) -> object:
        return seed.create_distribution(client, one["ServerCertificateId"], deprecated=deprecated)

    return attach


def attach_to_domain(client: ClientFactory, name: str, region: str, one: Certificate) -> object:
    return seed.create_api_domain(client, f"{name}.example.com", one["Arn"], region=region)


def attach_to_environment(kind: Literal["application", "classic"]) -> Attach:
    def attach(client: ClientFactory, name: str, region: str, one: Certificate) -> object:
        return seed.create_environment(
            client, f"{name}-app", f"{name}-env", one["Arn"], kind=kind, region=region
        )

    return attach


def attach_to_saved_configuration(
    client: ClientFactory, name: str, region: str, one: Certificate
) -> object:
    return seed.create_saved_configuration(
        client, f"{name}-app", f"{name}-saved", one["Arn"], region=region
    )


ATTACHMENTS: dict[str, Attach] = {
    "classic": attach_to_classic,
    "alb": attach_to_listener("application"),
    "nlb": attach_to_listener("network"),
    "sni": attach_by_sni,
    "cloudfront": attach_to_distribution(deprecated=False),
    "cloudfront-twin": attach_to_distribution(deprecated=True),
    "appsync": attach_to_domain,
    "environment": attach_to_environment("application"),
    "classic-environment": attach_to_environment("classic"),
    "saved": attach_to_saved_configuration,
}


def fill_account(aws: Aws, whose: str) -> None:
    """Create one of everything in the home Region of an account, with a certificate in use."""

    def client(service: str, *, region: str = HOME_REGION, account_id: str = "") -> Any:
        # Seeds ask for our own account.
        return aws.client(service, region=region, account_id=whose)

    later = datetime.now(UTC) + timedelta(days=900)
    create_holders(client, HOME_REGION, seed.upload_certificate(client, "everyday", expires=later))


def create_holders(client: ClientFactory, region: str, certificate: Certificate) -> None:
    """Create one of everything in a Region, each with the certificate."""
    for kind, attach in ATTACHMENTS.items():
        attach(client, f"the-{kind}", region, certificate)

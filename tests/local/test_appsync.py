"""AppSync: custom domain names, which moto does not know."""

import pytest

from local.aws.patches import appsync
from local.aws.server import Aws
from local.fixtures import seed
from tests.local.answers import code_of
from tests.local.conftest import Unpatched

ARN = "arn:aws:iam::111122223333:server-certificate/api"
DOMAINS = ("a.example.com", "b.example.com", "c.example.com")


def list_domains(aws: Aws, region: str = "us-east-1") -> list[str]:
    listed = aws.client("appsync", region=region).list_domain_names()["domainNameConfigs"]
    return [one["domainName"] for one in listed]


def test_a_domain_is_listed_with_its_certificate(aws: Aws) -> None:
    """A custom domain shows the ARN of the certificate that it was created with."""
    made = aws.client("appsync").create_domain_name(domainName=DOMAINS[0], certificateArn=ARN)
    [listed] = aws.client("appsync").list_domain_names()["domainNameConfigs"]
    assert listed == made["domainNameConfig"]
    assert (listed["domainName"], listed["certificateArn"]) == (DOMAINS[0], ARN)


def test_domains_belong_to_their_region(aws: Aws) -> None:
    """A domain of one Region is not listed in another."""
    seed.create_api_domain(aws.client, DOMAINS[0], ARN, region="eu-west-1")
    assert list_domains(aws, "eu-west-1") == [DOMAINS[0]]
    assert list_domains(aws) == []


def test_domains_come_in_pages(aws: Aws) -> None:
    """A page has no more domains than were asked for, and leads to the next one."""
    for domain in DOMAINS:
        seed.create_api_domain(aws.client, domain, ARN)
    client = aws.client("appsync")
    first = client.list_domain_names(maxResults=2)
    last = client.list_domain_names(maxResults=2, nextToken=first["nextToken"])
    pages = [[one["domainName"] for one in page["domainNameConfigs"]] for page in (first, last)]
    assert pages == [list(DOMAINS[:2]), list(DOMAINS[2:])]
    assert "nextToken" not in last


def test_a_deleted_domain_is_gone(aws: Aws) -> None:
    """A domain can be deleted once."""
    seed.create_api_domain(aws.client, DOMAINS[0], ARN)
    delete = aws.client("appsync").delete_domain_name
    assert code_of(delete, domainName=DOMAINS[0]) == "OK"
    assert list_domains(aws) == []
    assert code_of(delete, domainName=DOMAINS[0]) == "NotFoundException"


def test_a_domain_exists_once(aws: Aws) -> None:
    """A domain name that is taken is refused."""
    seed.create_api_domain(aws.client, DOMAINS[0], ARN)
    create = aws.client("appsync").create_domain_name
    taken = code_of(create, domainName=DOMAINS[0], certificateArn=ARN)
    assert taken == "BadRequestException"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("create_domain_name", {"domainName": DOMAINS[0], "certificateArn": ARN}),
        ("list_domain_names", {}),
        ("delete_domain_name", {"domainName": DOMAINS[0]}),
    ],
)
def test_moto_has_no_domains(
    aws: Aws, unpatched: Unpatched, method: str, params: dict[str, str]
) -> None:
    """Without the patch moto answers that there is no such URL."""
    with unpatched(appsync.PATCH):
        assert code_of(getattr(aws.client("appsync"), method), **params) == "404"

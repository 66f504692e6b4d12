"""Elastic Load Balancing v2: listeners, their default certificate, and their SNI list."""

from typing import Any

import pytest

from local.aws.patches import elbv2
from local.aws.server import Aws
from local.fixtures import seed
from tests.local.answers import code_of
from tests.local.conftest import Unpatched


def upload(aws: Aws, name: str) -> str:
    return str(seed.upload_certificate(aws.client, name)["Arn"])


def create_listener(aws: Aws, *sni: str) -> tuple[str, str, str]:
    """Create a listener, and return the ARNs of balancer, listener and default certificate."""
    default = upload(aws, "default")
    balancer, listener = seed.create_load_balancer(
        aws.client, "shop", default, sni=[upload(aws, name) for name in sni]
    )
    return balancer, str(listener), default


def names_of(certificates: list[dict[str, Any]]) -> list[str]:
    return [one["CertificateArn"].rsplit("/", 1)[1] for one in certificates]


def list_certificates(aws: Aws, listener: str, **params: Any) -> list[dict[str, Any]]:
    client = aws.client("elbv2")
    answer = client.describe_listener_certificates(ListenerArn=listener, **params)
    return list(answer["Certificates"])


class TestSni:
    """Which call shows which certificate."""

    def test_only_one_call_shows_the_sni_list(self, aws: Aws, unpatched: Unpatched) -> None:
        """DescribeListeners shows the default certificate alone; SNI takes a call of its own."""

        def describe() -> list[str]:
            balancer, listener, _ = create_listener(aws, "sni-1", "sni-2")
            assert names_of(list_certificates(aws, listener)) == ["default", "sni-1", "sni-2"]
            [described] = aws.client("elbv2").describe_listeners(LoadBalancerArn=balancer)[
                "Listeners"
            ]
            return names_of(described["Certificates"])

        assert describe() == ["default"]
        with unpatched(elbv2.PATCH):
            assert describe() == ["default", "sni-1", "sni-2"]

    def test_the_default_is_marked(self, aws: Aws) -> None:
        """In the list of a listener's certificates one is the default."""
        _, listener, _ = create_listener(aws, "sni")
        marks = [one["IsDefault"] for one in list_certificates(aws, listener)]
        assert marks == [True, False]

    def test_a_new_default_leaves_the_sni_list_alone(self, aws: Aws, unpatched: Unpatched) -> None:
        """ModifyListener replaces the default certificate, and answers with that one."""

        def modify() -> tuple[list[str], list[str]]:
            _, listener, _ = create_listener(aws, "sni-1", "sni-2")
            new = [{"CertificateArn": upload(aws, "new")}]
            answer = aws.client("elbv2").modify_listener(ListenerArn=listener, Certificates=new)
            modified = names_of(answer["Listeners"][0]["Certificates"])
            return modified, names_of(list_certificates(aws, listener))

        assert modify() == (["new"], ["new", "sni-1", "sni-2"])
        with unpatched(elbv2.PATCH):
            assert modify() == (["new"], ["new"])

    def test_an_sni_certificate_that_becomes_the_default_is_listed_once(self, aws: Aws) -> None:
        """A certificate is not in the list twice."""
        _, listener, _ = create_listener(aws, "sni-1", "sni-2")
        sni_1 = list_certificates(aws, listener)[1]["CertificateArn"]
        aws.client("elbv2").modify_listener(
            ListenerArn=listener, Certificates=[{"CertificateArn": sni_1}]
        )
        assert names_of(list_certificates(aws, listener)) == ["sni-1", "sni-2"]

    def test_a_change_of_something_else_keeps_all_certificates(self, aws: Aws) -> None:
        """ModifyListener without certificates leaves them as they are."""
        _, listener, _ = create_listener(aws, "sni")
        aws.client("elbv2").modify_listener(ListenerArn=listener, Port=8443)
        assert names_of(list_certificates(aws, listener)) == ["default", "sni"]

    def test_a_listener_without_certificates_shows_none(self, aws: Aws) -> None:
        """A plain listener has no list of certificates."""
        balancer, _ = seed.create_load_balancer(aws.client, "plain")
        client = aws.client("elbv2")
        action = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
        made = client.create_listener(
            LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[action]
        )["Listeners"][0]
        assert "Certificates" not in made
        assert list_certificates(aws, made["ListenerArn"]) == []


class TestPages:
    """Lists come in pages of the size asked for."""

    def test_listeners_come_in_pages(self, aws: Aws, unpatched: Unpatched) -> None:
        """DescribeListeners cuts its list at PageSize, and a marker leads on."""

        def count() -> list[int]:
            balancer, _, default = create_listener(aws)
            client = aws.client("elbv2")
            [target] = client.describe_target_groups()["TargetGroups"]
            client.create_listener(
                LoadBalancerArn=balancer,
                Protocol="HTTPS",
                Port=8443,
                Certificates=[{"CertificateArn": default}],
                DefaultActions=[{"Type": "forward", "TargetGroupArn": target["TargetGroupArn"]}],
            )
            pages = client.get_paginator("describe_listeners").paginate(
                LoadBalancerArn=balancer, PaginationConfig={"PageSize": 1}
            )
            return [len(page["Listeners"]) for page in pages]

        assert count() == [1, 1]
        with unpatched(elbv2.PATCH):
            assert count() == [2]

    def test_certificates_come_in_pages(self, aws: Aws, unpatched: Unpatched) -> None:
        """DescribeListenerCertificates cuts its list at PageSize, and a marker leads on."""

        def count() -> list[int]:
            _, listener, _ = create_listener(aws, "sni-1", "sni-2")
            pages = (
                aws.client("elbv2")
                .get_paginator("describe_listener_certificates")
                .paginate(ListenerArn=listener, PaginationConfig={"PageSize": 2})
            )
            return [len(page["Certificates"]) for page in pages]

        assert count() == [2, 1]
        with unpatched(elbv2.PATCH):
            assert count() == [3]


class TestArns:
    """What an ARN says of its load balancer."""

    @pytest.mark.parametrize(
        ("kind", "label"), [("application", "app"), ("network", "net"), ("gateway", "gwy")]
    )
    def test_an_arn_says_the_type(
        self, aws: Aws, unpatched: Unpatched, kind: Any, label: str
    ) -> None:
        """The type of a load balancer stands in its ARN, by which it can be described."""

        def read_label() -> str:
            arn, _ = seed.create_load_balancer(aws.client, "shop", kind=kind)
            described = aws.client("elbv2").describe_load_balancers(LoadBalancerArns=[arn])
            assert described["LoadBalancers"][0]["Type"] == kind
            return arn.split("/")[1]

        assert read_label() == label
        with unpatched(elbv2.PATCH):
            assert read_label() == "app"

    def test_a_listeners_arn_says_the_type_too(self, aws: Aws) -> None:
        """A listener's ARN is that of its load balancer with more at the end."""
        balancer, listener = seed.create_load_balancer(
            aws.client, "shop", upload(aws, "web"), kind="network"
        )
        assert str(listener).startswith(balancer.replace(":loadbalancer/", ":listener/"))


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("describe_listeners", {}, "ValidationError"),
        ("describe_listeners", {"LoadBalancerArn": "GONE"}, "LoadBalancerNotFound"),
        ("describe_listener_certificates", {"ListenerArn": "GONE"}, "ListenerNotFound"),
    ],
)
def test_what_does_not_exist_is_an_error(
    aws: Aws, method: str, params: dict[str, str], code: str
) -> None:
    """Asking for something that vanished is answered with the error that AWS has for it."""
    balancer, listener, _ = create_listener(aws)
    aws.client("elbv2").delete_load_balancer(LoadBalancerArn=balancer)
    gone = {"LoadBalancerArn": balancer, "ListenerArn": listener}
    call = getattr(aws.client("elbv2"), method)
    assert code_of(call, **{name: gone[name] for name in params}) == code

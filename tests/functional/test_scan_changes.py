"""What changes while it is scanned: nothing that was seen is forgotten, nothing new is missed."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from handlers.aws.clients import Clients
from handlers.aws.references import beanstalk_configurations, load_balancer_listeners
from handlers.aws.references.scan import Scan
from handlers.aws.references.source import Source
from local.aws import faults
from local.aws.server import Aws
from local.aws.wire import Recording
from local.fixtures import seed
from models.certificate import ServerCertificate
from models.reference import GapKind, References
from models.settings import Settings

AWAY = "eu-west-1"


class Account:
    """An account whose load balancers and environments are in one Region."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.client = aws.client
        self.elbv2 = aws.client("elbv2", region=AWAY)
        self.beanstalk = aws.client("elasticbeanstalk", region=AWAY)
        self.expired = self.upload("old-web", days=-30)
        self.valid = self.upload("everyday", days=900)

    def upload(self, name: str, days: int) -> ServerCertificate:
        """Put a certificate into IAM, expired or not."""
        expires = datetime.now(UTC) + timedelta(days=days)
        metadata = seed.plant_certificate(name, expires=expires)
        return ServerCertificate.model_validate(metadata)

    def create_balancer(self, name: str, certificate: ServerCertificate) -> tuple[str, str]:
        """Create a load balancer with a listener, and return both ARNs."""
        balancer, listener = seed.create_load_balancer(
            self.client, name, certificate.arn, region=AWAY
        )
        return balancer, str(listener)

    def replace_listener(self, old: str, certificate: ServerCertificate, *sni: str) -> str:
        """Replace a listener by another one on the same port, and return its ARN."""
        [like] = self.elbv2.describe_listeners(ListenerArns=[old])["Listeners"]
        self.elbv2.delete_listener(ListenerArn=old)
        target = like["DefaultActions"][0]["TargetGroupArn"]
        made = self.elbv2.create_listener(
            LoadBalancerArn=like["LoadBalancerArn"],
            Protocol="HTTPS",
            Port=443,
            Certificates=[{"CertificateArn": certificate.arn}],
            DefaultActions=[{"Type": "forward", "TargetGroupArn": target}],
        )
        new: str = made["Listeners"][0]["ListenerArn"]
        if sni:
            seed.add_sni_certificate(self.client, new, *sni, region=AWAY)
        return new

    def scan(self, source: Source) -> References:
        """Return what a scan of one source in the Region sees."""
        clients = Clients(boto3.Session(), AWAY, user_agent="test")
        settings = Settings.from_environment({"REGIONS": AWAY})
        return Scan(clients, settings, lambda: datetime.now(UTC), [source]).run(None)

    def scan_while(
        self,
        source: Source,
        operation: str,
        change: Callable[[], object],
        when: Callable[[Mapping[str, Any]], bool] | None = None,
        times: int | None = 1,
    ) -> tuple[References, Recording]:
        """Return what a scan sees if something changes right before a call, and its calls."""
        fault = faults.Call(change)
        with (
            faults.record_calls() as calls,
            faults.inject(operation=operation, fault=fault, when=when, times=times) as injected,
        ):
            references = self.scan(source)
        assert injected.hits >= 1
        return references, calls


@pytest.fixture
def account(aws: Aws) -> Account:
    """An account in the local AWS."""
    return Account(aws)


def list_holders(references: References, certificate: ServerCertificate) -> list[str]:
    assert references.gaps == ()
    return [one.holder for one in references.find_holders(certificate)]


class TestListeners:
    """Listeners and their load balancers."""

    SOURCE = load_balancer_listeners.SOURCE

    def test_replaced_with_the_same_certificate(self, account: Account) -> None:
        """A certificate whose listener was replaced by one that has it too is in use."""
        _, listener = account.create_balancer("shop", account.expired)

        references, _ = account.scan_while(
            self.SOURCE,
            "DescribeListenerCertificates",
            lambda: account.replace_listener(listener, account.expired),
        )

        assert list_holders(references, account.expired) == ["shop:443"]

    @pytest.mark.parametrize("by_sni", [False, True])
    def test_replaced_with_another_certificate(self, account: Account, *, by_sni: bool) -> None:
        """What only the new listener holds is seen, in its SNI list as well."""
        _, listener = account.create_balancer("shop", account.valid)
        default = account.valid if by_sni else account.expired
        sni = [account.expired.arn] if by_sni else []

        references, calls = account.scan_while(
            self.SOURCE,
            "DescribeListenerCertificates",
            lambda: account.replace_listener(listener, default, *sni),
        )

        assert list_holders(references, account.expired) == ["shop:443"]
        # The one more listing of the owner, beside the look of the change itself.
        assert [len(calls.named("DescribeLoadBalancers")), count_listings(calls)] == [1, 2]

    def test_gone_for_good(self, account: Account) -> None:
        """What was seen of a listener that is gone stays seen."""
        _, listener = account.create_balancer("shop", account.expired)
        account.create_balancer("steady", account.valid)

        references, calls = account.scan_while(
            self.SOURCE,
            "DescribeListenerCertificates",
            lambda: account.elbv2.delete_listener(ListenerArn=listener),
            when=lambda params: params["ListenerArn"] == listener,
        )

        assert list_holders(references, account.expired) == ["shop:443"]
        # What had been read already is not read again.
        assert len(calls.named("DescribeListenerCertificates")) == 2
        assert count_listings(calls) == 3

    def test_load_balancer_gone_for_good(self, account: Account) -> None:
        """A load balancer of which nothing was seen is no reference, and no gap."""
        balancer, _ = account.create_balancer("brief", account.expired)
        account.create_balancer("steady", account.valid)

        references, calls = account.scan_while(
            self.SOURCE,
            "DescribeListeners",
            lambda: account.elbv2.delete_load_balancer(LoadBalancerArn=balancer),
            when=lambda params: params.get("LoadBalancerArn") == balancer,
        )

        assert list_holders(references, account.expired) == []
        assert [one.examined for one in references.coverage] == [1]
        assert [len(calls.named("DescribeLoadBalancers")), count_listings(calls)] == [2, 2]

    def test_load_balancer_replaced(self, account: Account) -> None:
        """A load balancer that took the place of another one is read."""
        balancer, _ = account.create_balancer("shop", account.valid)

        def replace() -> None:
            account.elbv2.delete_load_balancer(LoadBalancerArn=balancer)
            account.create_balancer("new-shop", account.expired)

        references, _ = account.scan_while(
            self.SOURCE,
            "DescribeListeners",
            replace,
            when=lambda params: params.get("LoadBalancerArn") == balancer,
        )

        assert list_holders(references, account.expired) == ["new-shop:443"]

    def test_never_comes_to_rest(self, account: Account) -> None:
        """A listener that is replaced again and again is a gap, after a few looks."""
        _, listener = account.create_balancer("shop", account.valid)
        current = [listener]

        def replace() -> None:
            current.append(account.replace_listener(current[-1], account.valid))

        references, calls = account.scan_while(
            self.SOURCE, "DescribeListenerCertificates", replace, times=None
        )

        [gap] = references.gaps
        assert str(gap) == (
            f"Load balancer listener in {AWAY} (it kept changing while it was read)"
        )
        assert gap.kind is GapKind.CHANGING
        assert count_listings(calls) == 3

    def test_listed_but_not_readable(self, account: Account) -> None:
        """A listener that stays in the list and is never found is not taken for gone."""
        account.create_balancer("shop", account.valid)
        unknown = faults.AwsFault("ListenerNotFound", "One or more listeners not found")

        with faults.inject(operation="DescribeListenerCertificates", fault=unknown):
            references = account.scan(self.SOURCE)

        assert [one.kind for one in references.gaps] == [GapKind.CHANGING]

    def test_readable_later(self, account: Account) -> None:
        """A listener that is not found at first, as a new one may be, is read after all."""
        _, listener = account.create_balancer("shop", account.valid)
        seed.add_sni_certificate(account.client, listener, account.expired.arn, region=AWAY)
        unknown = faults.AwsFault("ListenerNotFound", "One or more listeners not found")

        with faults.inject(operation="DescribeListenerCertificates", fault=unknown, times=1):
            references = account.scan(self.SOURCE)

        assert list_holders(references, account.expired) == ["shop:443"]


def count_listings(calls: Recording) -> int:
    """Return how often the listeners of a load balancer were listed."""
    return sum("LoadBalancerArn" in one.params for one in calls.named("DescribeListeners"))


class TestBeanstalk:
    """Applications, environments and saved configurations."""

    SOURCE = beanstalk_configurations.SOURCE

    @pytest.mark.parametrize("name", ["shop-env", "new-env"])
    def test_environment_replaced(self, account: Account, name: str) -> None:
        """An environment that took the place of another one is read, under the same name too."""
        seed.create_environment(account.client, "shop", "shop-env", account.valid.arn, region=AWAY)
        seed.create_environment(
            account.client, "steady", "steady-env", account.valid.arn, region=AWAY
        )

        def replace() -> None:
            account.beanstalk.terminate_environment(EnvironmentName="shop-env")
            seed.create_environment(account.client, "shop", name, account.expired.arn, region=AWAY)

        references, calls = account.scan_while(
            self.SOURCE,
            "DescribeConfigurationSettings",
            replace,
            when=lambda params: params.get("EnvironmentName") == "shop-env",
        )

        assert list_holders(references, account.expired) == [f"environment {name}"]
        read = [one.params["EnvironmentName"] for one in settings_calls(calls)]
        assert read.count("steady-env") == 1

    def test_saved_configuration_replaced(self, account: Account) -> None:
        """A saved configuration that took the place of another one is read."""
        seed.create_saved_configuration(
            account.client, "shop", "blue", account.valid.arn, region=AWAY
        )

        def replace() -> None:
            account.beanstalk.delete_configuration_template(
                ApplicationName="shop", TemplateName="blue"
            )
            seed.create_saved_configuration(
                account.client, "shop", "green", account.expired.arn, region=AWAY
            )

        references, calls = account.scan_while(
            self.SOURCE,
            "DescribeConfigurationSettings",
            replace,
        )

        assert list_holders(references, account.expired) == ["saved configuration shop/green"]
        read = [one.params["TemplateName"] for one in settings_calls(calls)]
        assert read == ["blue", "green"]

    @pytest.mark.parametrize("kind", ["environment", "saved"])
    def test_gone_for_good(self, account: Account, kind: str) -> None:
        """What is gone is no reference, and its owner is listed once more."""
        create = {
            "environment": seed.create_environment,
            "saved": seed.create_saved_configuration,
        }[kind]
        create(account.client, "shop", "brief", account.expired.arn, region=AWAY)
        delete = {
            "environment": lambda: account.beanstalk.terminate_environment(EnvironmentName="brief"),
            "saved": lambda: account.beanstalk.delete_configuration_template(
                ApplicationName="shop", TemplateName="brief"
            ),
        }[kind]

        references, calls = account.scan_while(self.SOURCE, "DescribeConfigurationSettings", delete)

        assert list_holders(references, account.expired) == []
        assert len(calls.named("DescribeApplications")) == 2
        assert len(calls.named("DescribeEnvironments")) == 2
        assert len(calls.named("DescribeConfigurationSettings")) == 1

    def test_application_created_meanwhile(self, account: Account) -> None:
        """An application created between the two lists is listed once more, not denied."""
        seed.create_environment(
            account.client, "steady", "steady-env", account.valid.arn, region=AWAY
        )

        def create() -> None:
            arn = account.expired.arn
            seed.create_environment(account.client, "young", "young-env", arn, region=AWAY)
            seed.create_saved_configuration(
                account.client, "young", "young-saved", arn, region=AWAY
            )

        references, calls = account.scan_while(self.SOURCE, "DescribeEnvironments", create)

        assert sorted(list_holders(references, account.expired)) == [
            "environment young-env",
            "saved configuration young/young-saved",
        ]
        # Beside the looks of the change itself.
        listings = [one for one in calls.named("DescribeApplications") if not one.params]
        assert [len(listings), len(settings_calls(calls))] == [2, 3]

    def test_application_that_is_never_listed(self, account: Account) -> None:
        """An application that the second list lacks as well is hidden by a missing permission."""
        seed.create_environment(
            account.client, "shop", "shop-env", account.expired.arn, region=AWAY
        )
        account.aws.knobs.beanstalk_denied = frozenset({"DescribeApplications"})

        with faults.record_calls() as calls:
            references = account.scan(self.SOURCE)

        [gap] = references.gaps
        assert gap.cause == "application shop is not listed, as if permission were missing"
        assert gap.kind is GapKind.DENIED
        assert len(calls.named("DescribeApplications")) == 2
        assert settings_calls(calls) == []

    def test_another_application_each_time(self, account: Account) -> None:
        """Applications that go on being created are a gap of another kind."""
        numbers = iter(range(10))

        def create() -> None:
            name = f"young-{next(numbers)}"
            seed.create_environment(
                account.client, name, f"{name}-env", account.valid.arn, region=AWAY
            )

        references, _ = account.scan_while(self.SOURCE, "DescribeEnvironments", create, times=None)

        assert [one.kind for one in references.gaps] == [GapKind.CHANGING]


def settings_calls(calls: Recording) -> list[Any]:
    return calls.named("DescribeConfigurationSettings")

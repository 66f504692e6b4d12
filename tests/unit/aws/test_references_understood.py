"""Positive identification: what each source's holders name, and whether it is understood."""

from collections.abc import Callable
from typing import Any

import pytest

from handlers.aws.references import (
    beanstalk_configurations,
    classic_load_balancers,
    custom_domains,
    distributions,
    load_balancer_listeners,
)
from models.reference import References
from tests.builders import ACCOUNT, CERTIFICATE_ID, OTHER_ACCOUNT, make_arn, make_certificate
from tests.unit.aws.scripted import ScriptedAws
from tests.unit.aws.worlds import CASES

ACM_ARN = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/0a1b2c3d"
CERTIFICATE = make_certificate()

INVALID_CERTIFICATE = """
<DescribeLoadBalancersResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/">
  <DescribeLoadBalancersResult>
    <LoadBalancerDescriptions>
      <member>
        <LoadBalancerName>shop</LoadBalancerName>
        <ListenerDescriptions>
          <member>
            <Listener>
              <Protocol>HTTPS</Protocol>
              <LoadBalancerPort>443</LoadBalancerPort>
              <InstanceProtocol>HTTP</InstanceProtocol>
              <InstancePort>80</InstancePort>
              <SSLCertificateId>Invalid-Certificate</SSLCertificateId>
            </Listener>
            <PolicyNames/>
          </member>
        </ListenerDescriptions>
      </member>
    </LoadBalancerDescriptions>
  </DescribeLoadBalancersResult>
</DescribeLoadBalancersResponse>
"""

UNDERSTOOD = {
    "ACM": ACM_ARN,
    "ACM in China": f"arn:aws-cn:acm:cn-north-1:{ACCOUNT}:certificate/0a1b2c3d",
    "another id": "ASCAEXAMPLE0000000099",
}
DANGLING = {
    "another account's": make_arn("gone", account_id=OTHER_ACCOUNT),
    "Invalid-Certificate": "Invalid-Certificate",
    "unknown ARN": make_arn("renamed-since"),
    "unknown name": "renamed-since",
    "another service's ARN": f"arn:aws:acm-pca:us-east-1:{ACCOUNT}:certificate-authority/1",
    "ACM without an account": "arn:aws:acm:us-east-1::certificate/1",
    "nothing": None,
    "empty": "",
}
USED = {"ARN": make_arn(), "id": CERTIFICATE_ID, "name": "Example-Cert"}


def scan_classic(identifier: str | None, protocol: str | None = "HTTPS") -> References:
    listener = {"LoadBalancerPort": 443, "InstancePort": 80, "Protocol": protocol}
    listener["SSLCertificateId"] = identifier
    balancer = {
        "LoadBalancerName": "shop",
        "ListenerDescriptions": [{"Listener": without_none(listener)}],
    }
    answers = {"DescribeLoadBalancers": {"LoadBalancerDescriptions": [balancer]}}
    return ScriptedAws(answers).scan(classic_load_balancers.SOURCE)


def scan_listener(identifier: str | None, protocol: str | None = "HTTPS") -> References:
    certificates = [{"CertificateArn": identifier}] if identifier else []
    listener = without_none({"ListenerArn": "arn:l", "Port": 443, "Protocol": protocol})
    answers = dict(CASES["listener"].answers)
    answers["DescribeListeners"] = {"Listeners": [listener | {"Certificates": certificates}]}
    answers["DescribeListenerCertificates"] = {"Certificates": certificates}
    return ScriptedAws(answers).scan(load_balancer_listeners.SOURCE)


def scan_sni(identifier: str | None) -> References:
    answers = dict(CASES["listener"].answers)
    default = {"CertificateArn": ACM_ARN}
    listener = {"ListenerArn": "arn:l", "Port": 443, "Protocol": "TLS", "Certificates": [default]}
    answers["DescribeListeners"] = {"Listeners": [listener]}
    answers["DescribeListenerCertificates"] = {
        "Certificates": [default, *([{"CertificateArn": identifier}] if identifier else [])]
    }
    return ScriptedAws(answers).scan(load_balancer_listeners.SOURCE)


def scan_distribution(viewer: dict[str, Any], *aliases: str) -> References:
    distribution = {
        "Id": "E1",
        "Aliases": {"Quantity": len(aliases), **({"Items": list(aliases)} if aliases else {})},
        "ViewerCertificate": without_none(viewer),
    }
    listing = {"IsTruncated": False, "Quantity": 1, "Items": [distribution]}
    answers = {"ListDistributions": {"DistributionList": listing}}
    return ScriptedAws(answers).scan(distributions.SOURCE)


def scan_domain(identifier: str | None) -> References:
    domain = without_none({"domainName": "api.example.com", "certificateArn": identifier})
    answers = {"ListDomainNames": {"domainNameConfigs": [domain]}}
    return ScriptedAws(answers).scan(custom_domains.SOURCE)


def scan_by(member: str, **more: str) -> Callable[[str | None], References]:
    """Return a scan of one distribution that names its certificate in a member."""
    return lambda identifier: scan_distribution({member: identifier} | more, "www.example.com")


SCANS: dict[str, Callable[[str | None], References]] = {
    "classic": scan_classic,
    "listener": scan_listener,
    "IAMCertificateId": scan_by("IAMCertificateId"),
    "ACMCertificateArn": scan_by("ACMCertificateArn"),
    "Certificate of iam": scan_by("Certificate", CertificateSource="iam"),
    "Certificate of acm": scan_by("Certificate", CertificateSource="acm"),
    "Certificate of cloudfront": scan_by("Certificate", CertificateSource="cloudfront"),
    "Certificate": scan_by("Certificate"),
    "domain": scan_domain,
}


def without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def find_dangling(references: References) -> list[str]:
    assert references.gaps == ()
    return [one.statement for one in references.find_dangling((CERTIFICATE,))]


@pytest.mark.parametrize("kind", SCANS)
class TestEverySource:
    """What holds of the holders of every source."""

    @pytest.mark.parametrize("what", UNDERSTOOD)
    def test_understood(self, kind: str, what: str) -> None:
        """What is certainly no certificate of the account that may go keeps nothing."""
        references = SCANS[kind](UNDERSTOOD[what])
        assert find_dangling(references) == []
        assert references.find_holders(CERTIFICATE) == ()

    @pytest.mark.parametrize("what", DANGLING)
    def test_dangling(self, kind: str, what: str) -> None:
        """What is not understood, or not there, may be any certificate."""
        [statement] = find_dangling(SCANS[kind](DANGLING[what]))
        assert statement.endswith(f" names {DANGLING[what] or 'no certificate'}")

    @pytest.mark.parametrize("what", USED)
    def test_used(self, kind: str, what: str) -> None:
        """A certificate counts as used in whichever form it is named."""
        references = SCANS[kind](USED[what])
        assert len(references.find_holders(CERTIFICATE)) == 1
        assert find_dangling(references) == []


@pytest.mark.parametrize("scan", [scan_classic, scan_listener])
class TestProtocols:
    """Which listeners must name a certificate."""

    @pytest.mark.parametrize("protocol", ["HTTPS", "SSL", "TLS", "https", "HTTP3", None])
    def test_secure_without_a_certificate(self, scan: Any, protocol: str | None) -> None:
        """A listener that is not known to be plain dangles if it names nothing."""
        assert len(find_dangling(scan(None, protocol))) == 1

    @pytest.mark.parametrize("protocol", ["HTTP", "TCP", "http"])
    def test_plain(self, scan: Any, protocol: str) -> None:
        """A plain listener has no certificate and needs none."""
        references = scan(None, protocol)
        assert find_dangling(references) == []
        assert references.found == ()

    def test_plain_with_a_certificate(self, scan: Any) -> None:
        """What a plain listener names counts all the same."""
        assert scan(make_arn(), "TCP").find_holders(CERTIFICATE)
        assert find_dangling(scan("Invalid-Certificate", "TCP"))


def test_certificate_that_was_deleted_under_a_listener() -> None:
    """The way that Elastic Load Balancing shows a certificate which is gone dangles."""
    aws = ScriptedAws({"DescribeLoadBalancers": INVALID_CERTIFICATE})
    [statement] = find_dangling(aws.scan(classic_load_balancers.SOURCE))
    assert statement == "Classic Load Balancer shop:443 in us-east-1 names Invalid-Certificate"


class TestSni:
    """Certificates beside the default one."""

    def test_unknown(self) -> None:
        """A certificate of the SNI list that IAM does not have dangles."""
        assert len(find_dangling(scan_sni(make_arn("renamed-since")))) == 1

    def test_default_alone(self) -> None:
        """An SNI list of the default alone is complete."""
        assert find_dangling(scan_sni(None)) == []


class TestDefaults:
    """CloudFront's own certificate."""

    def test_default_certificate(self) -> None:
        """A distribution that says so is served by the default, whatever its aliases are."""
        viewer = {"CloudFrontDefaultCertificate": True, "CertificateSource": "cloudfront"}
        assert find_dangling(scan_distribution(viewer)) == []
        assert find_dangling(scan_distribution(viewer, "www.example.com")) == []

    @pytest.mark.parametrize("viewer", [{}, {"CloudFrontDefaultCertificate": False}])
    def test_without_aliases(self, viewer: dict[str, Any]) -> None:
        """A distribution without a name of its own is served by the default."""
        viewer = viewer | {"MinimumProtocolVersion": "TLSv1"}
        assert find_dangling(scan_distribution(viewer)) == []
        assert len(find_dangling(scan_distribution(viewer, "www.example.com"))) == 1

    def test_default_beside_something_else(self) -> None:
        """What stands beside the default must be understood too."""
        viewer = {"CloudFrontDefaultCertificate": True, "IAMCertificateId": "garbage"}
        assert len(find_dangling(scan_distribution(viewer))) == 1

    def test_both_twins(self) -> None:
        """Each of two fields counts."""
        viewer = {"IAMCertificateId": "ASCAEXAMPLE0000000099", "Certificate": CERTIFICATE_ID}
        assert scan_distribution(viewer).find_holders(CERTIFICATE)


@pytest.mark.parametrize("value", [make_arn("gone"), "Invalid-Certificate", ACM_ARN, "", " "])
def test_saved_configuration_never_dangles(value: str) -> None:
    """A saved configuration serves nothing, so it may name what is long gone."""
    answers = CASES["saved"].change(
        lambda answers: answers["DescribeConfigurationSettings"]["ConfigurationSettings"][0][
            "OptionSettings"
        ][0].update(Value=value)
    )
    references = ScriptedAws(answers).scan(beanstalk_configurations.SOURCE)
    assert find_dangling(references) == []


@pytest.mark.parametrize("value", [make_arn(), "example-cert", "EXAMPLE-CERT", CERTIFICATE_ID])
def test_saved_configuration_counts(value: str) -> None:
    """A saved configuration that names the certificate keeps it, in whichever form."""
    answers = CASES["saved"].change(
        lambda answers: answers["DescribeConfigurationSettings"]["ConfigurationSettings"][0][
            "OptionSettings"
        ][0].update(Value=value)
    )
    references = ScriptedAws(answers).scan(beanstalk_configurations.SOURCE)
    assert references.find_holders(CERTIFICATE)

"""Complete answers of every source, in which one holder names one certificate."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from handlers.aws.references import (
    beanstalk_configurations,
    classic_load_balancers,
    custom_domains,
    distributions,
    load_balancer_listeners,
)
from handlers.aws.references.source import Source
from tests.builders import make_arn

ARN = make_arn()

CLASSIC = {
    "DescribeLoadBalancers": {
        "LoadBalancerDescriptions": [
            {
                "LoadBalancerName": "shop",
                "ListenerDescriptions": [
                    {
                        "Listener": {
                            "Protocol": "HTTPS",
                            "LoadBalancerPort": 443,
                            "InstancePort": 80,
                            "SSLCertificateId": ARN,
                        }
                    }
                ],
            }
        ]
    }
}
LISTENERS = {
    "DescribeLoadBalancers": {
        "LoadBalancers": [
            {"LoadBalancerArn": "arn:lb/shop", "LoadBalancerName": "shop", "Type": "application"}
        ]
    },
    "DescribeListeners": {
        "Listeners": [
            {
                "ListenerArn": "arn:listener/shop",
                "Protocol": "HTTPS",
                "Port": 443,
                "Certificates": [{"CertificateArn": ARN}],
            }
        ]
    },
    "DescribeListenerCertificates": {
        "Certificates": [{"CertificateArn": ARN, "IsDefault": True}],
    },
}
DISTRIBUTIONS = {
    "ListDistributions": {
        "DistributionList": {
            "Marker": "",
            "MaxItems": 100,
            "IsTruncated": False,
            "Quantity": 1,
            "Items": [
                {
                    "Id": "E1",
                    "Aliases": {"Quantity": 1, "Items": ["www.example.com"]},
                    "ViewerCertificate": {"IAMCertificateId": "ASCAEXAMPLE0000000001"},
                }
            ],
        }
    }
}
DOMAINS = {
    "ListDomainNames": {
        "domainNameConfigs": [{"domainName": "api.example.com", "certificateArn": ARN}]
    }
}
_SETTINGS = {
    "OptionSettings": [
        {
            "Namespace": "aws:elbv2:listener:443",
            "OptionName": "SSLCertificateArns",
            "Value": ARN,
        }
    ]
}
ENVIRONMENT = {
    "DescribeApplications": {
        "Applications": [{"ApplicationName": "shop", "ConfigurationTemplates": []}]
    },
    "DescribeEnvironments": {
        "Environments": [
            {"EnvironmentName": "shop-env", "ApplicationName": "shop", "EnvironmentId": "e-1"}
        ]
    },
    "DescribeConfigurationSettings": {
        "ConfigurationSettings": [
            {"ApplicationName": "shop", "EnvironmentName": "shop-env", **_SETTINGS}
        ]
    },
}
SAVED = {
    "DescribeApplications": {
        "Applications": [{"ApplicationName": "shop", "ConfigurationTemplates": ["blue"]}]
    },
    "DescribeEnvironments": {"Environments": []},
    "DescribeConfigurationSettings": {
        "ConfigurationSettings": [{"ApplicationName": "shop", "TemplateName": "blue", **_SETTINGS}]
    },
}


@dataclass(frozen=True)
class Case:
    """A source with its answers."""

    source: Source
    answers: Mapping[str, Any]

    def change(self, change: Callable[[Any], object]) -> dict[str, Any]:
        """Return the answers after a change to a copy of them."""
        changed = deepcopy(dict(self.answers))
        change(changed)
        return changed


CASES = {
    "classic": Case(classic_load_balancers.SOURCE, CLASSIC),
    "listener": Case(load_balancer_listeners.SOURCE, LISTENERS),
    "cloudfront": Case(distributions.SOURCE, DISTRIBUTIONS),
    "appsync": Case(custom_domains.SOURCE, DOMAINS),
    "environment": Case(beanstalk_configurations.SOURCE, ENVIRONMENT),
    "saved": Case(beanstalk_configurations.SOURCE, SAVED),
}

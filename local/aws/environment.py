"""The environment variables that direct boto3, the AWS CLI and SAM CLI to a local AWS."""

from __future__ import annotations

import os

from local.aws.endpoints import DOCKER_BRIDGE
from local.aws.knobs import HOME_REGION, OWN_ACCOUNT
from local.aws.patches.accounts import make_access_key

HOSTS = ("127.0.0.1", "localhost", DOCKER_BRIDGE)


def make_environment(endpoint_url: str | None) -> dict[str, str]:
    """Return the variables that direct to an endpoint; without one, to this process's own AWS."""
    return {
        **({"AWS_ENDPOINT_URL": endpoint_url, **_pass_proxies_by()} if endpoint_url else {}),
        "AWS_ACCESS_KEY_ID": make_access_key(OWN_ACCOUNT),
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": HOME_REGION,
        "AWS_REGION": HOME_REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _pass_proxies_by() -> dict[str, str]:
    # Without this the AWS CLI and boto3 in other processes ask a proxy even for 127.0.0.1.
    given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = ",".join(dict.fromkeys([*HOSTS, *filter(None, given.split(","))]))
    return {"NO_PROXY": hosts, "no_proxy": hosts}

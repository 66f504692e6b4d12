"""The AWS operations that the functions really called, and the IAM actions that they need."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import botocore.session

from local.fixtures.stack import PROJECT

RECORDED = PROJECT / "build" / "operations"

# The actions whose name differs from that of their operation.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
RENAMED = {"s3.ListObjectsV2": "s3:ListBucket"}

# The services whose actions do not begin with the name that requests are signed for.
PREFIXES = {"monitoring": "cloudwatch"}

# Needs no permission, and cannot be denied:
# https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
FREE = frozenset({"sts.GetCallerIdentity"})

Operations = dict[str, dict[str, set[str]]]


class NothingRecordedError(Exception):
    """The functional tests have not run, so it is unknown what the functions call."""


def load_operations(folder: Path = RECORDED) -> Operations:
    """Return the operations that were called, such as `elbv2.DescribeListeners`.

    Returns:
        By function (`remediate`, `sweep`, `expiry_alarms`) and by the credentials used: the
        function's `own`, or those of a `member` account.

    Raises:
        NothingRecordedError: there are no records.
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise NothingRecordedError(
            f"no record of calls in {folder}: run `make functional` first, which writes it"
        )
    called: Operations = defaultdict(lambda: defaultdict(set))
    for file in files:
        for function, by_owner in json.loads(file.read_text()).items():
            for owner, operations in by_owner.items():
                called[function][owner] |= set(operations)
    return called


def list_needed_actions(operations: Iterable[str]) -> set[str]:
    """Return the IAM actions that operations of boto3 need."""
    return set(_map_operations(operations))


def _map_operations(operations: Iterable[str]) -> Iterator[str]:
    for operation in operations:
        if operation in FREE:
            continue
        service, _, name = operation.partition(".")
        yield RENAMED.get(operation) or f"{_find_prefix(service)}:{name}"


@cache
def _find_prefix(service: str) -> str:
    """Return the prefix of a service's actions, which is its signing name."""
    model = botocore.session.get_session().get_service_model(service)
    return PREFIXES.get(model.signing_name, str(model.signing_name))

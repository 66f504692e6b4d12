"""Alarms of CloudWatch on the days that certificates have left, and the metric for those of IAM.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from handlers.aws.answers import parse_part, require_list, require_tags, require_text
from handlers.aws.clients import Clients
from handlers.aws.errors import translated_errors
from models.expiry import (
    DIMENSION_NAME,
    IAM_NAMESPACE,
    METRIC_NAME,
    TAG_KEY,
    TAG_VALUE,
    Alarm,
    StoredAlarm,
)

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDatumTypeDef

# What a call takes, or gives, at most.
PAGE_SIZE = 100
NAMES_AT_ONCE = 100
VALUES_AT_ONCE = 1000


class Alarms:
    """The alarms of one Region."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    @property
    def _cloudwatch(self) -> "CloudWatchClient":
        # PutMetricAlarm takes 3 calls a second, and a first run makes hundreds.
        client: CloudWatchClient = self._clients.get_paced("cloudwatch")
        return client

    def list_named(self, prefixes: Sequence[str]) -> tuple[StoredAlarm, ...]:
        """Return every metric alarm whose name begins with one of some prefixes.

        Raises:
            AwsCallError, TransientError: as for every call here.
        """
        paginator = self._cloudwatch.get_paginator("describe_alarms")
        with translated_errors("DescribeAlarms"):
            return tuple(
                _parse(alarm)
                for prefix in prefixes
                for page in paginator.paginate(
                    AlarmNamePrefix=prefix,
                    AlarmTypes=["MetricAlarm"],
                    PaginationConfig={"PageSize": PAGE_SIZE},
                )
                for alarm in require_list(page, "MetricAlarms", "a page")
            )

    def read_tags(self, arn: str) -> dict[str, str] | None:
        """Return the tags of an alarm, or None if it is not there any more."""
        client = self._cloudwatch
        with translated_errors("ListTagsForResource"):
            try:
                answer = client.list_tags_for_resource(ResourceARN=arn)
            except client.exceptions.ResourceNotFoundException:
                return None
            return require_tags(require_list(answer, "Tags", "the answer"))

    def put(self, alarm: Alarm) -> None:
        """Create an alarm with our tag, or set what is there; its tags stay as they are."""
        with translated_errors("PutMetricAlarm"):
            self._cloudwatch.put_metric_alarm(
                **alarm.model_dump(by_alias=True, exclude_none=True),
                Tags=[{"Key": TAG_KEY, "Value": TAG_VALUE}],
            )

    def delete(self, names: Sequence[str]) -> None:
        """Delete alarms; one that is gone is no error."""
        client = self._cloudwatch
        for start in range(0, len(names), NAMES_AT_ONCE):
            with translated_errors("DeleteAlarms"):
                try:
                    client.delete_alarms(AlarmNames=names[start : start + NAMES_AT_ONCE])
                except client.exceptions.ResourceNotFound:
                    # The others of the call are deleted all the same.
                    continue

    def publish_days(self, days: Mapping[str, int], at: datetime) -> None:
        """Publish how many days certificates have left at a time (UTC), by ARN."""
        data: Sequence[MetricDatumTypeDef] = [
            {
                "MetricName": METRIC_NAME,
                "Dimensions": [{"Name": DIMENSION_NAME, "Value": arn}],
                "Timestamp": at,
                "Value": left,
            }
            for arn, left in days.items()
        ]
        for start in range(0, len(data), VALUES_AT_ONCE):
            with translated_errors("PutMetricData"):
                self._cloudwatch.put_metric_data(
                    Namespace=IAM_NAMESPACE, MetricData=data[start : start + VALUES_AT_ONCE]
                )


def _parse(raw: Mapping[str, Any]) -> StoredAlarm:
    return StoredAlarm(
        require_text(raw, "AlarmArn", "an alarm"), parse_part(Alarm, raw, "an alarm")
    )

"""CloudWatch: alarms whose tags, state and number are as in AWS.

moto writes the tags of PutMetricAlarm onto an alarm that exists, keeps the tags of one that is
deleted for the next of its name, and resets an alarm's state with its settings; it has no pages, no
limits, and an alarm that does not exist has an empty list of tags. So tags are given at creation
alone here and go with the alarm, an update leaves the state, lists have pages, and what AWS refuses
is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.cloudwatch.models import Alarm, CloudWatchBackend, cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.resource_tagging import TaggedResource

from local.aws.patches.limits import refuse_beyond_limits
from local.aws.patches.patch import ApiError, Patch, Request

PATCH = Patch("cloudwatch")

PAGE_SIZE = 50
MAX_METRICS = 1000
_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")
_MISSING_DATA = ("breaching", "notBreaching", "ignore", "missing")
_STATE = (
    "state_value",
    "state_reason",
    "state_reason_data",
    "state_updated_timestamp",
    "history",
)


def _backend(request: Request) -> CloudWatchBackend:
    return cloudwatch_backends[request.account][request.region]


@PATCH.replace_operation(CloudWatchResponse, "PutMetricAlarm")
def put_alarm(request: Request) -> None:
    """Answer PutMetricAlarm."""
    refuse_beyond_limits(request, "PutMetricAlarm", "ValidationError")
    treatment = request.params.get("TreatMissingData", "missing")
    if treatment not in _MISSING_DATA:
        raise ApiError(
            "ValidationError",
            f"Option {treatment} is not supported. Supported options for parameter "
            f"TreatMissingData are {', '.join(_MISSING_DATA)}.",
        )
    for action in (one for name in _ACTIONS for one in request.params.get(name, [])):
        region = action.split(":")[3]
        if region not in ("", request.region):
            raise ApiError(
                "ValidationError",
                f"Invalid region {region} specified. Only {request.region} is supported.",
            )
    PATCH.original(CloudWatchResponse, "put_metric_alarm")(request.response)


@PATCH.replace(CloudWatchBackend, "put_metric_alarm")
def _put_alarm(
    self: CloudWatchBackend, name: str, *, tags: list[dict[str, str]] | None = None, **settings: Any
) -> Alarm:
    before = self.alarms.get(name)
    put = PATCH.original(CloudWatchBackend, "put_metric_alarm")
    alarm: Alarm = put(self, name=name, tags=None if before else tags, **settings)
    alarm.state_value = "INSUFFICIENT_DATA"
    if before:
        vars(alarm).update({one: vars(before)[one] for one in _STATE})
    return alarm


@PATCH.replace_operation(CloudWatchResponse, "DescribeAlarms")
def describe_alarms(request: Request) -> dict[str, Any]:
    """Answer DescribeAlarms."""
    params = request.params
    refuse_beyond_limits(request, "DescribeAlarms", "ValidationError")
    if params.get("AlarmNames") and params.get("AlarmNamePrefix"):
        raise ApiError(
            "InvalidParameterCombination",
            "AlarmNames and AlarmNamePrefix cannot be specified together.",
        )
    after = params.get("NextToken", "")
    # The token is a name, so a deletion between two pages skips nothing.
    found = [
        alarm
        for name, alarm in sorted(_backend(request).alarms.items())
        if name > after and _is_wanted(alarm, params)
    ]
    size = params.get("MaxRecords", PAGE_SIZE)
    page = found[:size]
    return {"MetricAlarms": page, "NextToken": page[-1].name if len(found) > size else None}


def _is_wanted(alarm: Alarm, params: dict[str, Any]) -> bool:
    names = params.get("AlarmNames")
    state = params.get("StateValue", alarm.state_value)
    action = params.get("ActionPrefix", "")
    return (
        (not names or alarm.name in names)
        and alarm.name.startswith(params.get("AlarmNamePrefix", ""))
        and alarm.state_value == state
        and (not action or any(one.startswith(action) for one in alarm.alarm_actions))
    )


@PATCH.replace_operation(CloudWatchResponse, "DeleteAlarms")
def delete_alarms(request: Request) -> None:
    """Answer DeleteAlarms; a name that no alarm has is no error, as in AWS."""
    refuse_beyond_limits(request, "DeleteAlarms", "ValidationError")
    backend = _backend(request)
    for name in request.params["AlarmNames"]:
        if alarm := backend.alarms.pop(name, None):
            backend.tagger.delete_all_tags_for_resource(alarm.alarm_arn)


@PATCH.replace_operation(CloudWatchResponse, "ListTagsForResource")
def list_tags(request: Request) -> dict[str, Any]:
    """Answer ListTagsForResource."""
    backend, arn = _backend(request), request.params["ResourceARN"]
    if arn not in {alarm.alarm_arn for alarm in list(backend.alarms.values())}:
        raise ApiError("ResourceNotFoundException", f"Resource {arn} does not exist.")
    tags = backend.tagger.get_tag_dict_for_resource(arn)
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


@PATCH.replace(CloudWatchBackend, "iter_tagged_resources")
def _list_tagged(self: CloudWatchBackend) -> Iterator[TaggedResource]:
    # moto's pages look at the alarms one by one, and fail when one is made or deleted meanwhile.
    return iter(
        [
            TaggedResource(
                arn=alarm.alarm_arn,
                tags=self.tagger.get_tag_dict_for_resource(alarm.alarm_arn),
                resource_type="cloudwatch:alarm",
            )
            for alarm in list(self.alarms.values())
        ]
    )


@PATCH.replace_operation(CloudWatchResponse, "PutMetricData")
def put_metrics(request: Request) -> None:
    """Answer PutMetricData."""
    if len(request.params.get("MetricData", [])) > MAX_METRICS:
        raise ApiError(
            "InvalidParameterValue",
            f"The collection MetricData must not have a size greater than {MAX_METRICS}.",
        )
    PATCH.original(CloudWatchResponse, "put_metric_data")(request.response)

"""Lambda, on a schedule and on ACM's events: an alarm for each certificate before it expires."""

import os
from typing import Any

from aws_lambda_powertools.logging.correlation_paths import EVENT_BRIDGE
from aws_lambda_powertools.utilities.typing import LambdaContext

from handlers.expiry.alarms import AlarmCounts
from handlers.observability import logger
from handlers.wiring import wire_expiry_alarms
from models.errors import TransientError

__all__ = ["TransientError", "handler"]


@logger.inject_lambda_context(correlation_id_path=EVENT_BRIDGE)
def handler(event: Any, context: LambdaContext) -> AlarmCounts:  # noqa: ARG001 - Lambda's
    """Make the alarms of this Region and account what they should be, whatever the event says.

    Returns:
        How many alarms were `created`, `corrected`, `removed`, and how many were `unchanged`.

    Raises:
        SettingsError: an environment variable cannot be used.
        TooManyAlarmsError: more are needed than `MAX_ALARMS`; nothing was changed.
        ForeignAlarmError: alarms that are not ours have our names; all others were done.
        AwsCallError: a permission is missing, or an answer was incomplete.
        TransientError: AWS could not answer now; a repetition does the rest.
    """
    return wire_expiry_alarms(os.environ).run()

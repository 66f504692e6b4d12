"""Lambda, on a schedule: findings that are still open go back on the queue.

They were there before the deployment, something kept their certificate, or their message was lost.
"""

import os
from typing import Any

from aws_lambda_powertools.logging.correlation_paths import EVENT_BRIDGE
from aws_lambda_powertools.utilities.typing import LambdaContext

from handlers.observability import flush_metrics, logger
from handlers.remediation.sweep import Swept
from handlers.wiring import wire_sweep
from models.errors import TransientError

__all__ = ["TransientError", "handler"]


@logger.inject_lambda_context(correlation_id_path=EVENT_BRIDGE)
def handler(event: Any, context: LambdaContext) -> Swept:  # noqa: ARG001 - Lambda's
    """Put every open finding of IAM.26 on the queue, one message per account, and send a digest.

    Returns:
        How many `accounts`, `findings` and `messages` there were; with `AUTO_REMEDIATION=Disabled`
        none, and in `refused` why.

    Raises:
        SettingsError: an environment variable cannot be used.
        AwsCallError: Security Hub may not be read, or the queue not be written.
        TransientError: one of them could not answer now; a repetition does no harm.
    """
    try:
        return wire_sweep(os.environ).run()
    finally:
        flush_metrics()

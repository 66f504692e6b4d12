"""AWS's errors, turned into the few kinds that the remediation distinguishes."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's name for a connection that never came about
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.parsers import ResponseParserError
from urllib3.exceptions import NameResolutionError

from handlers.aws.answers import IncompleteReadingError
from models.errors import AwsCallError, TransientError

# What the SDK retries as throttling, here after it gave up:
# https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
THROTTLING_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
INTERNAL_CODES = frozenset(
    {"InternalError", "InternalFailure", "ServiceFailure", "ServiceUnavailable"}
)
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500

NO_SUCH_NAME = frozenset({socket.EAI_NONAME, socket.EAI_NODATA})

POLICY_DENIAL = "explicit deny in a service control policy"


def translate_error(error: Exception, operation: str) -> AwsCallError | TransientError:
    """Return our own error for one that boto3 raised when `operation` was called."""
    if isinstance(error, IncompleteReadingError):
        return AwsCallError(operation, str(error))
    if isinstance(error, ClientError):
        return _translate_client_error(error)
    if isinstance(
        error, HTTPClientError | ConnectionError | IncompleteReadError | ResponseParserError
    ):
        return TransientError(f"{operation} was not answered: {type(error).__name__}")
    return AwsCallError(operation, type(error).__name__)


def _translate_client_error(error: ClientError) -> AwsCallError | TransientError:
    code = str(error.response.get("Error", {}).get("Code", "Unknown"))
    message = str(error.response.get("Error", {}).get("Message", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    operation = error.operation_name
    if (
        code in THROTTLING_CODES | INTERNAL_CODES
        or status == TOO_MANY_REQUESTS
        or status >= SERVER_ERROR
    ):
        return TransientError(f"{operation} answered {code}")
    return AwsCallError(operation, code, denied_by_policy=POLICY_DENIAL in message)


def is_unresolved_endpoint(error: Exception) -> bool:
    """Return whether an error means that an endpoint's name does not exist.

    botocore raises the same error for a connection that was refused, and says so in its cause.
    """
    if not isinstance(error, EndpointConnectionError):
        return False
    cause: BaseException | None = error.kwargs.get("error")
    if isinstance(cause, NameResolutionError):
        cause = cause.__cause__
    return cause is None or (isinstance(cause, socket.gaierror) and cause.errno in NO_SUCH_NAME)


@contextmanager
def translated_errors(operation: str) -> Iterator[None]:
    """Turn whatever boto3 raises inside into our own errors.

    Raises:
        AwsCallError: AWS refused for good.
        TransientError: AWS could not answer now, after the SDK's own retries.
    """
    try:
        yield
    except (ClientError, BotoCoreError, ResponseParserError, IncompleteReadingError) as error:
        raise translate_error(error, operation) from error

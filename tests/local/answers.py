"""What a call came to, as a value that tests can compare."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

NOT_IMPLEMENTED = "NotImplementedError"


def code_of(call: Callable[..., Any], **params: Any) -> str:
    """Return the code of the error that a call is answered with, or `OK`."""
    try:
        call(**params)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    except NotImplementedError:
        return NOT_IMPLEMENTED
    return "OK"


def message_of(call: Callable[..., Any], **params: Any) -> str:
    """Return the message of the error that a call is answered with."""
    try:
        call(**params)
    except ClientError as error:
        return str(error.response["Error"]["Message"])
    raise AssertionError("the call was answered without an error")

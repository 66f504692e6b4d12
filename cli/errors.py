"""What goes wrong at a terminal, in one line each."""

from models.errors import AwsCallError, TransientError

# botocore's and AWS's words, as far as they ask for different things of a person.
NO_CREDENTIALS = frozenset({"NoCredentialsError", "PartialCredentialsError"})
EXPIRED_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "LoginRefreshRequired",
        "LoginTokenLoadError",
        "SSOTokenLoadError",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
    }
)
REJECTED_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


class CommandError(Exception):
    """The command cannot do what it was asked to; the message is what the person reads."""


def describe_error(error: Exception) -> str:
    """Return one line that says what went wrong, and what would help where something would."""
    if isinstance(error, AwsCallError):
        return _describe_refusal(error)
    if isinstance(error, TransientError):
        return f"AWS could not be asked now: {error}. Check the network, and try again."
    if isinstance(error, CommandError):
        return f"{error}."
    text = " ".join(str(error).split())
    return (
        f"unexpected error: {type(error).__name__}: {text}. "
        "Run it again with --debug, and report what that prints."
    )


def _describe_refusal(error: AwsCallError) -> str:
    if error.code in NO_CREDENTIALS:
        return (
            "no AWS credentials were found: pass --profile, set AWS_PROFILE, or log in with "
            "`aws login`, `aws sso login` or `aws configure`."
        )
    if error.code in EXPIRED_CREDENTIALS:
        return f"the AWS credentials have expired ({error.code}): log in again."
    if error.code in REJECTED_CREDENTIALS:
        return f"AWS does not accept the credentials ({error.code}): check them, or log in again."
    if error.is_denial:
        return f"{error.operation} was denied ({error.cause}): --print-policy prints what it needs."
    return f"{error}."

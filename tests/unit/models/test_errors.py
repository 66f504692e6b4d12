"""Errors as people read them: what AWS refused, and which input is not understood."""

import pytest
from pydantic import BaseModel, Field, ValidationError

from models.errors import AwsCallError, describe_invalid


class Shape(BaseModel):
    """An input with a name that must be short."""

    name: str = Field(max_length=2)
    counts: dict[str, int] = {}


def describe(**fields: object) -> str:
    """Return how the error about an input is described."""
    with pytest.raises(ValidationError) as caught:
        Shape.model_validate(fields)
    return describe_invalid(caught.value)


class TestRefusedCall:
    """A call that AWS refused for good."""

    @pytest.mark.parametrize(
        "code",
        [
            "AccessDenied",
            "AccessDeniedException",
            "UnauthorizedOperation",
            "NotAuthorized",
            "AuthorizationError",
            "AuthFailure",
            "403 Forbidden",
        ],
    )
    def test_denial(self, code: str) -> None:
        """A missing permission is known in each service's wording."""
        assert AwsCallError("Describe", code).is_denial

    @pytest.mark.parametrize("code", ["ValidationError", "NoSuchEntity", "InvalidInput"])
    def test_no_denial(self, code: str) -> None:
        """Any other refusal is no matter of permissions."""
        assert not AwsCallError("Describe", code).is_denial

    def test_cause(self) -> None:
        """The cause is the code, and says so if a service control policy denied the call."""
        assert AwsCallError("Describe", "AccessDenied").cause == "AccessDenied"
        denied = AwsCallError("Describe", "AccessDenied", denied_by_policy=True)
        assert denied.cause == "AccessDenied by a service control policy"


class TestInvalidInput:
    """An input that is not understood."""

    def test_missing_field(self) -> None:
        """A field that is missing is named."""
        assert describe() == "name: is missing"

    @pytest.mark.parametrize("wrong", ["abc", 7, None])
    def test_value(self, wrong: object) -> None:
        """A wrong value is shown behind the name of its field."""
        described = describe(name=wrong)
        assert described.startswith("name: ")
        assert described.endswith(f", got {wrong!r}")

    @pytest.mark.parametrize(("length", "shown"), [(118, 118), (119, 119)])
    def test_long_value(self, length: int, shown: int) -> None:
        """A value is shown whole in up to 120 characters, quotes included, and else cut."""
        described = describe(name="x" * length)
        assert described.count("x") == shown
        assert described.endswith("…") == (length > 118)

    @pytest.mark.parametrize(
        ("key", "shown"), [("plain", "counts.plain: "), ("two\nlines", r"'counts.two\nlines': ")]
    )
    def test_field_that_the_sender_named(self, key: str, shown: str) -> None:
        """A field's name that could break the line is quoted."""
        assert describe(name="x", counts={key: "many"}).startswith(shown)


def test_message_names_operation_and_code() -> None:
    """The error's own text names what was called and what was answered."""
    assert str(AwsCallError("PutObject", "AccessDenied")) == "PutObject answered AccessDenied"

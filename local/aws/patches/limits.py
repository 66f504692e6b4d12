"""The limits on parameters that AWS publishes in its service models, and the SDK does not check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.core.utils import get_service_model

from local.aws.patches.patch import ApiError, Request

if TYPE_CHECKING:
    from botocore.model import Shape


def refuse_beyond_limits(request: Request, operation: str, code: str) -> None:
    """Refuse a parameter that is longer, larger or another than the service's model allows.

    Raises:
        ApiError: what AWS answers, in its words; a parameter within another is not looked at.
    """
    model = get_service_model(request.response.boto3_service_name).operation_model(operation)
    for name, value in request.params.items():
        if trouble := _find_trouble(model.input_shape.members[name], value):
            parameter = name[0].lower() + name[1:]
            raise ApiError(
                code,
                f"1 validation error detected: Value '{value}' at '{parameter}' failed to satisfy "
                f"constraint: Member must {trouble}",
            )


def _find_trouble(shape: Shape, value: Any) -> str | None:
    most, allowed = shape.metadata.get("max"), shape.metadata.get("enum")
    if allowed and value not in allowed:
        return f"satisfy enum value set: [{', '.join(allowed)}]"
    if most is None:
        return None
    if isinstance(value, int):
        return f"have value less than or equal to {most}" if value > most else None
    return f"have length less than or equal to {most}" if len(value) > most else None

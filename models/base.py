"""The base of every model."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, model_validator


class Model(BaseModel):
    """A frozen model that accepts fields it does not know and keeps those it knows exact."""

    # An error that repeats its input could carry a certificate's body into a log.
    model_config = ConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True
    )


class Received(Model):
    """A model of what others send, where null in an optional field means that it is absent."""

    @model_validator(mode="before")
    @classmethod
    def _drop_null(cls, given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        optional = {
            field.alias or name
            for name, field in cls.model_fields.items()
            if not field.is_required()
        }
        return {
            name: value
            for name, value in given.items()
            if value is not None or name not in optional
        }

"""The base of every model."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen model that accepts fields it does not know and keeps those it knows exact."""

    # An error that repeats its input could carry a certificate's body into a log.
    model_config = ConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True
    )

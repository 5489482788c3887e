"""What every public event has: a name, a version of its own, the topic it is published on, and fields that only ever grow."""

from typing import Annotated, Any, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class PublicEvent(BaseModel):
    """A frozen public event. Unknown fields are ignored, so a consumer that is older than the publisher keeps working."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    event_name: ClassVar[str]
    """The stored name, `<service>.<Event>`."""
    version: ClassVar[int] = 1
    topic: ClassVar[str]
    event_type: ClassVar[str]
    """The public type, `<service>.<Event>.v<n>`, derived from the two above."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Derive the public type of a class that names an event."""
        super().__pydantic_init_subclass__(**kwargs)
        if "event_name" in vars(cls):
            cls.event_type = f"{cls.event_name}.v{cls.version}"


def open_enum(*known: str, meaning: str) -> Any:
    """A field of text whose known values are written down, while a consumer must live with new ones."""
    return Field(json_schema_extra={"x-known-values": list(known)}, description=meaning)


Instant = Annotated[AwareDatetime, Field(description="RFC 3339, in UTC, to the microsecond")]
AccountId = Annotated[str, Field(description="the account, acc_…")]
AppId = Annotated[str, Field(description="the app, app_…")]
ProductId = Annotated[str, Field(description="the product of the catalogue, such as `pay`")]
Environment = Annotated[str, open_enum("live", "test", meaning="which of the app's two keyrings")]

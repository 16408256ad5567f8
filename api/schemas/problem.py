"""The wire type of a problem (RFC 9457). The table of problems stands in `api.problems`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from api.schemas.base import Wire
from api.vocabulary import DataCategory, Reason


class InputFault(Wire):
    """What is wrong with one value that was sent. The value itself is never repeated."""

    in_: Annotated[Literal["body", "query", "path", "header"], Field(alias="in", description="Where the value stands.")]
    pointer: Annotated[str | None, Field(description="In a body: the JSON pointer (RFC 6901).")] = None
    name: Annotated[str | None, Field(description="Elsewhere: the name of the parameter or header.")] = None
    code: Annotated[str, Field(description="A word for the fault.", examples=["missing"])]
    message: Annotated[str, Field(description="What the value must be.")]


class WithheldReason(Wire):
    """Why one category of data stays closed, and what the caller does next."""

    category: DataCategory
    reason: Reason
    next_step: str


class Problem(Wire):
    """A "no": what is the matter and what the caller does next (probleem, RFC 9457). Ignore members you do not know."""

    model_config = ConfigDict(extra="ignore")

    type: Annotated[str, Field(json_schema_extra={"format": "uri"}, description="Its page explains the problem.")]
    title: Annotated[str, Field(description="What kind of problem it is.")]
    status: Annotated[int, Field(ge=400, le=599, description="The status code of the answer.")]
    detail: Annotated[str, Field(description="What is the matter. Never repeats what was sent.")]
    instance: Annotated[str, StringConstraints(pattern="^urn:uuid:"), Field(description="This one occurrence.")]
    request_id: Annotated[str, Field(description="Ours; name it when you ask for help.")]
    next_step: Annotated[str, Field(description="What the caller does next.")]
    errors: Annotated[tuple[InputFault, ...], Field(description="Everything that is wrong with the input.")] = ()
    reasons: Annotated[tuple[WithheldReason, ...], Field(description="Per category, why it stays closed.")] = ()

"""A problem as a response. It is written when it is sent, because only then is the request known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from api import problems
from api.edge import passage

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from api.problems import Problem


class ProblemResponse(Response):
    """`application/problem+json` with the status of the problem's row."""

    media_type = problems.MEDIA_TYPE

    def __init__(self, problem: Problem) -> None:
        super().__init__(status_code=problem.type.status)
        self.problem = problem
        for name, value in problem.headers:
            self.headers.append(name, value)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, complete with request id and absolute type."""
        here = passage.of(scope)
        self.body = self.problem.body(here.base_url, here.request_id)
        self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)

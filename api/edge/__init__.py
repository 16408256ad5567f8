"""What routes and pages share of HTTP. Below this room nobody knows that HTTP exists.

    enclosure    puts the edge together: `application(…)` makes the FastAPI app, `enclose(…)` the ASGI app to serve
    wire         the HTTP parser's own refusals (bad framing, endless headers), before there is an ASGI request
    envelope     the outermost ASGI layer: what every answer carries, size and time limits, HEAD, the last 500
    passage      what the edge knows of one request: its id, its origin, how large a body it may have
    routing      the route class: which media types go in and out, strict JSON
    media        negotiation (406, 415)            strict_json   one reading of a body, or none
    failures     errors and refusals -> answers    answers       a problem as a response
    paging       signed cursors                    etags         versions and preconditions
    metrics      what is counted of every request
    openapi      the description of the API        published     the same, as files that are checked in
    docs, problem_pages, health, well_known        what is served beside the API

A request passes wire, envelope, FastAPI's router, routing, and then the handler.
"""

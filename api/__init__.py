"""Ketenbrug: the map of the building.

A request comes in through `routes`, which hand it to the operations of one room (`cases`, `dossiers`, `screening`,
`advice`, `persons`, `statistics`). An operation asks `disclosure.gate` once; the gate asks `consent.decision`
whether it may be, and writes down through `audit.log` what is about to happen. Only with the gate's permit does a
room's `store` open anything. The unit of work in `storage` commits; then the answer leaves.

    cli, sandbox   the entry points, and the simulated world around the service
    app            the only place where things are put together
    routes, edge   HTTP: one file per resource, and what they share
    problems, settings, schemas
    statistics, dossiers, screening, advice, agreements, cases, evidence, persons, notifications
    disclosure, consent
    oauth, audit, events, crypto, outbound, storage
    principal, errors, vocabulary

Nothing imports upward; `pyproject.toml` holds the contracts.
"""

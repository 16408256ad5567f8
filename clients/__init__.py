"""Typed clients of the exchange, one per kind of party, each with an `Async…` twin.

    clients.ngo           NgoClient            asks for dossiers, records consents, shares outcomes, asks for advice
    clients.chain         ChainClient          IND, DT&V, AVIM: supplies dossiers, answers, advises
    clients.municipality  MunicipalityClient   decides on admission, directs cases
    clients.auditor       AuditorClient        reads and proves the audit log
    clients.operator      OperatorClient       administers agreements
    clients.errors        what can go wrong    one tree, drawn there
    clients.answers       Answer               a value and what came with it
    clients.receipts      what each answer promised, checked offline
    clients.signing       how a party signs an agreement
    clients.connection    examine              whether a connection is right, and if not, what is wrong, in words
    clients.renewal       renew                a client replaces its own keys
    clients.verifier      checks an export of the audit log offline; shares nothing with the rest

How they are made, from the bottom up; nothing below knows what is above it:

    _parts                one parent, two constructors: for blocking and for awaiting
    _cases _consents …    the operations, each described once, without I/O
    _rooms                from a description to a method, blocking or awaiting
    _drivers              run a flow: send, sleep, lock; the only place where sync and async differ
    _core                 the flow of one call: token, proof, retries, answer; it yields requests and receives responses
    _tokens _sending      the flows of the access token and of one request that is sent until it is answered
    _keys _messages       what is signed; what crosses between core and drivers
    _transport            the only module that imports the HTTP library

This file imports nothing, so that the verifier runs where neither the HTTP library nor the wire types are installed.
"""

"""Who may call: organisations, their clients, tokens bound to a key, and the proof of that key on every request.

jose       the only door to JOSE: one list of algorithms, one list of limits
dpop       the proof of possession (RFC 9449), read by the token endpoint and by every other one
tokens     access tokens (RFC 9068): minting, verifying, remembering what was verified
external   tokens of other issuers
nonces     nonces of the token endpoint, which nobody stores
signing    the keys that sign tokens, over time
replay     the mark that makes a proof or an assertion count once, and a disabled client or a revoked token never
limits     how much a proven client may ask, over all workers; how often somebody may guess
revocation which tokens were revoked
unproven   callers who proved nothing: counted, and summarised in the log once a minute
registry   organisations, designations and clients, and what a process remembers of them
grants     Authlib's authorization server, held to FAPI 2.0
endpoint   what the endpoints share: what is sent, who sends it, how they decline
server     the token endpoint: read, decide, write, in that order
management the endpoints for revocation and introspection
metadata   what server and API say about themselves
"""

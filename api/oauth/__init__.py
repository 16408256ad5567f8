"""Who may call: organisations, their clients, tokens bound to a key, and the proof of that key on every request.

jose       the only door to JOSE: one list of algorithms, one list of limits
dpop       the proof of possession (RFC 9449), read by the token endpoint and by every other one
tokens     access tokens (RFC 9068): minting, verifying, remembering what was verified
replay     the mark that makes a proof or an assertion count once, and a disabled client count never
registry   organisations, designations and clients, and what a process remembers of them
grants     Authlib's authorization server, held to FAPI 2.0
server     the token endpoint: read, decide, write, in that order
"""

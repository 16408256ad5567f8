"""Questions to IND, DT&V and AVIM, and their advice (advies). Advice is no decision: it has no legal effect.

model, tables, operations   as in every room
request_store, store        statements on requests, and on advice
"""

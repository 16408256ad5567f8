"""Questions to IND, DT&V and AVIM, and their advice (advies). Advice is no decision: it has no legal effect.

model, tables, store, operations   as in every room
"""

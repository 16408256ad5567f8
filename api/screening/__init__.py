"""Outcomes of legal screening (screeningsuitkomst): what is shared, and the analysis that stays with NGO and lawyer.

model, tables, store, operations   as in every room
"""

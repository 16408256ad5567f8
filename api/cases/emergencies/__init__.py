"""Emergencies (noodprocedure): that an NGO which cares for a person says that they cannot consent and are in danger.

model, tables, store, operations   as in every room: declared, ended, read

What one opens is decided in `api.consent.emergency`; two people review it afterwards in `api.supervision.emergencies`.
"""

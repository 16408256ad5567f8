"""Dossiers of the IND and the requests for them.

model, tables, store   values, tables, statements
requests    the use cases of a dossier request (dossierverzoek): ask, acknowledge, deliver in parts, refuse, cancel
operations  the use cases of a dossier: read it, read its manifest
"""

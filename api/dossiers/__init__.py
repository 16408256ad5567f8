"""Dossiers of the migration chain and the requests for them.

model, tables          values and tables
request_store, store   statements on requests, and on dossiers
requests               the use cases of a dossier request (dossierverzoek): ask, acknowledge, deliver, refuse, cancel
operations             the use cases of a dossier: read it, read its manifest
"""

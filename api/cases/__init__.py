"""A person's participation in one municipality: the case (casus), who is assigned to it, and its admission.

model, tables, store, operations   as in every room
situation   what a decision needs to know of a case, in one statement
emergencies what an NGO declares when the person cannot consent
admission   the admission check: asked, answered per criterion, decided
terms       working days
"""

"""Figures over cases; read-only. What a small cell could tell of one person is withheld from all but official readers.

model         the figures of tables S.1 and S.2 as values, and who gets them how (pure)
figures       how they follow from counts, and what is withheld (pure)
suppression   which parts of a published sum are withheld, so that none can be computed back (pure)
schemes       which leaving reason counts as lasting, per evaluation: `schemes.json`
tables        figures that were published and that no population can yield
store         one aggregate statement over cases, and the published figures
operations    the use case
"""

"""What makes a disclosure lawful, beside the legal ground.

model       the values (pure)
decision    may these categories go? (pure)
agreements  agreements as data: validated documents, signatures, what is in force
ledger      consents as append-only events; the state is derived
visibility  the rule as SQL, for lists
receipts    what the person gets in hand
"""

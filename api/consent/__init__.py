"""What makes a disclosure lawful, beside the legal ground.

model, record, evidence   the values (pure)
decision                  may these categories go? (pure)
document, soundness       agreements as readable data, and what none may say (pure)
intake, agreements        taking them in; signing, revoking, what is in force
signatures                how a party signs
ledger, standing          consents as append-only events: written, and read with the state that they come to
visibility                the rule as SQL, for lists
receipts                  what the person gets in hand
"""

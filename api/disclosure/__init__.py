"""The one gate between an operation and anything about a person.

authority   every operation there is: its scope, its reach, which parties may ask
permit      the values Permit and Refusal; only the gate makes a Permit
call        what an operation holds: who calls, for which operation, with which unit of work and vault
gate        `ask` for what crosses organisations, `admit` for the rest; both write the audit entry
"""

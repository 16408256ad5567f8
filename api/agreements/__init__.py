"""The use cases around what parties agree: who they are, which agreements there are, adding and signing one.

The documents, signatures and what is in force are `consent.agreements`; here the gate is asked.
"""

"""What was sent with a signature, kept byte by byte so that it can be shown as evidence of who said it.

It is beside the advice or the screening outcome that was made of it, under the same id, and sealed with the key of the
person whom it is about: who erases the person destroys the evidence with the rest. What is kept is the body as it came,
the two header fields, and the public key, so that it holds without us and after the key was replaced.
"""

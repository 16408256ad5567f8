"""People who sign in, with the OpenID provider of their own organisation. There is no password here.

    model       values: a provider as registered, why nobody was signed in, who is
    providers   which organisations have which provider, and what its roles are here
    pending     a sign-in that was begun: all of it is in a cookie of the browser that began it
    relying     talking to a provider, as a confidential client: discovery, PAR, code for ID token
    id_token    what must hold of an ID token (pure)
    ticket      what a browser holds, of which the database knows a digest
    sessions    who is signed in
    links       the single-use link of an operator
    door        the operations: begin, arrive, present, enter, leave

What is never kept: a code, an access token, a subject id or a name in the clear. What the audit log knows of a person
is a pseudonym that only our key makes.
"""

"""Wire types only: what goes over the line, one file per resource. Clients import these and nothing else of `api`."""

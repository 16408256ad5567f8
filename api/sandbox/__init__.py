"""The simulated world around the service: for the demo, the sandbox and the tests, never for production.

    cluster     a PostgreSQL of its own under a given directory: one value, `Cluster`, that stops all it started
    process     running a program of it, and knowing when the last of it is gone
    binaries    which PostgreSQL programs it runs, and as which account
    watchdog    the process between us and PostgreSQL, which stops it when we are gone, however we went
    databases   our roles and databases in any PostgreSQL server that may be used for tests

The population, the story that the demo tells and the simulators of IND, DT&V, AVIM and an NGO stand here too. Nothing
but `cli` imports this room.
"""

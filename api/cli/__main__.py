"""`python -m api.cli`, for processes that start one another."""

from api.cli.main import main

main()

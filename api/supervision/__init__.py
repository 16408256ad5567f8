"""What an auditor asks of the log, through the gate: asking is an entry itself."""

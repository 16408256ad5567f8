"""`ketenbrug client`: what is done about one client."""

from __future__ import annotations

from api.cli import connecting, headers, keygen

app = keygen.app
app.command()(headers.headers)
app.command()(connecting.check)
app.command()(connecting.renew)

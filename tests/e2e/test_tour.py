"""The tour of the README runs as it stands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests import live

ROOT: Final = Path(__file__).parents[2]


def test_the_tour_with_curl_shows_what_it_says(sandbox: live.Sandbox) -> None:
    """A new user copies these lines, and nothing else."""
    tour = re.search(r"## Five-minute tour with curl\n(.*?)\n## ", (ROOT / "README.md").read_text(), re.DOTALL)
    assert tour is not None
    start, *steps = re.findall(r"```sh\n(.*?)```", tour[1], re.DOTALL)
    assert "ketenbrug sandbox --dir .sandbox" in start
    script = "set -eu\n" + "\necho; echo ----\n".join(steps)
    here = script.replace("SANDBOX=.sandbox", f"SANDBOX={sandbox.directory}").replace(
        ".venv/bin/", f"{Path(sys.executable).parent}/"
    )
    done = subprocess.run(["bash", "-c", here], capture_output=True, text=True, check=False, timeout=120)  # noqa: S603, S607
    assert done.returncode == 0, done.stderr
    pulled, outsider, enforcement, logged = (json.loads(part) for part in done.stdout.split("----\n") if part.strip())
    assert len(pulled["sections"]) >= 8
    assert (outsider["status"], outsider["title"]) == (404, "Not found")
    assert enforcement["type"].endswith("/purpose-never-permitted")
    results = [entry["content"]["result"] for entry in logged["items"]]
    assert {"permitted", "refused"} <= set(results)

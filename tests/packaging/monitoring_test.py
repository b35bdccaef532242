"""The alert rules are Prometheus' and fire when they should (promtool), each has its remedy in docs/operations.md, and the
dashboard is whole.

  monitoring_test.py PROJECT
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys

project = pathlib.Path(sys.argv[1])
rules = project / "monitoring/tpf.rules.yml"
failed = []

alerts = re.findall(r"- alert: (\w+)", rules.read_text())
remedies = re.findall(r"^### (Tpf\w+)", (project / "docs/operations.md").read_text(), re.M)
if sorted(alerts) != sorted(remedies):
    failed.append(f"docs/operations.md has the remedies of other alerts: {sorted(set(alerts) ^ set(remedies))}")

panels = json.loads((project / "monitoring/tpf.dashboard.json").read_text())["panels"]
places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels]
if len(panels) < 10 or len(places) != len(set(places)) or not all(t["expr"] for p in panels for t in p["targets"]):
    failed.append("the dashboard is not whole")

if shutil.which("promtool"):
    for command in (["check", "rules", rules.name], ["test", "rules", "tpf.rules.test.yml"]):
        done = subprocess.run(["promtool", *command], cwd=rules.parent, capture_output=True, text=True)
        if done.returncode != 0:
            failed.append(f"promtool {' '.join(command)}: {done.stdout}{done.stderr}")
else:
    print("SKIPPED: promtool: not installed")

for line in failed:
    print(f"FAILED: {line}")
sys.exit(1 if failed else 0)

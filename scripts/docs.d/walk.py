"""Prints a shell script that takes the steps of a page and tells how long they take.

It reads the same comments as the test that runs all pages; CONTRIBUTING.md lists them. The script
needs Python and bash, and nothing of the repository, so that it runs in a fresh installation.

Usage: walk.py PAGE
"""

import re
import shlex
import sys

BEGIN = """set -euo pipefail
cd "$(mktemp -d)"
others=
trap 'kill $others $(jobs -p) 2>/dev/null || true' EXIT
begin=$(date +%s%N)
commands=0
step() { echo "$((($(date +%s%N) - begin) / 1000000)) ms, $commands commands: $*" >&2; }
listens() { (: </dev/tcp/127.0.0.1/8071) 2>/dev/null; }
"""

script = [BEGIN]
directives: dict[str, str] = {}
lines = iter(open(sys.argv[1]).read().splitlines())
for line in lines:
    if comment := re.fullmatch(r"<!-- ([a-z ]+)(?:: (.*))? -->", line):
        directives[comment[1]] = comment[2] or ""
    elif line.startswith("## "):
        script.append(f"step {shlex.quote(line.removeprefix('## '))}")
    elif line.startswith("```"):
        block = "\n".join(iter(lambda: next(lines), "```"))
        if "wait" in directives:
            script.append(f"until {directives['wait']}; do sleep 0.05; done")
        if "file" in directives:
            script.append(f"cat >{directives['file']} <<'END_OF_FILE'\n{block}\nEND_OF_FILE")
        elif line == "```sh" and "not run" not in directives:
            script.append(f"commands=$((commands + {len(block.splitlines())}))")
            if "terminal" in directives:
                # It is no job of this shell, whose numbers the page uses.
                script.append(f"( {block} ) >terminal 2>&1 &\nothers+=\" $!\"\ndisown")
                script.append("until listens; do sleep 0.05; done")
            else:
                script.append(block)
        directives = {}
script.append("step done")
print("\n".join(script))

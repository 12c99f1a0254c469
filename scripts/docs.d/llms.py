"""Writes llms.txt, an index of the site for programs, and the pages as Markdown next to it.

Usage: llms.py SOURCE SITE
"""

import re
import shutil
import sys
from pathlib import Path

source, site = Path(sys.argv[1]), Path(sys.argv[2])
ENTRY = re.compile(r"^\s*(?:- )?\[(.+)\]\((.+\.md)\)$")
SKIPPED = ("#", "```", "<!--", "|", "!", "-", "1.")


def first_sentence(text: str) -> str:
    """The first sentence of prose, without links."""
    is_code = is_comment = False
    for line in text.splitlines():
        is_comment = is_comment or line.startswith("<!--")
        if line.startswith("```"):
            is_code = not is_code
        elif not is_code and not is_comment and line and not line.startswith(SKIPPED):
            plain = re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", line)
            return re.split(r"(?<=\.) ", plain)[0].rstrip(":")
        is_comment = is_comment and not line.endswith("-->")
    sys.exit("a page has no sentence: " + text.splitlines()[0])


lines = ["# Postrider", "", "> A webhook gateway: a single binary that sends and receives webhooks.", ""]
for line in (source / "SUMMARY.md").read_text().splitlines()[1:]:
    if line.startswith("# "):
        lines += ["", "#" + line, ""]
    elif entry := ENTRY.match(line):
        title, page = entry.groups()
        lines.append(f"- [{title}]({page}): {first_sentence((source / page).read_text())}")
        (site / page).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / page, site / page)
(site / "llms.txt").write_text(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n")

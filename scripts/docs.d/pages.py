"""Copies docs/ to a folder that mdBook can build.

Links from pages to files outside docs/ work on GitHub. Here the files are copied into the book,
pages of the root as pages and others as they are, and the links are changed.

Usage: pages.py FOLDER
"""

import os
import re
import shutil
import sys
from pathlib import Path

into = Path(sys.argv[1])
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")
# Pages of the repository's root that belong to the site.
ROOT_PAGES = ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "STYLE.md"]


def link_in_site(page: Path, link: str) -> str:
    """The link of a page below docs/, as it has to be in the site."""
    if ":" in link:
        return link
    if link.endswith("SUMMARY.md"):
        # It becomes the sidebar, not a page.
        return "#"
    target = Path(os.path.normpath(Path("docs") / page.parent / link))
    if page.name in ROOT_PAGES and page.parent == Path("."):
        target = Path(os.path.normpath(link))
    if target.is_relative_to("docs"):
        place = target.relative_to("docs")
    elif str(target) in ROOT_PAGES:
        place = target
    elif target.is_file():
        place = Path("files") / target
        (into / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(target, into / place)
    else:
        # A folder, or nothing: the check of the links says so unless it is only for GitHub.
        return "#" if target.is_dir() else link
    return os.path.relpath(place, page.parent)


def convert(page: Path, text: str) -> str:
    def replaced(match: re.Match) -> str:
        return f"]({link_in_site(page, match[1])}{match[2] or ''})"

    return LINK.sub(replaced, text)


shutil.rmtree(into, ignore_errors=True)
shutil.copytree("docs", into)
for name in ROOT_PAGES:
    shutil.copy(name, into / name)
summary = into / "SUMMARY.md"
listed = "\n# Project\n\n" + "".join(
    f"- [{Path(name).read_text().splitlines()[0].removeprefix('# ')}]({name})\n" for name in ROOT_PAGES
)
summary.write_text(summary.read_text() + listed)
for path in into.rglob("*.md"):
    page = path.relative_to(into)
    if page.parts[0] != "files" and page.name != "SUMMARY.md":
        path.write_text(convert(page, path.read_text()))

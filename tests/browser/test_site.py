"""A browser opens pages of the documentation from disk: drawn, within the width, no network.

With FGGM_LAB_SCREENSHOTS naming a folder, it keeps a picture of each.
"""

import os
from pathlib import Path
from typing import Any

import pytest

PAGES = {
    "index.html": "fggm_lab",
    "course/index.html": "The course",
    "course/01_fisher_information.html": "01 · What Fisher information is",
    "howto/researcher.html": "Your own model and data",
    "ci.html": "Notebooks in your CI",
    "api/fisher.html": "fisher",
    "api/cli.html": "Command line",
    "gallery.html": "Gallery",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_pages_are_drawn_within_the_width_and_ask_the_network_for_nothing(
    browser: Any,
    site: Path,
    width: int,
    scheme: str,
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    problems: list[str] = []
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    try:
        for name, title in PAGES.items():
            page.goto((site / name).as_uri())
            assert page.locator("h1").first.inner_text().rstrip("¶").strip() == title
            excess = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(excess) <= 0, f"{name} is wider than the screen"
            dark = page.evaluate("document.body.dataset.mdColorScheme") == "slate"
            assert dark == (scheme == "dark")
            if folder := os.environ.get("FGGM_LAB_SCREENSHOTS"):
                Path(folder).mkdir(parents=True, exist_ok=True)
                stem = name.removesuffix(".html").replace("/", "-")
                file = Path(folder) / f"site-{stem}-{width}-{scheme}.png"
                page.screenshot(path=file, full_page=True)
        assert problems == []
        assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    finally:
        page.close()


def test_search_works_in_pages_opened_from_disk(browser: Any, site: Path) -> None:
    page = browser.new_page()
    try:
        page.goto((site / "index.html").as_uri())
        page.keyboard.press("/")
        page.keyboard.type("lorenz curves")
        result = page.locator('.md-search-result__link[href*="lorenz_curves"]').first
        result.wait_for(state="attached", timeout=30_000)
    finally:
        page.close()

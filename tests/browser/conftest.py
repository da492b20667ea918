"""Headless Chromium for tests that must see the page."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """The system's Chromium; skips without one, fails if FGGM_LAB_REQUIRE_BROWSER is 1.

    It is closed after the tests of this folder: while playwright is open, the thread has an event
    loop, in which other tests cannot call `asyncio.run`.
    """
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        reason = "no chromium on the PATH (apt-get install chromium)"
        if os.environ.get("FGGM_LAB_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()

"""The pictures of the pages in docs/images, taken in Chromium.

python tests/page_pictures.py demo/archive "56.80994 34.85051" 0.424112
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlencode

from browser import browser
from PIL import Image
from serving import serving

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
FOLDED = "document.querySelectorAll('#g-fold .point').length"
POWER = "document.querySelectorAll('#g-power .point').length"
QUALITY = "document.querySelectorAll('#quality .point').length > 50"


def main(archive: str, searched: str, period: str) -> None:
    """Open the pages, and keep what is seen."""
    looking = {"q": searched, "p": period, "find": "1", "pmin": "0.2", "pmax": "10", "terms": "3"}
    shots = (
        ("page.png", f"/?{urlencode(looking)}", 1280, False, POWER, 1446),
        ("page-dark.png", f"/?{urlencode({'q': searched, 'p': period})}", 1280, True, FOLDED, 1010),
        (
            "page-phone.png",
            f"/?{urlencode({'q': searched, 'p': period})}",
            390,
            False,
            FOLDED,
            1560,
        ),
        ("page-archive.png", "/archive", 1280, False, QUALITY, None),
    )
    with (
        tempfile.TemporaryDirectory() as profile,
        serving(Path(archive).absolute()) as address,
        browser(Path(profile)) as window,
    ):
        for name, path, width, dark, drawn, height in shots:
            window.open(f"{address}{path}", width=width, dark=dark)
            window.wait(drawn)
            window.wait("document.querySelectorAll('._dash-loading-callback').length === 0")
            shot = Image.open(io.BytesIO(window.screenshot(height))).convert("RGB")
            few = shot.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
            few.save(IMAGES / name, optimize=True)
            print(IMAGES / name)


if __name__ == "__main__":
    main(*sys.argv[1:])

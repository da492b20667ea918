"""Replies to the requests of an explorer's page, whatever carries them."""

import base64
from collections.abc import Mapping
from typing import Any

from fggm_lab.errors import LabError
from fggm_lab.explorer.run_figures import Json, RunFigures
from fggm_lab.plots.plotly_js import plotly_js
from fggm_lab.sentences import full_sentence


def reply(figures: RunFigures, request: Mapping[str, Any]) -> tuple[Json, list[bytes]]:
    """What a page has asked for.

    Args:
        figures: of the runs that the page shows.
        request: `kind` and what it needs: `description`; `answer` (tab, view, values); `scores`
            (method); `stamp`; `library`, the source of Plotly's JavaScript.

    Returns:
        A part for JSON, and the bytes of arrays, if any. A request that cannot be met has
        `message`, a sentence.
    """
    try:
        match request:
            case {"kind": "description"}:
                return figures.description(), []
            case {"kind": "answer", "tab": str(tab), "view": str(view), "values": dict(values)}:
                return figures.answer(tab, view, values), []
            case {"kind": "scores", "method": str(method)}:
                header, arrays = figures.scores(method)
                return header, [array.tobytes() for array in arrays]
            case {"kind": "stamp"}:
                return {"stamp": figures.stamp()}, []
            case {"kind": "library"}:
                return {"source": plotly_js()}, []
    except LabError as error:
        return {"message": full_sentence(str(error))}, []
    return {"message": "This page asks for what this version does not know; reload it."}, []


def json_reply(figures: RunFigures, request: Mapping[str, Any]) -> Json:
    """`reply` as JSON alone: arrays in base64, as `arrays`."""
    content, arrays = reply(figures, request)
    if arrays:
        content |= {"arrays": [base64.b64encode(array).decode() for array in arrays]}
    return content

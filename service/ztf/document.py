"""What OpenAPI says of `nph_light_curves`: its parameters as ZTF's archive names them, and answers.

Answers of every kind, and what is wrong with a request, come in the format that was asked for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from products.votable import MEDIA_TYPE, error_document
from service.api.documents import PROBLEMS, UNCHANGED

# Each format with its media type; the first is what comes when none is asked for.
MEDIA_TYPES = {
    "VOTABLE": MEDIA_TYPE,
    "IPAC_TABLE": "text/plain",
    "HTML": "text/html",
    "CSV": "text/csv",
    "TSV": "text/tab-separated-values",
}
# The API's own limit, degrees.
MAX_RADIUS_DEG = 0.1667

_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?"
_CIRCLE = f"{_NUMBER}([ ,]{_NUMBER}){{2}}"
_BOUND = f"({_NUMBER}|[+-]?[Ii]nf)"
_RANGE = {"type": "string", "pattern": f"^{_BOUND}([ ,]{_BOUND})?$"}


def _several(pattern: str) -> dict[str, Any]:
    """Values apart by commas or spaces; the parameter may come several times, too."""
    return {
        "type": "array",
        "items": {"type": "string", "pattern": f"^{pattern}([ ,]{pattern})*$"},
    }


class Parameter(NamedTuple):
    """What a parameter means, and which values it takes."""

    meaning: str
    schema: dict[str, Any]


_COUNT = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
PARAMETERS = {
    "ID": Parameter(
        "Objects by id, apart by commas or spaces, or several times. It goes not together with "
        "BAND, BANDNAME, MAG and NOBS_MIN. One of ID, POS and CIRCLE is needed.",
        _several("[0-9]{1,18}"),
    ),
    "POS": Parameter(
        "The objects in a circle, whose curves come whole: CIRCLE, then ra, dec and radius in "
        f"degrees (ICRS), apart by spaces or commas. The radius is {MAX_RADIUS_DEG} at most.",
        {"type": "string", "pattern": f"^[Cc][Ii][Rr][Cc][Ll][Ee][ ,]{_CIRCLE}$"},
    ),
    "CIRCLE": Parameter(
        "Another spelling of POS, without the word.", {"type": "string", "pattern": f"^{_CIRCLE}$"}
    ),
    "BAND": Parameter(
        "Filters that let a wavelength through, or one of a range: least and most in metres.",
        _RANGE,
    ),
    "BANDNAME": Parameter(
        "Filters by name: g, r and i, as g,r or gr; zg and 1 mean g too, and so on.",
        _several("z?[gri123]"),
    ),
    "MAG": Parameter(
        "Objects by the median magnitude of what is not flagged: least and most.", _RANGE
    ),
    "NOBS_MIN": Parameter("Objects by the least number of their epochs.", _COUNT),
    "NUM_OBS": Parameter("Another spelling of NOBS_MIN, which goes first.", _COUNT),
    "TIME": Parameter("Epochs by the beginning of the exposure, MJD: least and most.", _RANGE),
    "BAD_CATFLAGS_MASK": Parameter(
        "Epochs without any of these bits in catflags: decimal, or hexadecimal as 0x8000.",
        {"type": "integer", "minimum": 0, "maximum": 0xFFFF},
    ),
    "COLLECTION": Parameter(
        "A name that light curves were imported by; ZTF's own, as ztf_dr17, mean the archive.",
        {"type": "string"},
    ),
    "FORMAT": Parameter(
        "Of the answer, in any case; VOT means VOTABLE, IPAC and TBL mean IPAC_TABLE.",
        {"type": "string", "enum": list(MEDIA_TYPES), "default": "VOTABLE"},
    ),
}
SUMMARY = "Light curves as clients of ZTF's archive ask for them"
DESCRIPTION = (
    "What IRSA's light-curve API takes, in any case of letters and any order; a parameter without "
    "a value counts for nothing, and one that is not listed is refused. CIRCLE and NUM_OBS are "
    "other spellings of POS and NOBS_MIN."
)
# Whole requests.
EXAMPLES: dict[str, dict[str, Any]] = {
    "by id": {"ID": ["633207400012345,633107400001234"], "FORMAT": "CSV"},
    "by place": {
        "POS": "CIRCLE 255.577 12.284 0.0028",
        "BANDNAME": ["g,r"],
        "TIME": "58300 59000.5",
        "BAD_CATFLAGS_MASK": 32768,
        "FORMAT": "CSV",
    },
    "bright and often seen": {
        "CIRCLE": "255.577 12.284 0.05",
        "BAND": "4.1e-7 5.5e-7",
        "MAG": "14 17.5",
        "NOBS_MIN": 20,
        "COLLECTION": "ztf_dr17",
        "FORMAT": "IPAC_TABLE",
    },
}
_ROWS = {
    "text/csv": (
        "oid,expid,hjd,mjd,mag,magerr,catflags,filtercode,ra,dec,chi,sharp,filefracday,field,ccdid,"
        "qid,limitmag,magzp,magzprms,clrcoeff,clrcounc,exptime,airmass,programid\n"
        "655210100000422,256525990,2460319.7638445776,60319.2599074,15.501683,0.01,0,zr,56.8099454,"
        "34.8505041,1.676,-0.01,20240110259839,655,0xa,0x1,20.8637,26.123683,0.035855,0.104994,"
        "0.0000807755,30,1.107,1\n"
    )
}
_WRONG = {
    MEDIA_TYPE: error_document("no object is named. Give ID, POS or CIRCLE.").decode(),
    "text/plain": '[struct stat="ERROR", msg="no object is named. Give ID, POS or CIRCLE."]\n',
    "text/csv": "<error>,message\nbad_request,no object is named. Give ID, POS or CIRCLE.\n",
}


def _answers(description: str, examples: dict[str, str] | None = None) -> dict[str, Any]:
    content: dict[str, Any] = {
        kind: {"schema": {"type": "string"}} for kind in MEDIA_TYPES.values()
    }
    for kind, example in (examples or {}).items():
        content[kind]["example"] = example
    return {"description": description, "content": content}


RESPONSES: dict[int | str, dict[str, Any]] = {
    200: _answers("Epochs of light curves, object by object: 24 columns.", _ROWS),
    304: UNCHANGED,
    400: _answers("What is asked for is no question, or more than one request may ask.", _WRONG),
    408: PROBLEMS[408],
    413: PROBLEMS[413],
    503: _answers("Too many wait already: try again soon."),
}
OF_ADDRESS: dict[str, Any] = {
    "parameters": [
        {
            "name": name, "in": "query", "required": False, "description": meaning,
            "schema": schema,
            "examples": {
                title: {"value": values[name]}
                for title, values in EXAMPLES.items() if name in values
            },
        }
        for name, (meaning, schema) in PARAMETERS.items()
    ]
}  # fmt: skip
_FORM = {
    "schema": {
        "type": "object",
        "properties": {
            name: schema | {"description": meaning}
            for name, (meaning, schema) in PARAMETERS.items()
        },
    },
    "examples": {title: {"value": values} for title, values in EXAMPLES.items()},
}
OF_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/x-www-form-urlencoded": _FORM, "multipart/form-data": _FORM},
    }
}

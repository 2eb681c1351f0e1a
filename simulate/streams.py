"""One stream of random numbers per thing, so that no thing depends on who made it or when."""

from __future__ import annotations

import numpy as np

SCHEDULE, EXPOSURE, SKY, IMAGE, REFERENCE, WRONG = range(1, 7)


def stream(seed: int, kind: int, *identity: int) -> np.random.Generator:
    """The generator of one thing.

    Parameters
    ----------
    seed : of the survey.
    kind : one of this module's constants.
    identity : what tells the thing from its like, as an exposure's id and the channel.
    """
    return np.random.Generator(np.random.PCG64([seed, kind, *identity]))

"""How the sky is cut into pixels: one HEALPix order, and deeper where a pixel holds too much.

    base order      every pixel that holds little: a leaf
    split           a pixel is cut in its four children, which are leaves or split in their turn

The leaves cover the sky and do not overlap. Catalogues of references stay at the base order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from store.layout import HEALPIX_ORDER, HealpixPixel

if TYPE_CHECKING:  # commands that only ask do not need numpy
    import numpy as np
    from numpy.typing import NDArray

# A pixel of it is 51 arcsec wide: still wide beside a margin.
DEEPEST_ORDER = 12


@dataclass(frozen=True)
class Partition:
    """The pixels of an archive; `version` is raised with every change.

    Raises
    ------
    ValueError : a split pixel is no pixel of the partition, or too small to be split.
    """

    order: int
    version: int = 0
    split: frozenset[HealpixPixel] = frozenset()

    def __post_init__(self) -> None:
        for pixel in self.split:
            if pixel.order < self.order or not 0 <= pixel.npix < 12 * 4**pixel.order:
                raise ValueError(f"{pixel} is no pixel below order {self.order}")
            if pixel.order > self.order and parent(pixel) not in self.split:
                raise ValueError(f"{pixel} is split, but its parent is not")
            if pixel.order >= DEEPEST_ORDER:
                raise ValueError(f"{pixel} cannot be split: {DEEPEST_ORDER} is the deepest order")

    @cached_property
    def deepest(self) -> int:
        """Order of the smallest leaf."""
        return max((pixel.order + 1 for pixel in self.split), default=self.order)

    def leaves(self, pixel: HealpixPixel) -> list[HealpixPixel]:
        """The leaves that make up a pixel of the base order or a split one; itself, if a leaf."""
        if pixel not in self.split:
            return [pixel]
        return [leaf for child in children(pixel) for leaf in self.leaves(child)]

    def is_leaf(self, pixel: HealpixPixel) -> bool:
        """Whether files of this pixel may be published."""
        if pixel in self.split or pixel.order < self.order:
            return False
        return pixel.order == self.order or parent(pixel) in self.split

    def locate(self, index: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The leaf that each index lies in.

        Parameters
        ----------
        index : int64 (n,), `_healpix_29`, in any order.

        Returns
        -------
        order, npix : int64 (n,).
        """
        import numpy as np

        order = np.full(len(index), self.order, dtype=np.int64)
        for depth in range(self.order, self.deepest):
            split = [pixel.npix for pixel in self.split if pixel.order == depth]
            inside = np.isin(index >> (2 * (HEALPIX_ORDER - depth)), split)
            # A pixel is split only if its parent is: `inside` has come down to this depth.
            order[inside] = depth + 1
        return order, index >> (2 * (HEALPIX_ORDER - order))

    def record(self) -> dict[str, Any]:
        """As publication.json has it."""
        split = [[pixel.order, pixel.npix] for pixel in sorted(self.split)]
        return {"order": self.order, "version": self.version, "split": split}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """What `record` gave; a record of before there were splits has none."""
        split: Sequence[tuple[int, int]] = record.get("split", ())
        pixels = frozenset(HealpixPixel(order, npix) for order, npix in split)
        return cls(record["order"], record["version"], pixels)


def children(pixel: HealpixPixel) -> list[HealpixPixel]:
    """The four pixels of the next order that it is made of."""
    return [HealpixPixel(pixel.order + 1, 4 * pixel.npix + k) for k in range(4)]


def parent(pixel: HealpixPixel) -> HealpixPixel:
    """The pixel of the order above that it is part of."""
    return HealpixPixel(pixel.order - 1, pixel.npix // 4)

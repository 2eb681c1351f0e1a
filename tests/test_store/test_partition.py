"""Partitions with deeper pixels: which leaf an index lies in, judged by counting up the tree."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.layout import HealpixPixel
from store.partition import DEEPEST_ORDER, Partition, children, parent

BASE = 3
SPLITS = frozenset(
    {
        HealpixPixel(3, 5),
        HealpixPixel(4, 21),
        HealpixPixel(5, 87),
        HealpixPixel(3, 700),
        HealpixPixel(3, 767),
    }
)
PARTITION = Partition(BASE, 4, SPLITS)


def leaf_of(index, partition):
    """By going down from the base order, one index at a time."""
    pixel = HealpixPixel(partition.order, index >> 2 * (29 - partition.order))
    while pixel in partition.split:
        order = pixel.order + 1
        pixel = HealpixPixel(order, index >> 2 * (29 - order))
    return pixel


@given(st.lists(st.integers(0, 12 * 4**29 - 1), max_size=20), st.integers(0, 100))
def test_every_index_lies_in_the_leaf_that_the_tree_leads_to(anywhere, seed):
    rng = np.random.default_rng(seed)
    bounds = [edge for pixel in SPLITS for edge in pixel.index_range]
    index = np.array(
        [*anywhere, *bounds[:-1], *rng.integers(bounds[0], bounds[1], 50)], dtype=np.int64
    )
    order, npix = PARTITION.locate(index)
    found = [HealpixPixel(*pair) for pair in zip(order.tolist(), npix.tolist(), strict=True)]
    assert found == [leaf_of(i, PARTITION) for i in index.tolist()]
    assert all(PARTITION.is_leaf(pixel) for pixel in found)


def test_leaves_make_up_the_sky_once():
    leaves = [
        leaf for npix in range(12 * 4**BASE) for leaf in PARTITION.leaves(HealpixPixel(BASE, npix))
    ]
    assert len(leaves) == 12 * 4**BASE + 3 * len(SPLITS)
    bounds = [leaf.index_range for leaf in leaves]
    assert [first for first, _ in bounds] == [0, *(past for _, past in bounds[:-1])]
    assert bounds[-1][1] == 12 * 4**29
    assert PARTITION.deepest == 6


def test_a_partition_without_splits_has_the_base_order_alone():
    plain = Partition(5)
    index = np.array([0, 4**24, 12 * 4**29 - 1])
    order, npix = plain.locate(index)
    assert order.tolist() == [5, 5, 5]
    assert npix.tolist() == [0, 1, 12 * 4**5 - 1]
    assert plain.leaves(HealpixPixel(5, 7)) == [HealpixPixel(5, 7)]
    assert not plain.is_leaf(HealpixPixel(6, 7))
    assert [len(part) for part in plain.locate(index[:0])] == [0, 0]


def test_its_record_gives_it_back():
    text = json.dumps(PARTITION.record())
    assert Partition.from_record(json.loads(text)) == PARTITION
    assert Partition.from_record({"order": 5, "version": 0}) == Partition(5)


def test_children_and_parent_are_those_of_the_numbering():
    pixel = HealpixPixel(4, 9)
    assert [parent(child) for child in children(pixel)] == [pixel] * 4
    starts = [child.index_range[0] for child in children(pixel)]
    assert starts == sorted(starts)
    assert starts[0] == pixel.index_range[0]


@pytest.mark.parametrize(
    ("pixel", "fault"),
    [
        (HealpixPixel(4, 21), "its parent is not"),
        (HealpixPixel(2, 1), "no pixel below order 3"),
        (HealpixPixel(3, 12 * 4**3), "no pixel below order 3"),
    ],
)
def test_what_is_no_tree_is_refused(pixel, fault):
    with pytest.raises(ValueError, match=fault):
        Partition(BASE, 0, frozenset({pixel}))
    with pytest.raises(ValueError, match="deepest order"):
        Partition(DEEPEST_ORDER, 0, frozenset({HealpixPixel(DEEPEST_ORDER, 1)}))

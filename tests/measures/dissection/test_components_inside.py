import numpy as np
from scipy import ndimage

from rarelens.measures.dissection.components_inside import components_inside, count_components


def test_equals_labelling_each_map():
    rng = np.random.default_rng(0)
    active = np.stack([rng.random((13, 17)) < share for share in np.linspace(0, 1, 21)])
    region = np.zeros((13, 17), bool)
    region[2:12, 3:] = True
    expected = [ndimage.label(own & region, np.ones((3, 3)))[1] for own in active]
    np.testing.assert_array_equal(components_inside(active, region), expected)
    assert max(expected) > 5


def test_corners_touch_and_borders_do_not():
    # A diagonal is one component; the end of a row does not touch the start of the next.
    diagonal = np.eye(4, dtype=bool)
    border = np.zeros((4, 4), bool)
    border[0, 3] = border[1, 0] = border[3, 3] = True
    every = np.ones((4, 4), bool)
    np.testing.assert_array_equal(components_inside([diagonal, border, every], every), [1, 3, 1])


def test_ring_is_one_component_however_many_holes():
    ring = np.ones((5, 7), bool)
    ring[1:4, 1:3] = ring[1:4, 4:6] = False
    assert components_inside([ring], np.ones((5, 7), bool)) == [1]


def test_order_of_pixels_does_not_matter():
    rng = np.random.default_rng(1)
    active = rng.random((6, 9, 8)) < 0.4
    item, pixel = np.nonzero(active.reshape(6, -1))
    mixed = rng.permutation(len(item))
    np.testing.assert_array_equal(
        count_components(item[mixed], pixel[mixed], 6, (9, 8)),
        count_components(item, pixel, 6, (9, 8)),
    )


def test_no_pixel_no_component():
    nothing = np.empty(0, np.int64)
    np.testing.assert_array_equal(count_components(nothing, nothing, 3, (4, 4)), [0, 0, 0])

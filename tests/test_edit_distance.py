"""How far one sequence is from another."""

import functools
import random

import pytest

from tensorgrad.text import edit_distance


@functools.cache
def by_definition(first, second):
    if not first or not second:
        return len(first) + len(second)
    replaced = by_definition(first[1:], second[1:]) + (first[0] != second[0])
    return min(replaced, by_definition(first[1:], second) + 1, by_definition(first, second[1:]) + 1)


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [
        ("kitten", "sitting", 3),
        ("", "", 0),
        ("", "ab", 2),
        ("ab", "", 2),
        ([1, 2, 3], (1, 2, 3), 0),
        ([1, 2, 3], [2, 3], 1),
        (["a", "rose", "is", "a", "rose"], ["a", "rose", "is", "red"], 2),
    ],
)
def test_known_distances(first, second, distance):
    assert edit_distance(first, second) == distance


def test_distances_are_those_of_the_definition():
    drawn = random.Random(0)
    for _ in range(200):
        words = ["".join(drawn.choices("abc", k=drawn.randint(0, 7))) for _ in range(2)]
        assert edit_distance(*words) == by_definition(*words)

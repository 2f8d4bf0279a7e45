"""Functions that take another way for a while. Autocast and profiles, which use that, have tests of
their own.
"""

from tensorgrad.detours import Detour, undetoured
from tensorgrad.first_call import define


def test_a_function_that_gets_its_code_on_a_detour():
    written = []

    def write():
        written.append(1)
        return "    return a + b"

    function = define({}, "summed", "summed(a, b=2)", ["a", "b"], write)
    calls = []
    detour = Detour(place=9)
    detour.lead(function, lambda call: lambda *args: calls.append(args) or call(*args))
    for _ in range(2):
        detour.open()
        assert (function(1), function(1, 3)) == (3, 4)
        detour.close()
        assert function(1) == 3
    assert calls == [(1,), (1, 3)] * 2
    assert written == [1]
    assert function.__code__.co_varnames == ("a", "b")


def test_the_detour_of_the_highest_place_is_outermost():
    def function(word="own"):
        return word

    def around(mark):
        return lambda call: lambda *args: f"{mark}({call(*args)})"

    inner, outer = Detour(place=7), Detour(place=8)
    outer.lead(function, around("outer"))
    outer.open()
    inner.open()
    inner.lead(function, around("inner"))
    assert function() == "outer(inner(own))"
    assert undetoured(function)() == "own"
    outer.close()
    assert function("given") == "inner(given)"
    inner.close()
    assert function() == "own"
    assert undetoured(function) is function

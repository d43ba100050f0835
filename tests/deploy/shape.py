# SPDX-License-Identifier: Apache-2.0
"""What a document may hold: a dict of the keys that are known, [shape] for a list, a type for the
rest. A key that is not known is refused; {ANY: shape} takes all keys.
"""

from sonde_test import check

ANY = "*"


def check_shape(what, value, shape):
    if isinstance(shape, dict):
        check(isinstance(value, dict), f"{what}: {value!r} is no mapping")
        unknown = set() if ANY in shape else set(value) - set(shape)
        check(not unknown, f"{what}: unknown {sorted(unknown)}")
        for key, inner in value.items():
            check_shape(f"{what}.{key}", inner, shape.get(key, shape.get(ANY)))
    elif isinstance(shape, list):
        check(isinstance(value, list), f"{what}: {value!r} is no list")
        for number, inner in enumerate(value):
            check_shape(f"{what}[{number}]", inner, shape[0])
    else:
        check(type(value) is shape, f"{what}: {value!r} is no {shape.__name__}")

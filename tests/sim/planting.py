"""Bugs planted at the product's seams, each by name: what a simulator that sleeps would let pass.

A plant takes the place of a method or a function for a while; whoever defines one says `@plant`,
and that is all there is to it. None is in the product. A rig that cannot find them proves nothing,
so a test has it find every one.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final

__all__ = ["PLANTS", "Put", "plant", "planted"]

Put = Callable[[Any, str, Any], None]
PLANTS: Final[dict[str, Callable[[Put], None]]] = {}


def plant(bug: Callable[[Put], None]) -> Callable[[Put], None]:
    assert bug.__name__ not in PLANTS, f"there are two bugs of the name {bug.__name__}"
    PLANTS[bug.__name__] = bug
    return bug


@contextlib.contextmanager
def planted(name: str) -> Iterator[None]:
    """The bug of that name is in the product until the block ends; "" is none."""
    with contextlib.ExitStack() as undo:

        def put(owner: Any, attribute: str, value: Any) -> None:
            if attribute in vars(owner):
                undo.callback(setattr, owner, attribute, vars(owner)[attribute])
            else:   # inherited: left there it would stand before the next bug in who has it
                undo.callback(delattr, owner, attribute)
            setattr(owner, attribute, value)

        if name:
            PLANTS[name](put)
        yield

"""Classes that are made when they are first used: nothing but the moment tells them from those of dataclasses."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError, field
from pathlib import Path
from threading import Barrier, Thread
from typing import Any, ClassVar

import pytest

from fixer.model import values

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "fixer").rglob("*.py"))
WAYS = pytest.mark.parametrize("slots", [False, True], ids=["plain", "slots"])
USED = ("__init__", "__eq__", "__hash__")
ADDRESS = re.compile(" at 0x[0-9a-f]+")
Decorator = Callable[..., Any]


def family(dataclass: Decorator, slots: bool) -> tuple[type[Any], type[Any]]:
    """Return a class with all that ours have, and one that inherits from it, as the decorator makes them."""

    @dataclass(frozen=True, slots=slots)
    class Base:
        """A base."""

        kind: ClassVar[str] = "base"
        name: str
        size: int = 3
        seen: list[int] = field(default_factory=list, compare=False)
        hidden: str = field(default="h", repr=False)

        def __post_init__(self) -> None:
            self.seen.append(self.size)

        @property
        def twice(self) -> int:
            """A property."""
            return 2 * self.size

    @dataclass(frozen=True, slots=slots)
    class Heir(Base):
        """An heir."""

        more: tuple[str, ...] = field(default=(), kw_only=True)
        size: int = 4
        last: int = 0

    return Base, Heir


def waits(made: type[Any]) -> bool:
    """Whether a class has yet to be made."""
    return isinstance(vars(made)["__init__"], values._Later)


def outcome(what: Callable[[], object]) -> object:
    """Return what a call returns, or how it fails, without the address of a function."""
    try:
        return what()
    except Exception as error:
        return type(error), str(error)


def asked(made: type[Any], heir: type[Any]) -> Iterator[object]:
    """Yield what one may ask of the classes and of their instances."""
    one, other = made("n"), heir("n", more=("a",))
    for each in (made, heir):
        yield [(f.name, f.type, f.init, f.repr, f.compare, f.kw_only, f.default) for f in dataclasses.fields(each)]
        yield repr(each.__dataclass_params__)
        yield each.__match_args__
        yield each.__doc__, each.__name__, each.__qualname__, each.__module__, each.kind
        yield [name for name in sorted(vars(each)) if name not in ("__weakref__", "__getstate__", "__setstate__")]
        yield vars(each).get("__slots__")
        yield {name: vars(each)[name].__qualname__ for name in ("__init__", "__eq__", "__repr__", "__hash__")}
        yield [outcome(lambda name=name, each=each: type(getattr(each, name))) for name in ("size", "seen", "hidden")]
    yield repr(one), repr(other), one == made("n"), one == other, one != made("m"), one == made("n", hidden="x")
    yield made("n", seen=[1]) == made("n", seen=[2]), made("n") == made("n", 4)
    yield hash(one) == hash(made("n")), hash(one) == hash(made("m")), {one: 1}[made("n")], one.twice, other.seen
    yield dataclasses.asdict(other), dataclasses.astuple(one), dataclasses.replace(other, size=9)
    yield dataclasses.is_dataclass(made), dataclasses.is_dataclass(one), isinstance(other, made)
    yield copy.copy(one) == one, copy.deepcopy(other) == other, hasattr(one, "__dict__")
    for change in (
        lambda: setattr(one, "name", "x"),
        lambda: delattr(one, "name"),
        lambda: setattr(other, "more", ()),
        lambda: made(),
        lambda: made("a", 1, [], "h", "one too many"),
        lambda: heir("n", 1, [], "h", 5),
        lambda: heir("n", 1, [], "h", 5, ("as by position",)),
        lambda: made.seen,
    ):
        yield outcome(change)


@WAYS
def test_it_is_as_dataclasses_make_it(slots: bool) -> None:
    ours, theirs = family(values.dataclass, slots), family(dataclasses.dataclass, slots)

    assert all(map(waits, ours))
    assert [*map(repr, asked(*ours))] == [*map(repr, asked(*theirs))]


FIRST: dict[str, Callable[[type[Any]], object]] = {
    "an instance": lambda made: made("n"),
    "its fields": dataclasses.fields,
    "whether it is one": dataclasses.is_dataclass,
    "its order of arguments": lambda made: made.__match_args__,
    "what it was made with": lambda made: made.__dataclass_params__,
    "its repr, on the class": lambda made: made.__repr__,
    "whether two are equal": lambda made: object.__new__(made) == object.__new__(made),
    "a hash": lambda made: outcome(lambda: hash(object.__new__(made))),
    "an heir of dataclasses": lambda made: dataclasses.dataclass(frozen=True)(type("Other", (made,), {"__doc__": ""})),
}


@WAYS
@pytest.mark.parametrize("first", FIRST.values(), ids=FIRST)
def test_whatever_is_asked_first_makes_it(first: Callable[[type[Any]], object], slots: bool) -> None:
    (ours, heir), (theirs, _) = family(values.dataclass, slots), family(dataclasses.dataclass, slots)

    told, expected = (ADDRESS.sub("", repr(outcome(lambda each=each: first(each)))) for each in (ours, theirs))

    assert told == expected
    assert (repr(ours("n")), ours("n") == ours("n"), {ours("n")}) == (repr(theirs("n")), True, {ours("n")})
    assert not waits(ours)
    assert waits(heir)
    assert heir("n").size == 4


@WAYS
def test_what_few_need_is_made_when_it_is_needed(slots: bool) -> None:
    ours, _ = family(values.dataclass, slots)
    ours("n")

    assert isinstance(vars(ours)["__repr__"], values._Later)
    assert repr(ours("n")).endswith("Base(name='n', size=3, seen=[3])")
    assert not any(isinstance(each, values._Later) for each in vars(ours).values())


USES: dict[str, Callable[[type[Any]], object]] = {
    "filled": lambda made: made("n", size=2),
    "compared": lambda made: made("n", 3, [], "h") == made("n", 3, [], "h"),
    "hashed": lambda made: hash(made("n", 3, [], "h")),
}


@WAYS
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_dataclasses_make_what_is_used_often(
    use: Callable[[type[Any]], object], slots: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "OFTEN", 3)
    ours, theirs = family(values.dataclass, slots)[0], family(dataclasses.dataclass, slots)[0]

    seen = []
    for _ in range(5):
        use(ours)
        seen.append({name: vars(ours)[name].__code__.co_filename == "<string>" for name in USED})

    assert [dict.fromkeys(USED, made) for made in (False, False, True, True, True)] == seen
    assert (repr(ours("n")), ours("n") == ours("n"), {ours("n")}) == (repr(theirs("n")), True, {ours("n")})


def test_what_does_not_fit_the_fields_is_refused_as_dataclasses_refuse_it() -> None:
    (ours, heir), (theirs, other) = family(values.dataclass, True), family(dataclasses.dataclass, True)
    calls: tuple[tuple[tuple[Any, ...], dict[str, Any]], ...] = (
        ((), {}),
        (("n",), {"name": "m"}),
        (("n",), {"unknown": 1}),
        ((), {"unknown": 1}),
        ((), {"size": 1, "seen": [], "hidden": "h", "unknown": 1}),
        (("n", 1, [], "h", 5, "one too many"), {}),
        (("n", 1, [], "h", 5, "one too many"), {"name": "m"}),
        (("n",), {"self": 1}),
    )

    told = [outcome(lambda c=made, a=a, k=k: c(*a, **k)) for made in (ours, heir) for a, k in calls]
    expected = [outcome(lambda c=made, a=a, k=k: c(*a, **k)) for made in (theirs, other) for a, k in calls]

    assert all(each[0] is TypeError for each in expected if isinstance(each, tuple))
    assert told == expected


@WAYS
def test_an_instance_cannot_be_changed(slots: bool) -> None:
    ours, _ = family(values.dataclass, slots)
    one = ours("n")

    with pytest.raises(FrozenInstanceError, match=r"^cannot assign to field 'name'$"):
        one.name = "m"
    with pytest.raises(FrozenInstanceError, match=r"^cannot delete field 'name'$"):
        del one.name
    with pytest.raises(FrozenInstanceError):
        one.other = 1
    assert one.name == "n"


def test_an_heir_that_is_no_dataclass_may_keep_what_is_no_field() -> None:
    ours, _ = family(values.dataclass, slots=False)

    class Loose(ours):  # type: ignore[misc, valid-type]
        pass

    loose = Loose("n")
    loose.other = 1

    with pytest.raises(FrozenInstanceError):
        loose.name = "m"
    del loose.other
    assert (loose, hasattr(loose, "other")) == (Loose("n"), False)


def test_pattern_matching_takes_the_fields_in_order() -> None:
    ours, _ = family(values.dataclass, slots=True)

    match ours("n", 7):
        case ours("n", size):
            assert size == 7
        case _:
            pytest.fail("it is one")


def test_what_is_left_out_is_inherited() -> None:
    class Spelt(ABC):
        __slots__ = ()

        @property
        @abstractmethod
        def facts(self) -> str: ...

        def __repr__(self) -> str:
            return f"<{self.facts}>"

    @values.dataclass(frozen=True, slots=True, repr=False)
    class One(Spelt):
        """One."""

        name: str

        @property
        def facts(self) -> str:
            return self.name

    @values.dataclass(frozen=True, eq=False)
    class Same:
        """The same only as itself."""

        name: str

    assert (waits(One), waits(Same)) == (True, True)
    assert (repr(One("n")), One("n") == One("n")) == ("<n>", True)
    assert (Same("n") == Same("n"), len({Same("n"), Same("n")})) == (False, 2)


@WAYS
def test_a_class_keeps_its_own_repr(slots: bool) -> None:
    @values.dataclass(frozen=True, slots=slots)
    class Shown:
        """It shows itself in its own way."""

        name: str

        def __repr__(self) -> str:
            return f"<{self.name}>"

    assert waits(Shown)
    assert (repr(Shown("n")), Shown("n") == Shown("n"), Shown.__dataclass_params__.frozen) == ("<n>", True, True)
    assert repr(Shown("m")) == "<m>"


def test_what_cannot_wait_is_made_at_once() -> None:
    @values.dataclass(frozen=True)
    class Counted:
        """It compares in its own way."""

        name: str

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Counted)

        def __hash__(self) -> int:
            return 1

    @values.dataclass(frozen=True, order=True)
    class Ordered:
        """It has an order."""

        name: str

    assert not waits(Counted)
    assert Counted("a") == Counted("b")
    assert Ordered("a") < Ordered("b")


READS = """
import pickle, sys
from fixer.model import subject
value = pickle.load(sys.stdin.buffer)
print(value == pickle.loads(pickle.dumps(value)), value)
"""


@pytest.mark.parametrize("kind", ["OfColumn", "OtherTable"], ids=["slots", "plain"])
def test_another_process_reads_an_instance_before_it_made_one(kind: str) -> None:
    from fixer.model import subject
    from fixer.model.table import QName

    value = getattr(subject, kind)(QName("public", "t"), "c")
    done = subprocess.run([sys.executable, "-c", READS], cwd=ROOT, input=pickle.dumps(value), capture_output=True)

    assert done.stderr == b""
    assert done.stdout.decode().strip() == f"True {value}"


@WAYS
def test_it_is_made_once_however_many_threads_are_the_first(slots: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    (base, heir), makes, found, gate = family(values.dataclass, slots), list[object](), list[object](), Barrier(8)
    make = dataclasses.dataclass

    def slowly(**options: bool) -> Callable[[type], type]:
        makes.append(options)
        time.sleep(0.02)  # the others come by meanwhile
        return make(**options)

    def use(number: int) -> None:
        gate.wait()
        found.append(outcome(lambda: (heir("n", number) == heir("n", number), repr(heir("n", number))[-16:])))

    monkeypatch.setattr(dataclasses, "dataclass", slowly)
    threads = [Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [(True, "more=(), last=0)")] * 8
    assert len(makes) == 4  # the fields, and what few need, of both
    assert (waits(base), waits(heir)) == (False, False)


MAKES = """
import dataclasses, gc, importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
makers = [each for each in gc.get_objects() if type(each).__name__ == "_Maker"]
for maker in makers:
    dataclasses.fields(maker.public)
    maker.public.__dataclass_params__
    slots = [name for base in maker.public.__mro__ for name in vars(base).get("__slots__", ())]
    if maker._options["slots"] and {*slots} != {field.name for field in dataclasses.fields(maker.public)}:
        print(maker.public, slots)
print(len(makers) > 150)
"""


MADE = """
import dataclasses, importlib, sys
make, made = dataclasses.dataclass, []
def told(cls=None, **options):
    at_once = "frozen" in options and sys._getframe(1).f_code.co_name == "decorate"
    def decorate(each):
        made.extend([each.__name__] * at_once)
        return make(each, **options)
    return decorate(cls) if cls else decorate
dataclasses.dataclass = told
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*sorted(made))
"""


def test_a_start_makes_no_class_of_ours_at_once() -> None:
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in SOURCES]
    done = subprocess.run([sys.executable, "-c", MADE, *names], cwd=ROOT, capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("\n", "")


def test_every_class_of_ours_can_be_made() -> None:
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in SOURCES]
    done = subprocess.run([sys.executable, "-c", MAKES, *names], cwd=ROOT, capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("True\n", "")

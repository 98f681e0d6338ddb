"""Who is found by what somebody types."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import InvalidInput
from bridge.model.tenant import Member
from bridge.policy.people_search import find_people, fold, words_of
from tests.unit.people import member

PEOPLE = (
    member("u1", display_name="Zoë Ångström"),
    member("u2", display_name="Søren Kierkegaard-Łuk"),
    member("u3", display_name="Anna O'Brien"),
    member("u4", display_name="STRASSE Weiß"),
    member("anna_b", display_name="Бен Петров"),
    member("u6", display_name="Anna Away", active=False),
)


def ids(query: str, people: tuple[Member, ...] = PEOPLE) -> list[str]:
    return [found.member_id for found in find_people(people, query, after=None, limit=200).people]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("zoe", ["u1"]),
        ("ÅNG", ["u1"]),
        ("ang z", ["u1"]),
        ("soren", ["u2"]),
        ("luk", ["u2"]),
        ("ierke", []),
        ("anna", ["u3", "anna_b"]),
        ("o'b", ["u3"]),
        ("weiss", ["u4"]),
        ("straße", ["u4"]),
        ("пет", ["anna_b"]),
        ("anna_b", ["u3", "anna_b"]),
        ("anna b петр", ["anna_b"]),
        ("u", ["u3", "u2", "u4", "u1"]),
        ("...", []),
        ("%", []),
    ],
)
def test_each_word_begins_a_word_of_name_or_id(query: str, expected: list[str]) -> None:
    assert ids(query) == expected


@pytest.mark.parametrize("query", ["", "  ", "\t"])
def test_nothing_asked_for_finds_all_who_are_active_by_name(query: str) -> None:
    assert ids(query) == ["u3", "u2", "u4", "u1", "anna_b"]


names = st.text(min_size=1, max_size=20).filter(words_of)
crowds = st.lists(names, max_size=12).map(
    lambda found: tuple(member(f"p{number}", display_name=name) for number, name in enumerate(found))
)


@given(crowds, st.data())
def test_whoever_is_there_is_found_by_the_beginning_of_any_word(crowd: tuple[Member, ...], data: st.DataObject) -> None:
    for person in crowd:
        word = data.draw(st.sampled_from(words_of(person.display_name)))
        begin = word[: data.draw(st.integers(1, len(word)))]
        if words_of(begin):
            assert person.member_id in ids(begin, crowd)


@given(crowds, st.integers(1, 5))
def test_pages_give_everybody_once_and_in_order(crowd: tuple[Member, ...], limit: int) -> None:
    seen: list[Member] = []
    after = None
    for _ in range(len(crowd) + 1):
        page = find_people(crowd, "", after=after, limit=limit)
        seen += page.people
        after = page.next
        if after is None:
            break
    assert after is None
    assert seen == list(find_people(crowd, "", after=None, limit=200).people)
    assert len(seen) == len(crowd)


def test_a_page_goes_on_where_it_stopped_although_its_last_person_left() -> None:
    first = find_people(PEOPLE, "", after=None, limit=2)
    left = tuple(person for person in PEOPLE if person is not first.people[-1])
    assert [found.member_id for found in find_people(left, "", after=first.next, limit=2).people] == ["u4", "u1"]


@pytest.mark.parametrize("after", ["%", "ü", "gA==", "abc"])
def test_an_after_that_no_page_gave_is_refused(after: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        find_people(PEOPLE, "", after=after, limit=2)
    assert refused.value.path == "after"


@given(st.text(max_size=30))
def test_folding_again_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)

"""Labels are codes, and a node has only so many."""

from __future__ import annotations

import pytest

from cloud_sync.fleet.labels import LABELS_MAX, InvalidLabels, labelled


def test_labels_are_set_replaced_and_taken_away() -> None:
    assert labelled({}, ["ring=canary", "country=de"]) == {"country": "de", "ring": "canary"}
    assert labelled({"ring": "canary", "country": "de"}, ["ring=late", "country="]) == {"ring": "late"}
    assert labelled({"ring": "canary"}, ["other="]) == {"ring": "canary"}


@pytest.mark.parametrize(
    "change",
    [
        "ring",
        "=x",
        "Ring=x",
        "ring=X",
        "ring=a b",
        "-x=1",
        "ring=$(id)",
        f"{'k' * 33}=x",
        f"k={'v' * 65}",
        "k=v\n",
    ],
)
def test_what_is_no_code_is_refused(change: str) -> None:
    with pytest.raises(InvalidLabels):
        labelled({}, [change])


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_a_node_has_so_many_and_no_more(more: int) -> None:
    changes = [f"k{number}=v" for number in range(LABELS_MAX + more)]
    if more > 0:
        with pytest.raises(InvalidLabels):
            labelled({}, changes)
    else:
        assert len(labelled({}, changes)) == LABELS_MAX + more


def test_the_longest_label_is_taken() -> None:
    assert labelled({}, [f"{'k' * 32}={'v' * 64}"]) == {"k" * 32: "v" * 64}

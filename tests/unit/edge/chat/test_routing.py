"""The table of ways: what is known of evidence and models, and whose words are shown."""

from __future__ import annotations

from itertools import product

import pytest

from edge.chat.routing import Decision, Prospect, Reason, Route, decide, route_of
from edge.inference.conversation import Provider

OWN, LAN, CLOUD = Provider.OWN, Provider.LAN, Provider.CLOUD
MAX_S, SOON_S = 1.0, 0.6


def way(
    *prospects: Prospect, evidence: float = 0.7, competing: bool = False, generative: bool = True
) -> Decision:
    return decide(
        evidence=evidence,
        evidence_min=0.7,
        competing=competing,
        generative=generative,
        prospects=prospects,
        first_text_s_max=MAX_S,
        overflow_after_s=SOON_S,
    )


def own(first_text_s: float = 0.0, *, usable: bool = True, provider: Provider = OWN) -> Prospect:
    return Prospect(provider, usable, first_text_s)


def cloud(first_text_s: float = 0.4, *, usable: bool = True, refusal: str = "") -> Prospect:
    return Prospect(CLOUD, usable, first_text_s, refusal)


@pytest.mark.parametrize(
    ("evidence", "competing", "route"),
    [
        (0.69, False, Route.HANDOFF),
        (0.69, True, Route.CLARIFY),
        (0.7, True, Route.GENERATE),
        (0.71, False, Route.GENERATE),
    ],
)
def test_without_evidence_no_model_is_asked(evidence: float, competing: bool, route: Route) -> None:
    found = way(own(), cloud(), evidence=evidence, competing=competing)
    assert found.route is route
    assert bool(found.providers) is (route is Route.GENERATE)


def test_a_site_that_did_not_ask_for_a_models_words_gets_none() -> None:
    assert way(own(), cloud(), generative=False) == Decision(Route.ANSWER)


# own's prediction, the cloud's; then route, order, reason, busy
TABLE = [
    # the site's own first, whenever it begins in time; the cloud stands behind it
    (own(0.0), cloud(), Route.GENERATE, (OWN, CLOUD), None, False),
    (own(0.6), cloud(0.1), Route.GENERATE, (OWN, CLOUD), None, False),
    # not soon here: whoever begins sooner
    (own(0.61), cloud(0.1), Route.OVERFLOW, (CLOUD, OWN), Reason.PREDICTED_WAIT, False),
    (own(1.0), cloud(0.99), Route.OVERFLOW, (CLOUD, OWN), Reason.PREDICTED_WAIT, False),
    (own(0.9), cloud(0.9), Route.GENERATE, (OWN, CLOUD), None, False),
    (own(0.9), cloud(0.95), Route.GENERATE, (OWN, CLOUD), None, False),
    (own(1.0), cloud(usable=False), Route.GENERATE, (OWN,), None, False),
    (own(0.0, provider=LAN), cloud(), Route.GENERATE, (LAN, CLOUD), None, False),
    # too late here, in time there; what is late may still go on after a cut
    (own(1.01), cloud(), Route.OVERFLOW, (CLOUD, OWN), Reason.PREDICTED_WAIT, False),
    (own(1.01), cloud(1.0), Route.OVERFLOW, (CLOUD, OWN), Reason.PREDICTED_WAIT, False),
    # too late on both sides: whoever would be the earlier, quotes are there at once
    (own(1.01), cloud(1.01), Route.ANSWER, (), None, True),
    (own(9.0), cloud(1.5), Route.ANSWER, (), None, True),
    # a cloud that is late is asked after a cut only
    (own(0.5), cloud(1.01), Route.GENERATE, (OWN, CLOUD), None, False),
    # the site's own is down, or there is none
    (own(usable=False), cloud(), Route.OVERFLOW, (CLOUD,), Reason.LOCAL_FAILED, False),
    (None, cloud(), Route.OVERFLOW, (CLOUD,), Reason.NO_LOCAL_MODEL, False),
    # the link is down, or the breaker open; the policy, the consent or the budget is against it
    (own(1.01), cloud(usable=False), Route.ANSWER, (), None, True),
    (own(1.01), cloud(refusal="policy_consent"), Route.ANSWER, (), None, True),
    (own(0.5), cloud(usable=False), Route.GENERATE, (OWN,), None, False),
    (own(0.5), cloud(refusal="policy_special"), Route.GENERATE, (OWN,), None, False),
    (None, cloud(refusal="policy_bytes_per_day"), Route.ANSWER, (), None, False),
    (None, cloud(usable=False), Route.ANSWER, (), None, False),
    (own(usable=False), cloud(usable=False), Route.ANSWER, (), None, False),
    (own(usable=False), None, Route.ANSWER, (), None, False),
    (own(1.01), None, Route.ANSWER, (), None, True),
    (None, None, Route.ANSWER, (), None, False),
]


@pytest.mark.parametrize(("here", "there", "route", "providers", "reason", "busy"), TABLE)
def test_whose_model_is_asked(
    here: Prospect | None,
    there: Prospect | None,
    route: Route,
    providers: tuple[Provider, ...],
    reason: Reason | None,
    busy: bool,
) -> None:
    given = [one for one in (here, there) if one]
    assert way(*given) == Decision(route, providers, reason, busy)
    assert way(*reversed(given)) == Decision(route, providers, reason, busy)


def test_the_control_plane_is_first_only_where_it_is_in_time_and_permitted_and_sooner() -> None:
    times, answers = (0.0, SOON_S, SOON_S + 0.01, MAX_S, MAX_S + 0.01), (True, False)
    for here_s, there_s, here, there, refusal in product(times, times, answers, answers, ("", "policy_x")):
        found = way(own(here_s, usable=here), cloud(there_s, usable=there, refusal=refusal))
        first = not here or here_s > MAX_S or (here_s > SOON_S and there_s < here_s)
        wanted = first and there and not refusal and there_s <= MAX_S
        assert (found.route is Route.OVERFLOW) is wanted
        assert (CLOUD in found.providers) <= (there and not refusal)
        assert bool(found.reason) is wanted


def test_the_route_is_that_of_who_wrote_the_end() -> None:
    assert [route_of(one) for one in (OWN, LAN, CLOUD)] == [Route.GENERATE, Route.GENERATE, Route.OVERFLOW]

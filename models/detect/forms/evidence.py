"""How probable it is that a value is what its form says. A checksum is evidence, not certainty. Pure.

Bayes' rule in odds: how many of the strings of that shape in customers' texts are such values (prior), how many others
pass the check by chance (the likelihood ratio of a check that passed is its inverse), and how much oftener the words
beside it stand beside such a value than beside another.
"""

from __future__ import annotations

# What a site is told of: a value that is likelier than not.
THRESHOLD = 0.5
# No form and no word makes us surer: one in a thousand texts says "for example".
PROBABILITY_MAX = 0.999
_ODDS_MAX = PROBABILITY_MAX / (1 - PROBABILITY_MAX)

# A site's own country's numbers are that much commoner there than another country's.
RATIO_HOME = 5.0
# Likelihood ratio of a type's own word by how many words lie between it and the value.
RATIOS_BY_DISTANCE = ((0, 2000.0), (3, 1000.0), (7, 250.0), (14, 30.0))
# Behind the value fewer words belong to it: "1-984-182-0190 mobile".
RATIO_BEHIND = 100.0
WORDS_BEHIND_MAX = 3
WORDS_BEFORE_MAX = RATIOS_BY_DISTANCE[-1][0]
# A word of another kind of number nearer than any of the type's own: order, invoice, room, price, dose.
RATIO_OTHER_WORD = 0.01


def probability(prior: float, passes: float, ratio: float) -> float:
    """Of a value of a shape that is such a value in `prior` of all cases, whose check `passes` of the others pass."""
    odds = prior / (1 - prior) / passes * ratio
    return of_odds(odds)


def of_odds(odds: float) -> float:
    """The probability that these odds are, as far as we are ever sure."""
    return odds / (1 + odds) if odds < _ODDS_MAX else PROBABILITY_MAX


def ratio_before(distance: int) -> float:
    """Of the type's own word `distance` words before the value."""
    return next((ratio for farthest, ratio in RATIOS_BY_DISTANCE if distance <= farthest), 1.0)

"""The published orders of experiences, from PyContinual and the public code of the paper."""

from __future__ import annotations

DSC_DOMAINS = (
    "Video_Games",
    "Toys_and_Games",
    "Tools_and_Home_Improvement",
    "Sports_and_Outdoors",
    "Pet_Supplies",
    "Patio_Lawn_and_Garden",
    "Office_Products",
    "Musical_Instruments",
    "Movies_and_TV",
    "Kindle_Store",
)
"""The ten domains, in the order in which PyContinual lists them."""

GLUE_TASKS = ("rte", "mrpc", "qqp", "sst2")

# Each digit is the index of an experience in the declared order.
_DSC = """
2469807351 3678401952 3120478569 3872406519 1849756320 5129386704 1604892573 3982041675
1029756834 9310578264 4523689071 0896542173 0187694352 8013465972 1472385906 5063471892
7185960234 3049658217 5978436102 2940735861
"""
_NEWSGROUPS = """
3467018592 5894301627 6714538209 3415897026 8530972641 8521496730 7425680391 1570286493
3029861745 5048239716 6248173059 9147536820 1730648592 7542806931 1076894253 6850172934
9720643185 9843760152 1268345079 2316785409
"""
_GLUE = """
0123 0213 0312 1302 3102 2031 3021 2310 1032 2013 1023 1230
2130 3012 0231 2301 0132 2103 3120 1203 3210 1320 0321 3201
"""


def _named(orders: str, names: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(names[int(place)] for place in order) for order in orders.split())


NEWSGROUPS = tuple(f"newsgroup_{place}" for place in range(10))
DSC_ORDERS = _named(_DSC, DSC_DOMAINS)
"""20 orders of the domains of DSC."""
NEWSGROUP_ORDERS = _named(_NEWSGROUPS, NEWSGROUPS)
"""20 orders of the pairs of 20 Newsgroups."""
GLUE_ORDERS = _named(_GLUE, GLUE_TASKS)
"""All 24 orders of four GLUE tasks."""

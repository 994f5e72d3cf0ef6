"""Facts about the datasets: labels, sizes, hashes, citations and licenses; those of intents are beside."""

from __future__ import annotations

from clbench.core.scenario import DatasetFacts, Version
from clbench.data.scenarios.intent_facts import INTENTS

R8_LABELS = ("acq", "crude", "earn", "grain", "interest", "money-fx", "ship", "trade")
R52_LABELS = (
    "acq", "alum", "bop", "carcass", "cocoa", "coffee", "copper", "cotton", "cpi", "cpu", "crude", "dlr",
    "earn", "fuel", "gas", "gnp", "gold", "grain", "heat", "housing", "income", "instal-debt", "interest",
    "ipi", "iron-steel", "jet", "jobs", "lead", "lei", "livestock", "lumber", "meal-feed", "money-fx",
    "money-supply", "nat-gas", "nickel", "orange", "pet-chem", "platinum", "potato", "reserves", "retail",
    "rubber", "ship", "strategic-metal", "sugar", "tea", "tin", "trade", "veg-oil", "wpi", "zinc",
)  # fmt: skip
NEWSGROUP_PAIRS = (
    ("comp.graphics", "comp.os.ms-windows.misc"),
    ("comp.sys.ibm.pc.hardware", "comp.sys.mac.hardware"),
    ("comp.windows.x", "rec.autos"),
    ("rec.motorcycles", "rec.sport.baseball"),
    ("rec.sport.hockey", "sci.crypt"),
    ("sci.electronics", "sci.med"),
    ("sci.space", "misc.forsale"),
    ("talk.politics.misc", "talk.politics.guns"),
    ("talk.politics.mideast", "talk.religion.misc"),
    ("alt.atheism", "soc.religion.christian"),
)
SENTIMENT = ("negative", "positive")
REUTERS_TERMS = "Reuters-21578, Distribution 1.0: research only; text copyright Reuters Ltd."
GLUE = "GLUE (Wang et al. 2019, arXiv 1804.07461)"
REUTERS_BIBTEX = ("lewis1997reuters", "cardosocachopo2007improving", "yao2019textgcn")
RTE_BIBTEX = ("dagan2006pascal", "barhaim2006pascal", "giampiccolo2007pascal", "bentivogli2009pascal")

DATASETS = {
    "r8": DatasetFacts(
        "Reuters-21578 (Lewis 1997), R8 of Cardoso-Cachopo 2007, as in Yao et al. 2019 (text_gcn)",
        REUTERS_TERMS,
        R8_LABELS,
        (Version("text_gcn", {"train": 5485, "test": 2189}, "ac449ced9a71234078a462322940357d"),),
        REUTERS_BIBTEX,
    ),
    "r52": DatasetFacts(
        "Reuters-21578 (Lewis 1997), R52 of Cardoso-Cachopo 2007, as in Yao et al. 2019 (text_gcn)",
        REUTERS_TERMS,
        R52_LABELS,
        (
            Version(
                "text_gcn, training texts partly put together from the SGML files",
                {"train": 6532, "test": 2568},
                "d4e18c9e01e1ce252f9326242659ec9b",
            ),
        ),
        REUTERS_BIBTEX,
    ),
    "20ng": DatasetFacts(
        "20 Newsgroups (Lang 1995), by date, with headers, as in Yao et al. 2019 (text_gcn)",
        "Usenet posts, long distributed for research; no license stated",
        tuple(label for pair in NEWSGROUP_PAIRS for label in pair),
        (Version("text_gcn", {"train": 11314, "test": 7532}, "a007cb84c52c977b48c96d65378b0743"),),
        ("lang1995newsweeder", "yao2019textgcn"),
    ),
    "dsc": DatasetFacts(
        "Document sentiment classification, 10 Amazon domains (Ke et al. 2020, ECML-PKDD)",
        "Amazon reviews of McAuley et al., research use; no license stated",
        SENTIMENT,
        (
            Version(
                "LifelongSentClass",
                {"train": 37326, "validation": 5000, "test": 4666},
                "5bbf1696bbc4b6cfe3ac0a3b075cb79c",
            ),
        ),
        ("ke2020kan", "mcauley2015image"),
    ),
    "rte": DatasetFacts(
        f"Recognizing textual entailment, {GLUE}; test is its development split",
        "research use; no license stated at the source",
        ("entailment", "not_entailment"),
        (Version("GLUE", {"train": 2490, "test": 277}, "f42c399bcec78b19a5e8e36dfe29b1e4"),),
        (*RTE_BIBTEX, "wang2019glue"),
    ),
    "mrpc": DatasetFacts(
        f"Paraphrase corpus (Dolan and Brockett 2005), {GLUE}; test is its development split",
        "Microsoft Research's terms, research use",
        ("not_equivalent", "equivalent"),
        (Version("GLUE", {"train": 3668, "test": 408}, "6b1a7b4cc92bc2e040dc5d9864da6be2"),),
        ("dolan2005mrpc", "wang2019glue"),
    ),
    "qqp": DatasetFacts(
        f"Quora question pairs, {GLUE}; test is its development split",
        "Quora's terms, non-commercial use",
        ("not_duplicate", "duplicate"),
        (
            Version("GLUE", {"train": 363846, "test": 40430}),
            Version(
                "a subset of Quora's release, not GLUE's split",
                {"train": 100000, "test": 40253},
                "a586e5727bf19c50ba006cdfbf932fb2",
            ),
        ),
        ("iyer2017qqp", "wang2019glue"),
    ),
    "sst2": DatasetFacts(
        f"Stanford sentiment treebank (Socher et al. 2013), {GLUE}; test is its development split",
        "research use; no license stated at the source",
        SENTIMENT,
        (Version("GLUE", {"train": 67349, "test": 872}, "cd9ff5db532f7e26766c68683b92be7c"),),
        ("socher2013sst", "wang2019glue"),
    ),
    **INTENTS,
}

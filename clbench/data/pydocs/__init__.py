"""A labeled text corpus that needs no download: the documentation strings of installed Python libraries.

Source files are parsed, never imported or run. Every installation with the pinned versions yields the same
texts. The texts belong to the authors of the libraries; they are read in place and not redistributed.
"""

from clbench.data.pydocs.libraries import DOMAINS, LABELS
from clbench.data.pydocs.store import load

__all__ = ["DOMAINS", "LABELS", "load"]

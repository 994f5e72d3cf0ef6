"""clbench: continual learning of small language models, on streams of real text."""

from importlib.metadata import version

__version__ = version("clbench")

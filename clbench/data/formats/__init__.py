"""Reads datasets in many forms as the same table: ``text``, ``text_pair``, ``label`` and ``domain``.

A dataset is a file, a folder or a dataset on the Hugging Face Hub: see ``docs/add-a-scenario.md``.
"""

from clbench.data.formats.json_lines import write_lines
from clbench.data.formats.read import Table, in_folder, load, read
from clbench.data.formats.rows import in_order, lookalikes

__all__ = ["Table", "in_folder", "in_order", "load", "lookalikes", "read", "write_lines"]

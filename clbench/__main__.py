"""``python -m clbench`` is ``clbench``."""

import sys

from clbench.cli import main

sys.exit(main())

# SPDX-License-Identifier: GPL-2.0-or-later
"""The marks of the suite, by their short names."""
import pytest

behaviour = pytest.mark.behaviour
every_switch = pytest.mark.every_switch
neighbours = pytest.mark.neighbours
slow = pytest.mark.slow
only = pytest.mark.only
here = pytest.mark.here
words_only = here("about words, whatever the kernel")
reckoned = here("about what weir reckons and keeps, whatever the kernel")
elsewhere = pytest.mark.elsewhere
across = pytest.mark.across
machines = pytest.mark.machines

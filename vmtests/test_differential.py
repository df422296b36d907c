# SPDX-License-Identifier: GPL-2.0-or-later
"""What the evaluator says of a flow is what the kernel does to its packet, for random models and flows.

A difference prints the model and how to run it alone: differential/differ.py --seed N --only K …"""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "differential"))
import differ  # noqa: E402
import place  # noqa: E402
from marks import behaviour, slow  # noqa: E402

SEED = int(os.environ.get("WEIR_DIFFER_SEED", "1"))
MODELS = int(os.environ.get("WEIR_DIFFER_MODELS", "30" if place.BUILD.name == "san" else "200"))
EMULATED = 10  # models, where each costs seconds
FLOWS = 50  # a model costs its world; flows cost next to nothing


@behaviour("N1", "N2", "N3", "N5", "N9", "N10", "P1", "P2", "S1", "S2", "S3", "S5", "S6", "S9")
@slow
def test_evaluator_is_kernel(somewhere, backend):
    models = min(EMULATED, MODELS) if somewhere.emulated else MODELS
    different = differ.differ(somewhere, backend, SEED, range(models), FLOWS)
    assert not different, "seed %d, %d models: %d flows differ\n%s" % (
        SEED, models, len(different), "\n".join(different[:5]))

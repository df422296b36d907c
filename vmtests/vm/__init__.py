# SPDX-License-Identifier: GPL-2.0-or-later
"""Throwaway machines: Debian's kernels booted in QEMU, cloned for every test."""

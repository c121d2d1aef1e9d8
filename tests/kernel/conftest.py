"""Fixtures for tests against the live kernel: the command and files of the tests of the commands."""

from tests.cli.conftest import bpf_load, written

__all__ = ["bpf_load", "written"]

"""The verifier: a bound program in, a verified one out. See verify.py for the arrow, engine.py for the walk."""

from toolchain.verifier.verify import VerifyOptions, last_reason, verify

__all__ = ["VerifyOptions", "last_reason", "verify"]

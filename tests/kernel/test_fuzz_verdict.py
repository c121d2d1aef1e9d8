"""A second of the differential fuzzer: random programs, our verdict beside the live kernel's."""

import pytest

from tests.fuzz.fuzz_verdict import Comparison, make_maps
from tests.kernel import oracle

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(oracle.why_unavailable()), reason=oracle.why_unavailable() or "available"),
]

SEEDS = range(150)


def test_random_programs() -> None:
    fds = make_maps()
    with oracle.closing(*fds):
        comparisons = [Comparison(seed, fds) for seed in SEEDS]
    wrong = [str(each) for each in comparisons if each.kind in ("FALSE ACCEPT", "FALSE REJECT", "crash")]
    assert not wrong, "\n".join(wrong)
    kinds = [each.kind for each in comparisons]
    assert kinds.count("same accept") > 30
    assert kinds.count("same reject") > 30

"""A crowd smaller than the one of ``python -m tests.load``: nobody is refused or mixed up."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from tests.load import Options, measured


def test_everybody_in_a_crowd_is_answered_with_the_own_image(address):
    options = Options(programs=12, browsers=3, requests=2)
    with ThreadPoolExecutor(1) as pool:  # the browser's tests keep a loop running in this thread
        tallies = pool.submit(asyncio.run, measured(address, options)).result()
    for tally, count in zip(tallies, (options.programs, options.browsers), strict=True):
        assert tally.faults == []
        assert tally.right == count * options.requests
        assert tally.untold == 0

"""A restoration that is killed and started again."""

import pytest

import jaxrestore as jr


class Killed(Exception):
    pass


def killed_and_started_again(method, y, key, folder):
    """Its result after a kill at iteration 4, in chunks of two, and the iterations at which the second run called back."""

    def kill(iteration, search):
        if iteration == 4:
            raise Killed

    given = {"checkpoint": folder / "a", "chunk_size": 2}
    with pytest.raises(Killed):
        jr.restore(method, y, key, **given, callback=kill)
    iterations = []
    again = jr.restore(method, y, key, **given, callback=lambda iteration, search: iterations.append(iteration))
    return again, iterations

"""What a task makes of its flags, and which methods serve it."""

import dataclasses

import jax
import numpy as np
import pytest
from PIL import Image

import jaxrestore as jr
from jaxrestore.cli.blind_samplers import BLIND_SAMPLERS
from jaxrestore.cli.choices import CHOICES, SAMPLERS
from jaxrestore.cli.flags import AlbumFlags, DegradationFlags, MethodFlags, OperatorFlags
from jaxrestore.cli.tasks import TASKS, restored_task
from jaxrestore.errors import InputError
from jaxrestore.operators import default_kernel_size, is_blind, kind_of

SIZE = (64, 64)
GAUSSIAN = dataclasses.replace(jr.Settings(), kernel="gaussian")


def test_default_kernel_sizes_follow_the_papers():
    assert [default_kernel_size((side, side)) for side in (256, 64, 16)] == [41, 11, 3]


def test_published_blind_deblurring_has_the_papers_generator():
    published, task = jr.published("bird", "blind-deblur"), TASKS["blind-deblur"]
    operator = task.start(OperatorFlags(), SIZE, published)
    assert isinstance(operator.kernel, jr.GeneratedKernel)
    assert operator.boundary == "zero"
    assert isinstance(task.start(OperatorFlags(), SIZE, GAUSSIAN).kernel, jr.GaussianKernel)
    motion = TASKS["blind-motion-deblur"].start(OperatorFlags(), SIZE, jr.Settings())
    assert isinstance(motion.kernel, jr.SoftmaxKernel)
    other = task.start(OperatorFlags(seed=1), SIZE, published)
    assert not np.allclose(operator.kernel(), other.kernel())
    assert operator(jax.numpy.zeros((64, 64, 3))).shape == (64, 64, 3)


def test_a_boundary_that_is_asked_for_is_taken_before_that_of_the_settings(tmp_path):
    published, told = jr.published("bird", "blind-deblur"), OperatorFlags(boundary="valid")
    for name in ("blind-deblur", "nonuniform-deblur"):
        assert TASKS[name].start(told, SIZE, GAUSSIAN).boundary == "valid"
    assert TASKS["blind-deblur"].start(told, SIZE, published).boundary == "valid"
    chain = TASKS["blind-super-resolution"].start(told, SIZE, GAUSSIAN)
    assert chain.parts[0].boundary == "valid"
    assert jr.operators.frame_of(chain) == (2, 2)  # 5 pixels of the large image
    file = tmp_path / "chain.json"
    file.write_text('[{"operator": "blur", "boundary": "valid"}, {"operator": "reduce"}]')
    for flags, boundary in (
        (OperatorFlags(operator=file), "valid"),
        (OperatorFlags(operator=file, boundary="zero"), "zero"),
    ):
        assert TASKS["operator"].start(flags, SIZE, GAUSSIAN).parts[0].boundary == boundary
    file.write_text('{"operator": "reduce"}')
    with pytest.raises(InputError, match="--boundary valid is for a blur, and there is none here"):
        TASKS["operator"].start(OperatorFlags(operator=file, boundary="valid"), SIZE, GAUSSIAN)
    with pytest.raises(InputError, match="The task denoise takes no --boundary"):
        TASKS["denoise"].check(told)


def test_settings_without_an_operator_have_none():
    published = jr.published("bird", "nonuniform-deblur")
    assert published.identity
    assert TASKS["nonuniform-deblur"].start(OperatorFlags(), SIZE, published) == jr.Identity()


@pytest.mark.parametrize("name", [name for name in TASKS if name not in ("operator", "inpaint", "compressed-sensing")])
def test_what_is_estimated_is_unknown_and_the_truth_is_not(tmp_path, name):
    """And the operator that restores names the kind of problem by which a Python user's method chooses its settings."""
    task, kernel = TASKS[name], tmp_path / "kernel.npy"
    np.save(kernel, np.ones((3, 3)))
    told = OperatorFlags(kernel=kernel if "--kernel" in task.flags.split() else None)
    start, truth = task.start(told, SIZE, GAUSSIAN), task.degrade(DegradationFlags(), SIZE)
    assert is_blind(start) == bool(task.estimated)
    assert not is_blind(truth)
    shapes = [jr.operators.measure_shape(operator, (*SIZE, 3)) for operator in (start, truth)]
    assert shapes[0] == shapes[1]
    same = {"motion-deblur": "deblur", "blind": "denoise", "blind-motion-deblur": "blind-deblur"}  # of a Gaussian
    assert kind_of(start) == same.get(name, name)
    assert task.kind_for(told, SIZE) == name


def test_every_method_serves_a_task_and_every_task_has_its_method():
    for task in TASKS.values():
        assert task.choice(None) is task.method
    blind = {choice.name for choice in CHOICES if choice.blind}
    assert blind == {
        "invert2restore",
        "invert2restore-literal",
        "invert2restore-calibrated",
        "diip",
        "gen2res",
        "dreamclean",
    }
    with pytest.raises(
        InputError,
        match="not one of --method bird: give invert2restore or invert2restore-literal or invert2restore-calibrated or diip",
    ):
        TASKS["blind"].choice("bird")
    serve = (
        "bird or shred or invert2restore or dmplug or naive-inversion or d-flow or dps or daps or pnp-flow or flowdps "
        "or dpir "
    )
    with pytest.raises(InputError, match=f"give {serve}or blind-diffpir or "):
        TASKS["jpeg"].choice("diip")


def test_samplers_serve_the_tasks_whose_operator_they_can_take(tmp_path):
    """Of each that a sampler serves it is made from the operator that a restoration starts from; of others it is refused."""
    prior, kernel = jr.gaussian_prior(jax.numpy.zeros((64, 64, 3)), 0.2), tmp_path / "kernel.npy"
    np.save(kernel, np.ones((3, 3)))
    mask = {"mask": tmp_path / "mask.png"}
    Image.fromarray(np.uint8(255 * (1 - np.asarray(jr.box_mask(SIZE, 20)).reshape(SIZE)))).save(mask["mask"])
    for choice in SAMPLERS:
        settled = choice.settle(MethodFlags(), AlbumFlags(), prior, "any")
        for name, task in TASKS.items():
            if not choice.serves(name, task.blind):
                with pytest.raises(InputError, match=f"The task {name} is not one of --method {choice.name}: give "):
                    task.choice(choice.name)
            elif name != "operator":  # which is what a file says
                quality = {"quality": 50} if name == "jpeg" else {}
                files = (
                    {"kernel": kernel} if "--kernel" in task.flags.split() else mask if "--mask" in task.flags else {}
                )
                operator = task.start(OperatorFlags(**quality, **files), SIZE, settled.operator_settings)
                assert task.choice(choice.name) is choice
                assert settled.method(prior, operator, 0.1).sigma_y == np.float32(0.1)
    assert [choice.name for choice in SAMPLERS if choice.serves("inpaint", False)] == [one.name for one in SAMPLERS]
    assert not any(choice.serves("blind-deblur", False) for choice in SAMPLERS)


@pytest.mark.parametrize("choice", BLIND_SAMPLERS, ids=lambda choice: choice.name)
def test_blind_samplers_serve_the_tasks_of_which_something_is_estimated(choice):
    prior = jr.gaussian_prior(jax.numpy.zeros((64, 64, 3)), 0.2)
    for name, task in TASKS.items():
        assert choice.serves(name, task.blind) == bool(task.estimated)
        if task.estimated and name != "operator":  # which is what a file says
            settled = choice.settle(MethodFlags(iterations=3), AlbumFlags(), prior, name)
            operator = task.start(OperatorFlags(), SIZE, settled.operator_settings)
            assert is_blind(operator)
            assert settled.method(prior, operator, 0.1).iterations == 3
    assert settled.operator_settings.kernel == "softmax"
    assert choice.settle(MethodFlags(), AlbumFlags(), prior, "blind-deblur").operator_settings.kernel == "gaussian"


def test_deblurring_without_a_kernel_is_blind(tmp_path):
    assert restored_task("deblur", OperatorFlags()).name == "blind-deblur"
    assert restored_task("motion-deblur", OperatorFlags()).name == "blind-motion-deblur"
    assert restored_task("deblur", OperatorFlags(kernel=tmp_path / "k.npy")).name == "deblur"

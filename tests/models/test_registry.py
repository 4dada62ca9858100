"""timm finds every zoo network, and creates what `build` builds."""

import subprocess
import sys

import pytest
import timm
import torch

from repro.arch import NAMES
from repro.errors import InputError
from repro.models import build
from repro.models.registry import TIMM_NAMES, register, timm_name


def test_every_zoo_network_has_a_name_of_its_own():
    assert len(TIMM_NAMES) == len(NAMES)
    assert set(timm.list_models("repro_*")) == set(TIMM_NAMES)
    assert timm_name("EN-X-GPU-B4") == "repro_en_x_gpu_b4"
    assert timm_name("RegNetY-4.0GF") != timm_name("RegNetY-4GF")
    assert timm_name("EN-X-Table6-TPU-B1").isidentifier()


def test_timms_own_names_are_untouched():
    code = "import timm; own = set(timm.list_models()); import repro.models;"
    code += "new = set(timm.list_models()) - own; print(all(n.startswith('repro_') for n in new))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("True", "")


def test_create_model_builds_the_zoo_network():
    with torch.device("meta"):
        model = timm.create_model("repro_en_x_gpu_b4", num_classes=10)
    assert (model.net.name, model.num_classes) == ("EN-X-GPU-B4", 10)
    ours = build("EN-X-GPU-B4", num_classes=10, device="meta")
    assert {k: v.shape for k, v in model.state_dict().items()} == {
        k: v.shape for k, v in ours.state_dict().items()
    }


def test_timms_words_for_arguments():
    model = timm.create_model(
        "repro_regnetz_500mf", in_chans=1, drop_rate=0.2, drop_path_rate=0.1, num_classes=3
    )
    assert model.net.in_channels == 1 and model.head.drop.p == 0.2
    assert model(torch.randn(2, 1, 64, 64)).shape == (2, 3)
    assert timm.data.resolve_model_data_config(model)["input_size"] == (1, 224, 224)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pretrained": True}, "repro_en_b0 has no pretrained weights"),
        ({"drop_path": 0.1}, "takes no argument 'drop_path'. Did you mean 'drop_path_rate'"),
        ({"features_only": True}, "takes no argument 'features_only'"),
        ({"num_classes": -1}, "num_classes -1 is not allowed"),
    ],
)
def test_what_cannot_be_created(arguments, message):
    with pytest.raises(InputError) as error:
        timm.create_model("repro_en_b0", **arguments)
    assert message in str(error.value)


def test_registering_again_changes_nothing(recwarn):
    register()
    assert not recwarn and len(timm.list_models("repro_*")) == len(NAMES)

"""Models in every layout, and a transport with these models."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from local.models import SIZE, ConfiguredTransport, Model, make_onnx_folder, make_static_folder


@pytest.fixture(scope="session")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """An ONNX model without settings: its vectors are the mean, normalised."""
    return make_onnx_folder(tmp_path_factory.mktemp("mini"))


@pytest.fixture(scope="session")
def static(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return make_static_folder(tmp_path_factory.mktemp("static"), config={"apply_pca": SIZE})


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory, mini: Model, static: Model) -> dict[str, Model]:
    """A model in every layout, by name."""
    folder = tmp_path_factory.mktemp("models")
    mean = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
    cls = {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}
    return {
        "mini": mini,
        "static": static,
        "mean": make_onnx_folder(folder / "mean", seed=3, file="onnx/model.onnx", pooling=mean, normalised=True),
        "raw": make_onnx_folder(folder / "raw", seed=4, pooling=mean, normalised=False),
        "cls": make_onnx_folder(folder / "cls", seed=5, file="model_quantized.onnx", pooling=cls, normalised=True),
        "newer": make_onnx_folder(folder / "newer", seed=6, pooling={"pooling_mode": "cls"}, normalised=True),
        "pooled": make_onnx_folder(folder / "pooled", seed=7, pooled=True),
        "matryoshka": make_onnx_folder(folder / "matryoshka", seed=8, config={"matryoshka_dimensions": [2, 4]}),
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def transport(folders: dict[str, Model]) -> AsyncIterator[ConfiguredTransport]:
    """One provider with every layout; its worker ends with the last test of the file."""
    transport = ConfiguredTransport({"local": {name: str(model.folder) for name, model in folders.items()}})
    yield transport
    await transport.close()

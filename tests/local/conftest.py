"""Models in every layout, and a transport that has them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from local.made import SIZE, Configured, Model, onnx_folder, static_folder


@pytest.fixture(scope="session")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """An ONNX model: mean, normalised, as it is without any settings."""
    return onnx_folder(tmp_path_factory.mktemp("mini"))


@pytest.fixture(scope="session")
def static(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return static_folder(tmp_path_factory.mktemp("static"), config={"apply_pca": SIZE})


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory, mini: Model, static: Model) -> dict[str, Model]:
    """Every layout there is, by name."""
    folder = tmp_path_factory.mktemp("models")
    mean = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
    cls = {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}
    return {
        "mini": mini,
        "static": static,
        "mean": onnx_folder(folder / "mean", seed=3, file="onnx/model.onnx", pooling=mean, normalised=True),
        "raw": onnx_folder(folder / "raw", seed=4, pooling=mean, normalised=False),
        "cls": onnx_folder(folder / "cls", seed=5, file="model_quantized.onnx", pooling=cls, normalised=True),
        "newer": onnx_folder(folder / "newer", seed=6, pooling={"pooling_mode": "cls"}, normalised=True),
        "pooled": onnx_folder(folder / "pooled", seed=7, pooled=True),
        "dolls": onnx_folder(folder / "dolls", seed=8, config={"matryoshka_dimensions": [2, 4]}),
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def transport(folders: dict[str, Model]) -> AsyncIterator[Configured]:
    """One provider with every layout; its worker ends with the file's last test."""
    made = Configured({"local": {name: str(model.folder) for name, model in folders.items()}})
    yield made
    await made.close()

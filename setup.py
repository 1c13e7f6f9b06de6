"""The distribution `genzoo`: packages `zoo`, `recipes` and `export`, and the command `zoo`."""

from setuptools import find_packages, setup

setup(
    name="genzoo",
    version="0.1.0",
    description="Generative models for Keras 3 on TensorFlow: train with model.fit, ship as SavedModel and ONNX",
    license="MIT",
    python_requires=">=3.10",
    packages=find_packages(include=["zoo", "zoo.*", "recipes", "recipes.*", "export", "export.*"]),
    package_data={"zoo": ["weights/registry.json", "weights/*/*"]},
    install_requires=[
        "tensorflow>=2.18",
        "keras>=3.8",
        "tensorflow-probability[tf]>=0.25",
        "tf2onnx>=1.17",
        "onnx>=1.18",
        "onnxruntime>=1.22",
        "numpy>=1.26",
        "h5py>=3.11",
        "pillow>=10",
        "pydantic>=2.7",
        "pyyaml>=6",
        "scikit-learn>=1.4",
        "typer>=0.12",
        "typing-extensions>=4.8",
    ],
    extras_require={
        "dev": ["pyright[nodejs]>=1.1.380", "pytest>=8", "pytest-xdist>=3.6", "ruff>=0.9", "scipy>=1.13", "build>=1.2"]
    },
    entry_points={"console_scripts": ["zoo=recipes.cli:main"]},
)

"""What pyproject.toml cannot say: the folder experiments/ is installed as clbench/experiments/."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["clbench*", "baselines*"]), "clbench.experiments"],
    package_dir={"clbench.experiments": "experiments"},
)

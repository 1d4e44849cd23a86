"""The page about the tariff language: its example is a tariff, and every member of the language stands there."""

from __future__ import annotations

import pathlib
import re

import pydantic
import pytest

from statistics_manager_service.tariffs import calendars, document, prices
from statistics_manager_service.tariffs.prices import Part
from statistics_manager_service.tariffs.reading import read_tariff
from statistics_manager_service.tariffs.shipped import read_yaml

PAGE = (pathlib.Path(__file__).parents[2] / "docs" / "tariffs.md").read_text()
MODELS = sorted(
    {
        model
        for module in (calendars, document, prices)
        for model in vars(module).values()
        if isinstance(model, type) and issubclass(model, pydantic.BaseModel) and model is not Part
    },
    key=lambda model: model.__name__,
)


def test_the_example_of_the_page_is_a_tariff() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    assert read_tariff(read_yaml(example.encode())).id == "pt-example"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_member_stands_on_the_page(model: type[pydantic.BaseModel]) -> None:
    for name, field in model.model_fields.items():
        assert re.search(rf"\b{field.alias or name}\b", PAGE), f"{model.__name__}.{field.alias or name}"

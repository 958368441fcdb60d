from __future__ import annotations

from typing import Annotated, Any

import pytest
from msgspec import Struct, field
from support.structural import defects

from cdi.api.datavolume import ObjectMeta
from cdi.api.marks import Int64, Nullable, Required, Time, keyed_by, limited, matching, one_of, shaped
from cdi.api.quantity import Quantity
from cdi.api.schema import schema_of


class Leg(Struct, rename="camel"):
    """A leg."""

    foot_size: Required[str] = ""
    """How large."""


class Animal(Struct, rename="camel"):
    """An animal."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    legs: Annotated[list[Leg], limited(maxItems=8)] = []
    """What it
    walks on."""
    first: Leg = field(default_factory=Leg)
    handed_on: Annotated[dict[str, Any] | None, shaped(Leg)] = None


class Sheep(Animal, rename="camel"):
    wool: bool | None = None
    """Whether it is warm."""


def field_of(type_: object) -> dict[str, Any]:
    namespace = {"__annotations__": {"it": type_}, "it": None, "__module__": __name__}
    made = type("Made", (Struct,), namespace)
    return dict(_undescribed(made)["it"])


def _undescribed(type_: type[Struct]) -> dict[str, Any]:
    import msgspec.inspect as reflect

    from cdi.api.schema import _schema

    described = reflect.type_info(type_)
    assert isinstance(described, reflect.StructType)
    return {one.name: _schema(one.type) for one in described.fields}


def test_a_struct_is_an_object_with_its_names_on_the_wire() -> None:
    schema = schema_of(Leg)
    assert schema["type"] == "object"
    assert list(schema["properties"]) == ["footSize"]
    assert schema["required"] == ["footSize"]


def test_the_string_below_a_field_describes_it_on_one_line() -> None:
    assert schema_of(Animal)["properties"]["legs"]["description"] == "What it walks on."


def test_without_one_the_type_describes_the_field() -> None:
    assert schema_of(Animal)["properties"]["first"]["description"] == "A leg."


def test_fields_of_the_class_above_keep_their_descriptions() -> None:
    properties = schema_of(Sheep)["properties"]
    assert properties["legs"]["description"] == "What it walks on."
    assert properties["wool"] == {"description": "Whether it is warm.", "type": "boolean"}


def test_of_metadata_nothing_is_said() -> None:
    assert schema_of(Animal)["properties"]["metadata"] == {"type": "object"}


def test_what_is_handed_on_unread_has_the_schema_of_its_shape() -> None:
    handed_on = schema_of(Animal)["properties"]["handedOn"]
    assert handed_on["properties"]["footSize"]["type"] == "string"


@pytest.mark.parametrize(
    ("type_", "schema"),
    [
        (str, {"type": "string"}),
        (bool | None, {"type": "boolean"}),
        (int, {"type": "integer", "format": "int32"}),
        (Int64[int], {"type": "integer", "format": "int64"}),
        (Time, {"type": "string", "format": "date-time"}),
        (list[str], {"type": "array", "items": {"type": "string"}}),
        (dict[str, Any], {"type": "object"}),
        (dict[str, str], {"type": "object", "additionalProperties": {"type": "string"}}),
        (Annotated[str, one_of("a", "b")], {"type": "string", "enum": ["a", "b"]}),
        (Required[Annotated[str, one_of("a")]], {"type": "string", "enum": ["a"]}),
        (Annotated[str | None, matching("^a$")], {"type": "string", "pattern": "^a$"}),
        (Nullable[dict[str, Any] | None], {"type": "object", "nullable": True}),
        (
            Annotated[list[str], keyed_by("x")],
            {
                "type": "array",
                "items": {"type": "string"},
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["x"],
            },
        ),
    ],
)
def test_types_and_marks_become(type_: object, schema: dict[str, Any]) -> None:
    assert field_of(type_) == schema


def test_a_quantity_is_a_number_or_text() -> None:
    schema = field_of(Quantity)
    assert schema["x-kubernetes-int-or-string"] is True
    assert schema["anyOf"] == [{"type": "integer"}, {"type": "string"}]
    assert "type" not in schema


@pytest.mark.parametrize("type_", [str | int, float, bytes])
def test_what_has_no_structural_schema_is_refused(type_: object) -> None:
    with pytest.raises(TypeError, match="structural"):
        field_of(type_)


@pytest.mark.parametrize(
    ("change", "defect"),
    [
        ({"properties": {"metadata": {"type": "object"}, "a": {}}}, ".a: has no type"),
        ({"required": ["b"]}, ": requires ['b'], which it does not have"),
        ({"additionalProperties": {"type": "string"}}, ": has properties and additionalProperties"),
        ({"anyOf": [{"type": "object"}]}, ".anyOf: holds type"),
        ({"type": "string"}, ": is no object"),
    ],
)
def test_the_checker_finds(change: dict[str, Any], defect: str) -> None:
    sound = {"type": "object", "properties": {"metadata": {"type": "object"}}}
    assert list(defects(sound)) == []
    assert defect in list(defects(sound | change))

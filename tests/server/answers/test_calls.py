"""The embedded server calls the tools that a text names, with arguments made from their schemas."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtvoiced_server.answers.arguments import DEEPEST, MOST_VALUES, arguments_for
from rtvoiced_server.answers.calls import LONGEST_TEXT, MOST_CALLS, ToolInvocation, tool_invocations
from rtvoiced_server.answers.tool_names import spoken_name, spoken_names
from support.examples import examples
from support.talking import Json


def tool(name: str, *required: str, **properties: Json) -> Json:
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    return {"type": "function", "name": name, "parameters": parameters}


WEATHER = tool(
    "get_weather",
    "city",
    "unit",
    city={"type": "string"},
    days={"type": "integer"},
    unit={"type": "string", "enum": ["celsius", "fahrenheit"]},
)
ADD = tool("add", "a", "b", a={"type": "number"}, b={"type": "number"})
FORECAST = tool("get_weather_forecast")
PING: Json = {"type": "function", "name": "ping"}
TOOLS = [WEATHER, ADD, FORECAST, PING]


def called(text: str, choice: Any = "auto", **options: Any) -> list[tuple[str, Json]]:
    return [(one.name, json.loads(one.arguments)) for one in tool_invocations(text, TOOLS, choice, **options)]


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("get weather", {"city": "example", "unit": "celsius"}),
        ("Call get_weather!", {"city": "example", "unit": "celsius"}),
        ("please GET WEATHER in Paris", {"city": "Paris", "unit": "celsius"}),
        ("use get_weather with city Paris", {"city": "Paris", "unit": "celsius"}),
        (
            "use get_weather with city The Hague and days three",
            {"city": "The Hague", "days": 3, "unit": "celsius"},
        ),
        ("get weather, city: Oslo, unit=fahrenheit", {"city": "Oslo", "unit": "fahrenheit"}),
        ('call get_weather {"city": "Paris"}', {"city": "Paris", "unit": "celsius"}),
        (
            'get_weather({"city": "Rome", "unit": "fahrenheit", "days": 2})',
            {"city": "Rome", "unit": "fahrenheit", "days": 2},
        ),
        # What is not of the declared type is made anew; what is not declared at all stays.
        (
            'get_weather {"city": 5, "days": "two", "more": null}',
            {"city": "example", "unit": "celsius", "more": None},
        ),
        ('get_weather {"city": "Paris"', {"city": '{"city": "Paris', "unit": "celsius"}),
        ("get weather for Rome in fahrenheit", {"city": "Rome in fahrenheit", "unit": "fahrenheit"}),
    ],
)
def test_arguments_come_from_the_text(text: str, arguments: Json) -> None:
    assert called(text) == [("get_weather", arguments)]


@pytest.mark.parametrize(
    ("text", "a", "b"),
    [
        ("add 3 and 4.5", 3, 4.5),
        ("add seven and twenty-one", 7, 21),
        ("-2 and 9, add", -2, 9),
        ("add", 1, 1),
        ("add with b 2 and a 5", 5, 2),
    ],
)
def test_numbers_come_in_their_order(text: str, a: float, b: float) -> None:
    assert called(text) == [("add", {"a": a, "b": b})]


def test_several_tools_are_called_in_the_order_of_the_text() -> None:
    text = "add 1 and 2, then get weather in Rome, then ping"

    assert called(text) == [
        ("add", {"a": 1, "b": 2}),
        ("get_weather", {"city": "Rome, then", "unit": "celsius"}),
        ("ping", {}),
    ]
    assert called(text, parallel=False) == [("add", {"a": 1, "b": 2})]
    assert len(called("ping " * 100)) == MOST_CALLS


def test_the_longest_name_wins() -> None:
    assert called("get weather forecast") == [("get_weather_forecast", {})]


@pytest.mark.parametrize(
    "text", ["what is the weather", "address", "sleeping", "forget weather", "", "pin g"]
)
def test_what_no_text_names_is_not_called(text: str) -> None:
    assert called(text) == []


def test_a_name_within_the_json_of_a_call_is_no_call() -> None:
    assert called('ping {"text": "get weather"}') == [("ping", {"text": "get weather"})]


def test_the_choice_decides() -> None:
    assert called("get weather", "none") == []
    assert called("hello 5", "required") == [("get_weather", {"city": "hello 5", "unit": "celsius"})]
    assert called("add 2 and 3", "required") == [("add", {"a": 2, "b": 3})]
    assert called("get weather and add 5", {"type": "function", "name": "add"}) == [("add", {"a": 5, "b": 1})]
    assert tool_invocations("ping", [], "required") == []


SHAPES: list[tuple[Json, Any]] = [
    ({"type": "boolean"}, True),
    ({"type": "boolean", "default": False}, False),
    ({"type": "null"}, None),
    ({"type": ["null", "integer"]}, 1),
    ({"type": "integer", "minimum": 10, "maximum": 20}, 10),
    ({"type": "number", "maximum": -1.5}, -1.5),
    ({"type": "number", "default": 10**400}, 10**400),
    ({"type": "integer", "minimum": 10**400}, 10**400),
    ({"type": "string", "default": "tea"}, "tea"),
    ({"type": "string", "examples": ["milk"]}, "milk"),
    ({"type": "string", "format": "date"}, "2026-01-01"),
    ({"const": 7}, 7),
    ({"enum": [3, "x"]}, 3),
    ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 1),
    ({"$ref": "#/$defs/size"}, "small"),
    ({"$ref": "#/$defs/nowhere"}, "example"),
    ({"type": "array", "items": {"type": "boolean"}}, [True]),
    ({"type": "array", "minItems": 2}, ["example", "example"]),
    ({"type": "array", "minItems": 99, "items": {"type": "null"}}, [None] * 16),
    ({"type": "object", "properties": {"n": {"type": "integer"}, "m": {}}, "required": ["n"]}, {"n": 1}),
    ({"properties": {}}, {}),
    ({}, "example"),
    ({"type": 5, "enum": "x", "required": 3, "properties": []}, {}),
    (True, "example"),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("shape", "value"), SHAPES)
def test_a_required_value_has_the_declared_type(shape: Json, value: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"x": shape},
        "required": ["x"],
        "$defs": {"size": {"type": "string", "enum": ["small", "large"]}},
    }

    assert arguments_for(schema, "", None) == {"x": value}


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        ({"type": "number"}, 10**400),
        ({"type": "object", "required": [["x"], {}, None]}, {"x": 1}),
    ],
)
def test_whatever_json_is_given_is_held_against_whatever_schema(shape: Json, value: Any) -> None:
    schema = {"type": "object", "properties": {"x": shape}, "required": ["x"]}

    assert arguments_for(schema, "", {"x": value}) == {"x": value}


def test_lists_take_all_numbers() -> None:
    shape = {"type": "array", "items": {"type": "integer"}}
    schema = {"type": "object", "properties": {"n": shape}, "required": ["n"]}

    assert arguments_for(schema, "three, 5 and 8", None) == {"n": [3, 5, 8]}


def test_a_schema_of_references_alone() -> None:
    node = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

    assert arguments_for({"$ref": "#/$defs/node", "$defs": {"node": node}}, "in Paris", None) == {
        "city": "Paris"
    }


def test_undeclared_arguments_are_left_out_where_the_schema_says_so() -> None:
    assert arguments_for({"properties": {}, "additionalProperties": False}, "", {"x": 1}) == {}


def test_a_schema_that_holds_itself_ends() -> None:
    node: Json = {"type": "object", "properties": {}, "required": [str(n) for n in range(10)]}
    node["properties"] = {str(n): {"$ref": "#/$defs/node"} for n in range(10)}
    schema = {"$ref": "#/$defs/node", "$defs": {"node": node}}
    text = json.dumps(arguments_for(schema, "", None))

    assert text.count("{") <= MOST_VALUES + 10 * DEEPEST
    assert json.loads(text)["0"]["0"]["0"] is not None


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
WORDS = st.sampled_from(
    ["type", "properties", "required", "items", "enum", "anyOf", "$ref", "minimum", "const"]
)
KINDS = st.sampled_from(["object", "array", "integer", "string", "#/properties/a", "#"]) | JSON
SCHEMA = st.recursive(
    KINDS,
    lambda inner: st.dictionaries(
        WORDS | st.sampled_from(["a", "b"]), inner | st.lists(inner, max_size=3), max_size=5
    ),
    max_leaves=12,
)


@given(SCHEMA, st.text(max_size=60) | JSON.map(json.dumps))
@examples(80)
def test_any_schema_gives_json(schema: Any, text: str) -> None:
    parameters = schema if isinstance(schema, dict) else {"properties": {"a": schema}, "required": ["a"]}
    (call,) = tool_invocations(
        f"ping {text}", [{"type": "function", "name": "ping", "parameters": parameters}], "auto"
    )[:1]

    assert isinstance(call, ToolInvocation)
    assert isinstance(json.loads(call.arguments), dict)


def test_only_the_beginning_of_a_long_text_is_searched() -> None:
    many = [tool(f"tool_{n}_" + "x" * 50) for n in range(128)] + TOOLS

    assert tool_invocations("get  " * LONGEST_TEXT + "ping", many, "auto") == []
    assert called("ping with" + " ," * LONGEST_TEXT + "add") == [("ping", {})]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("get_weather", "get weather"),
        ("getWeather", "get weather"),
        ("Get-Weather2", "get weather2"),
        ("__", ""),
    ],
)
def test_a_name_as_one_says_it(name: str, words: str) -> None:
    assert spoken_name(name) == words
    assert spoken_names([{"name": name}, {"name": name}]) == ((words,) if words else ())

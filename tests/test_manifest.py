import pytest

from gandetect.manifest import manifest_json, parse_manifest


def test_manifest_json_is_canonical():
    assert manifest_json({"b": [1.5, None, "grün"], "a": {10: True, 9: -0.0}}) == (
        '{"a":{"10":true,"9":-0.0},"b":[1.5,null,"grün"]}'
    )


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_manifest_json_refuses_numbers_that_json_cannot_say(number):
    with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
        manifest_json({"n": number})


def test_a_manifest_comes_back_from_its_text():
    manifest = {"format": 1, "columns": [{"name": "ö", "low": None}]}
    assert parse_manifest(manifest_json(manifest)) == manifest

"""Multipart forms keep each byte, and broken ones are refused."""

import httpx
import pytest

from sandbox.providers.multipart import MultipartError, Part, form_json, is_multipart, parse_multipart

HOSTILE = b"\r\n\r\n--x\r\n\x00\xff\r\n"


def built(files: list[tuple[str, tuple[str, bytes, str]]], fields: dict[str, str]) -> tuple[str, bytes]:
    request = httpx.Request("POST", "http://a.example/", files=files, data=fields)
    return request.headers["content-type"], request.read()


def test_form_of_a_real_client_is_cut_without_changing_a_byte() -> None:
    files = [("image[]", ("a.png", HOSTILE, "image/png")), ("image[]", ("b.png", b"", "image/png"))]

    parts = parse_multipart(*built(files, {"prompt": "ein Füchs"}))

    assert parts == [
        Part(name="prompt", content="ein Füchs".encode()),
        Part(name="image[]", filename="a.png", content_type="image/png", content=HOSTILE),
        Part(name="image[]", filename="b.png", content_type="image/png", content=b""),
    ]
    assert parts[0].text == "ein Füchs"


def test_record_of_form_has_files_without_bytes() -> None:
    files = [(name, ("a", b"abc", "image/png")) for name in ("one", "two", "two", "two")]

    form = form_json(parse_multipart(*built(files, {"n": "2"})))

    assert form["n"] == "2"
    assert form["one"]["length"] == 3
    assert [each["content_type"] for each in form["two"]] == ["image/png"] * 3
    assert "abc" not in str(form)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nhalf'),
        ("multipart/form-data; boundary=x", b"--x\r\nno header--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\nno: header\r\n--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\nno: name\r\n\r\na\r\n--x--"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 201 + b"--x--",
        ),
    ],
)
def test_broken_form_is_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(MultipartError):
        parse_multipart(content_type, body)


def test_only_forms_with_files_are_multipart() -> None:
    assert is_multipart("Multipart/Form-Data; boundary=x")
    assert not is_multipart("application/json")

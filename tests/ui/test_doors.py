"""What the faces' server refuses before any page is shown."""

from collections.abc import Iterator

import httpx
import pytest

from eval import worlds


def test_a_form_without_a_length_is_not_read_beyond_its_limit(faces: str) -> None:
    def pieces() -> Iterator[bytes]:
        yield f"login=lina&password={worlds.PASSWORD}&more=".encode()
        for _ in range(1_200):
            yield b"x" * 1_000

    answer = httpx.post(f"{faces}/login", content=pieces(), headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code >= 400 and "set-cookie" not in answer.headers


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(faces: str) -> None:
    answer = httpx.post(f"{faces}/login", data={"login": "lina", "password": worlds.PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    assert answer.status_code == 303 and "httponly" in cookie and "samesite=lax" in cookie


@pytest.mark.parametrize("path", ["/member", "/marketer/", "/support/gradio_api/queue/join", "/support/config", "/%73upport/", "/member/gradio_api/upload"])
def test_a_face_does_nothing_for_somebody_who_is_not_signed_in(faces: str, path: str) -> None:
    for answer in (httpx.get(f"{faces}{path}"), httpx.post(f"{faces}{path}", json={"data": []})):
        assert answer.status_code in (401, 303) and "Li Na" not in answer.text


def test_a_login_with_markup_is_shown_as_text(faces: str) -> None:
    answer = httpx.post(f"{faces}/login", data={"login": "<script>alert(1)</script>", "password": "x"})
    assert answer.status_code == 401 and "<script>alert" not in answer.text

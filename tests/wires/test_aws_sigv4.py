"""Signature Version 4 against AWS's published test suite and against botocore's signer."""

import calendar
from datetime import UTC, datetime
from urllib.parse import quote

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from antiphon.types import Secret
from antiphon.wires.aws.sigv4 import Signer, normalize_path, normalize_query, sign

ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = calendar.timegm((2015, 8, 30, 12, 36, 0))
HOST = ("Host", "example.amazonaws.com")
VANILLA = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
PLAIN = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7"
    "mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d"
    "+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)
FORM = "application/x-www-form-urlencoded"

# name: (method, path, query, more headers, body, signed headers, signature); the AWS Signature Version 4 test suite.
VECTORS = {
    "get-vanilla": ("GET", "/", "", [], b"", "", VANILLA),
    "get-vanilla-query": (
        "GET", "/", "Param1=value1", [], b"", "", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
    "get-vanilla-query-order-key": (
        "GET", "/", "Param1=value2&Param1=value1", [], b"", "",
        "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"),
    "get-vanilla-query-order-key-case": (
        "GET", "/", "Param2=value2&Param1=value1", [], b"", "",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    "get-vanilla-query-order-value": (
        "GET", "/", "Param1=value2&Param1=Value1", [], b"", "",
        "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1"),
    "get-vanilla-query-unreserved": (
        "GET", "/", f"{PLAIN}={PLAIN}", [], b"", "",
        "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
    "get-vanilla-utf8-query": (
        "GET", "/", "ሴ=bar", [], b"", "", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
    "get-unreserved": (
        "GET", f"/{PLAIN}", "", [], b"", "", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
    "get-utf8": (
        "GET", "/ሴ", "", [], b"", "", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    "get-space": (
        "GET", "/example space/", "", [], b"", "", "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
    "get-relative": ("GET", "/example/..", "", [], b"", "", VANILLA),
    "get-relative-relative": ("GET", "/example1/example2/../..", "", [], b"", "", VANILLA),
    "get-slash": ("GET", "//", "", [], b"", "", VANILLA),
    "get-slash-dot-slash": ("GET", "/./", "", [], b"", "", VANILLA),
    "get-slash-pointless-dot": (
        "GET", "/./example", "", [], b"", "", "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"),
    "get-slashes": (
        "GET", "//example//", "", [], b"", "", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
    "get-header-key-duplicate": (
        "GET", "/", "", [("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")], b"",
        "my-header1", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"),
    "get-header-value-order": (
        "GET", "/", "", [("My-Header1", f"value{n}") for n in (4, 1, 3, 2)], b"",
        "my-header1", "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"),
    "get-header-value-trim": (
        "GET", "/", "", [("My-Header1", " value1"), ("My-Header2", ' "a   b   c"')], b"",
        "my-header1;my-header2", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
    "post-vanilla": (
        "POST", "/", "", [], b"", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    "post-vanilla-query": (
        "POST", "/", "Param1=value1", [], b"", "", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
    "post-header-key-sort": (
        "POST", "/", "", [("MY-HEADER1", "value1")], b"",
        "my-header1", "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
    "post-header-value-case": (
        "POST", "/", "", [("My-Header1", "VALUE1")], b"",
        "my-header1", "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"),
    "post-x-www-form-urlencoded": (
        "POST", "/", "", [("Content-Type", FORM), ("Content-Length", "13")], b"Param1=value1",
        "content-type", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
    "post-x-www-form-urlencoded-parameters": (
        "POST", "/", "", [("Content-Type", f"{FORM}; charset=utf8")], b"Param1=value1",
        "content-type", "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"),
    "unsigned-hop-headers": (
        "GET", "/", "", [("User-Agent", "ua"), ("Expect", "100-continue"), ("Connection", "close")], b"", "", VANILLA),
}  # fmt: skip


def sign_request(method, path, query, headers, body, token="", service="service", region="us-east-1"):
    return sign(
        method, path, query, headers, body,
        access_key=ACCESS, secret_key=SECRET, session_token=token, region=region, service=service, now=NOW,
    )  # fmt: skip


@pytest.mark.parametrize("name", VECTORS)
def test_the_published_vectors_are_signed_the_same(name):
    method, path, query, more, body, names, signature = VECTORS[name]
    names = ";".join(sorted(["host", "x-amz-date", *filter(None, names.split(";"))]))
    assert sign_request(method, path, query, [*more, HOST], body) == [
        ("x-amz-date", "20150830T123600Z"),
        (
            "authorization",
            f"AWS4-HMAC-SHA256 Credential={ACCESS}/20150830/us-east-1/service/aws4_request, "
            f"SignedHeaders={names}, Signature={signature}",
        ),
    ]


def test_a_session_token_is_added_and_signed():
    added = dict(sign_request("POST", "/", "", [HOST], b"", TOKEN))
    assert added["x-amz-security-token"] == TOKEN
    assert added["authorization"].endswith(
        "SignedHeaders=host;x-amz-date;x-amz-security-token, "
        "Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"
    )


def test_added_headers_replace_older_ones():
    stale = [("Authorization", "AWS4 old"), ("X-Amz-Date", "19990101T000000Z"), ("x-amz-security-token", "old")]
    assert sign_request("GET", "/", "", [HOST, *stale], b"")[-1][1].endswith(VANILLA)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
         "/model/anthropic.claude-sonnet-4-5-20250929-v1%253A0/converse"),
        ("/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.x-v1%3A0/converse-stream",
         "/model/arn%253Aaws%253Abedrock%253Aus-east-1%253A123456789012%253Ainference-profile%252Fus.x-v1%253A0"
         "/converse-stream"),
        ("", "/"),
        ("/..", "/"),
        ("/a/b/..", "/a"),
        ("/.well-known/~x", "/.well-known/~x"),
    ],
)  # fmt: skip
def test_a_path_is_encoded_once_more(path, expected):
    assert normalize_path(path) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ""),
        ("b&a=", "a=&b="),
        ("a=b%20c", "a=b%20c"),
        ("a=b c", "a=b%20c"),
        ("a=b+c", "a=b%2Bc"),
        ("a=%FF", "a=%FF"),
    ],
)
def test_a_query_is_encoded_one_way(query, expected):
    assert normalize_query(query) == expected


words = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)
names = st.from_regex(r"\Ax-[a-z][a-z0-9-]{0,12}\Z").filter(lambda name: not name.startswith(("x-amz", "x-amzn")))
segments = st.text(max_size=10).filter(lambda text: text.encode("utf-8", "ignore").decode() == text)


@given(
    method=st.sampled_from(["GET", "POST", "PUT"]),
    path=st.lists(segments, max_size=4),
    query=st.lists(st.tuples(segments.filter(bool), segments), max_size=4),
    headers=st.dictionaries(names, words, max_size=4),
    body=st.binary(max_size=200),
    token=st.sampled_from(["", "FwoGZXIvYXdzEXAMPLE//="]),
    moment=st.integers(min_value=0, max_value=4_000_000_000),
)
def test_botocore_signs_the_same(method, path, query, headers, body, token, moment):
    raw_path = "/" + "/".join(quote(part, safe="-_.~") for part in path)
    raw_query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query)
    url = f"https://bedrock-runtime.eu-central-1.amazonaws.com{raw_path}" + (f"?{raw_query}" if raw_query else "")
    request = AWSRequest(method=method, url=url, data=body, headers=headers)
    signer = botocore.auth.SigV4Auth(Credentials(ACCESS, SECRET, token or None), "bedrock", "eu-central-1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda: datetime.fromtimestamp(moment, UTC))
        signer.add_auth(request)
    ours = dict(
        Signer(ACCESS, Secret(SECRET), Secret(token) if token else None, "eu-central-1", "bedrock").sign(
            method,
            raw_path,
            raw_query,
            [("host", "bedrock-runtime.eu-central-1.amazonaws.com"), *headers.items()],
            body,
            moment,
        )
    )
    assert ours["authorization"] == request.headers["Authorization"]
    assert ours["x-amz-date"] == request.headers["X-Amz-Date"]
    assert ours.get("x-amz-security-token", "") == request.headers.get("X-Amz-Security-Token", "")


def test_a_signer_renews_its_key_each_day_and_hides_its_secret():
    signer = Signer(ACCESS, Secret(SECRET), Secret(TOKEN), "us-east-1", "service")
    for now in (NOW, NOW + 60, NOW + 86_400, NOW):
        fresh = sign(
            "POST", "/", "", [HOST], b"x",
            access_key=ACCESS, secret_key=SECRET, session_token=TOKEN, region="us-east-1", service="service", now=now,
        )  # fmt: skip
        assert signer.sign("POST", "/", "", [HOST], b"x", now) == fresh
    assert SECRET not in repr(signer)
    assert TOKEN not in repr(signer)

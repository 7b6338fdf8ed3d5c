use proptest::prelude::*;

use super::redact;

#[test]
fn resident_registration_numbers_are_taken_out() {
    assert_eq!(redact("주민번호 900101-1234567 확인"), "주민번호 [redacted:rrn] 확인");
    assert_eq!(redact("rrn=9001011234568"), "rrn=[redacted:rrn]", "the check digit fits");
    assert_eq!(redact("id 9001011234567"), "id 9001011234567", "without a dash it has to");
    assert_eq!(redact("order 991399-1234567"), "order 991399-1234567", "no such month");
}

#[test]
fn telephone_numbers_are_taken_out() {
    for phone in ["010-1234-5678", "01012345678", "+82 10-1234-5678", "02-123-4567", "031-123-4567"] {
        assert_eq!(redact(&format!("call {phone} now")), "call [redacted:phone] now", "{phone}");
    }
    assert_eq!(redact("0311234567"), "0311234567", "without dashes an area code is any number");
}

#[test]
fn cards_are_told_by_their_check_digit() {
    assert_eq!(redact("card 4111 1111 1111 1111."), "card [redacted:card].");
    assert_eq!(redact("card 4111111111111112"), "card 4111111111111112");
    assert_eq!(redact("trace a4111111111111111b"), "trace a4111111111111111b", "inside a word");
}

#[test]
fn tokens_and_passwords_are_taken_out() {
    assert_eq!(redact("postgres://app:s3cret@db/x"), "postgres://app:[redacted:password]@db/x");
    assert_eq!(redact("Authorization: Bearer abcdefgh12345"), "Authorization: Bearer [redacted:secret]");
    assert_eq!(redact("GET /x?api_key=abc123&y=1"), "GET /x?api_key=[redacted:secret]&y=1");
    assert_eq!(redact(r#"{"password":"hunter22","a":1}"#), r#"{"password":"[redacted:secret]","a":1}"#);
    assert_eq!(redact("jwt eyJhbGciOiJI.eyJzdWIiOiIx.abc"), "jwt [redacted:token]");
}

#[test]
fn a_neighbouring_number_hides_nothing() {
    for (text, clean) in [
        ("user 42 010-1234-5678", "user 42 [redacted:phone]"),
        ("2026-11-22 010-1234-5678", "2026-11-22 [redacted:phone]"),
        ("192.168.0.1 900101-1234567", "192.168.0.1 [redacted:rrn]"),
        ("4111 1111 1111 1111 43", "[redacted:card] 43"),
        ("010-1234-5678 010-8765-4321", "[redacted:phone] [redacted:phone]"),
        ("jumin_900101-1234567", "jumin_[redacted:rrn]"),
        ("900101 - 1234567", "[redacted:rrn]"),
        ("(02)123-4567 연락", "([redacted:phone] 연락"),
    ] {
        assert_eq!(redact(text), clean);
    }
}

#[test]
fn measurements_stay_as_they_are() {
    for text in ["took 0.4111111111111111 s", "from 10.0.31.123 to 10.12.3.45:5678", "span 00f067aa0ba902b7"]
    {
        assert_eq!(redact(text), text);
    }
}

#[test]
fn a_quoted_secret_goes_up_to_its_closing_quote() {
    for (text, clean) in [
        (r#"{"password":"ab,cd&ef","a":1}"#, r#"{"password":"[redacted:secret]","a":1}"#),
        (r#"password: "a b c" next"#, r#"password: "[redacted:secret]" next"#),
        (r#"body {\"token\":\"ab,cd\"}"#, r#"body {\"token\":\"[redacted:secret]\"}"#),
        ("token=abc,def user=x", "token=[redacted:secret] user=x"),
        ("token=abc,user=x", "token=[redacted:secret],user=x"),
        ("password=abc,secret=def", "password=[redacted:secret],secret=[redacted:secret]"),
    ] {
        assert_eq!(redact(text), clean);
    }
}

#[test]
fn credentials_of_many_kinds_are_taken_out() {
    for (text, clean) in [
        ("https://tok@h/x", "https://[redacted:token]@h/x"),
        ("Cookie: sid=abc; theme=dark", "Cookie: [redacted:token]"),
        ("AccountKey=Zm9vYmFy==;x", "AccountKey=[redacted:secret];x"),
        ("used glpat-abcdefghij0123456789", "used [redacted:token]"),
        ("-----BEGIN EC PRIVATE KEY-----\nMHc=\n-----END EC PRIVATE KEY-----.", "[redacted:token]."),
    ] {
        assert_eq!(redact(text), clean);
    }
}

#[test]
fn an_ordinary_line_is_not_copied() {
    let line = "GET /orders/123 took 45 ms for 결제";
    assert!(matches!(redact(line), std::borrow::Cow::Borrowed(_)));
}

proptest! {
    #[test]
    fn any_text_can_be_redacted(text in "\\PC{0,200}") {
        let _ = redact(&text);
    }
}

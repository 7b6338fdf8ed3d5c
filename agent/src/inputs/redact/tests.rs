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

use goldentime_model::UnixNanos;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::config::{Config, FieldNames, Format};
use super::instant::Zone;
use super::{Fields, Parser, Unparsed};

fn parser(format: Format) -> Parser {
    parser_with(format, FieldNames::default())
}

fn parser_with(format: Format, fields: FieldNames) -> Parser {
    let seoul = TimeZone::fixed(jiff::tz::offset(9));
    Parser::new(&Config { format, fields }, Zone::new(seoul), true).expect("valid format")
}

fn nginx(log_format: &str) -> Parser {
    parser(Format::Nginx { log_format: log_format.into() })
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

const AT: UnixNanos = UnixNanos(1_795_362_004_000_000_000);

#[test]
fn nginx_combined_is_read_as_nginx_writes_it() {
    let mut parser = parser(Format::Combined);
    let line = br#"127.0.0.1 - - [22/Nov/2026:15:40:04 +0000] "GET /orders/1?x=%20 HTTP/1.1" 200 612 "-" "curl/7.88.1""#;
    let fields = parser.read(line).expect("readable");
    assert_eq!((text(&fields.method), text(&fields.path)), ("GET", "/orders/1?x=%20"));
    assert_eq!((fields.status, fields.duration_s), (Some(200), None));
    assert_eq!((fields.at, fields.at_is_coarse), (Some(AT), true));
}

#[test]
fn a_whole_directive_with_msec_and_upstream_times_is_compiled() {
    let mut parser = nginx(
        "log_format timed '$remote_addr [$time_local] \"$request\" $status '\n  \
         '$request_time $upstream_response_time $msec \"$http_user_agent\"';",
    );
    let line = br#"::1 [22/Nov/2026:15:40:04 +0000] "POST /a b HTTP/2.0" 502 1.250 0.010, 0.020 : 0.001 1795362004.123 "a \x22b\x22""#;
    let fields = parser.read(line).expect("readable");
    assert_eq!((text(&fields.method), text(&fields.path)), ("POST", "/a b"));
    assert_eq!((fields.status, fields.duration_s), (Some(502), Some(1.25)));
    assert_eq!((fields.at, fields.at_is_coarse), (Some(AT.saturating_add(123_000_000)), false));
}

#[test]
fn the_duration_may_be_that_of_the_upstreams() {
    let fields = FieldNames { duration: Some("$upstream_response_time".into()), ..FieldNames::default() };
    let log_format = "$status $upstream_response_time $request_time".to_owned();
    let mut parser = parser_with(Format::Nginx { log_format }, fields);
    let read = parser.read(b"200 0.010, 0.020 : - 0.500").expect("readable");
    assert!((read.duration_s.expect("timed") - 0.03).abs() < 1e-12);
    assert_eq!(parser.read(b"499 - 0.500").expect("readable").duration_s, None);
}

#[test]
fn nginx_json_with_escapes_is_a_format_too() {
    let mut parser =
        nginx(r#"log_format j escape=json '{"t":"$msec","r":"$request","s":$status,"d":$request_time}';"#);
    let line = br#"{"t":"1795362004.000","r":"GET /a\"b HTTP/1.1","s":200,"d":0.001}"#;
    let fields = parser.read(line).expect("readable");
    assert_eq!(text(&fields.path), "/a\"b");
    assert_eq!(fields.duration_s, Some(0.001));
}

#[test]
fn apaches_stamp_is_the_start_and_its_duration_is_added() {
    let log_format = r#"LogFormat "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" %D" timed"#;
    let mut parser = parser(Format::Apache { log_format: log_format.into() });
    let line = br#"::1 - - [22/Nov/2026:15:40:02 +0000] "GET /x HTTP/1.1" 504 12 "say \"hi\"" 2000000"#;
    let fields = parser.read(line).expect("readable");
    assert_eq!((fields.status, fields.duration_s, fields.at), (Some(504), Some(2.0), Some(AT)));
}

#[test]
fn what_is_no_request_line_leaves_the_path_empty() {
    let mut parser = nginx("\"$request\" $status");
    let fields = parser.read(br#""\x16\x03\x01 a" 400"#).expect("readable");
    assert_eq!((text(&fields.method), text(&fields.path), fields.status), ("", "", Some(400)));
}

#[test]
fn json_fields_are_found_by_usual_and_own_names_also_inside_objects() {
    let fields = FieldNames { verdict: Some("body.code".into()), ..FieldNames::default() };
    let mut parser = parser_with(Format::Json, fields);
    let line = r#"{"time":"2026-11-22T15:40:04.5Z","level":"error","http":{"request":{"method":"PUT"},"x":[{"]":1}]},
                  "url":"/p","status":500,"duration_ms":12.5,"msg":"결제 실패\n","body":{"code":"E1"},"n":null}"#;
    let read = parser.read(line.as_bytes()).expect("readable");
    assert_eq!((text(&read.method), text(&read.path), text(&read.verdict)), ("PUT", "/p", "E1"));
    assert_eq!((read.status, read.duration_s), (Some(500), Some(0.0125)));
    assert_eq!((text(&read.message), text(&read.level)), ("결제 실패\n", "error"));
    assert_eq!(read.at, Some(AT.saturating_add(500_000_000)));
}

#[test]
fn logfmt_pairs_are_read_with_quotes() {
    let mut parser = parser(Format::Logfmt);
    let line =
        br#"ts=1795362004123 level=info msg="said \"hi\"" method=GET path=/a status=201 duration=12ms flag"#;
    let read = parser.read(line).expect("readable");
    assert_eq!((text(&read.message), read.duration_s), ("said \"hi\"", Some(0.012)));
    assert_eq!(read.at, Some(AT.saturating_add(123_000_000)));
    assert_eq!(parser.read(b"no pairs at all"), Err(Unparsed::Format));
}

#[test]
fn named_groups_of_an_expression_are_fields() {
    let pattern =
        r"^(?P<time>\S+ \S+) (?P<method>[A-Z]+) (?P<path>\S+) -> (?P<status>\d+) in (?P<duration_ms>\S+)";
    let mut parser = parser(Format::Regex { pattern: pattern.into() });
    let read = parser.read(b"2026-11-23 00:40:04,250 GET /a -> 200 in 7").expect("readable");
    assert_eq!(read.at, Some(AT.saturating_add(250_000_000)), "without a zone the host's holds");
    assert_eq!(read.duration_s, Some(0.007));
}

#[test]
fn fields_without_a_role_are_kept_as_they_are_written() {
    let others = |read: &Fields<'_>| {
        let others = read.others.iter();
        others.map(|(name, value)| (name.to_string(), text(value).to_owned())).collect::<Vec<_>>()
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut json = parser(Format::Json);
    let read = json.read(br#"{"msg":"paid","order_id":7,"who":{"a":"}"},"none":null,"code":"E\n1"}"#);
    let read = read.expect("readable");
    let kept = [pair("order_id", "7"), pair("who", r#"{"a":"}"}"#), pair("code", "E\n1")];
    assert_eq!(others(&read), kept);
    let mut logfmt = parser(Format::Logfmt);
    let read = logfmt.read(br#"msg=paid order_id=7 code="E 1""#).expect("readable");
    assert_eq!(others(&read), [pair("order_id", "7"), pair("code", "E 1")]);
    let mut regex = parser(Format::Regex { pattern: r"^(?P<msg>\w+) (?P<order_id>\d+)".into() });
    assert_eq!(others(&regex.read(b"paid 7").expect("readable")), [pair("order_id", "7")]);
    let many: String = (0..60).map(|at| format!("f{at}=x ")).collect();
    assert_eq!(logfmt.read(many.as_bytes()).expect("readable").others_left_out, 12);
}

#[test]
fn a_request_with_an_unreadable_duration_counts_without_it() {
    let mut parser = nginx("$status $request_time $msec");
    for line in [&b"200 fast 1.0"[..], b"200 -0.1 1.0"] {
        let read = parser.read(line).expect("readable");
        assert_eq!((read.status, read.duration_s, read.duration_is_unread), (Some(200), None, true));
    }
}

#[test]
fn a_request_with_an_unreadable_time_counts_when_it_is_read() {
    let mut parser = nginx("$status $request_time $msec");
    for line in [&b"200 0.1 noon"[..], b"200 0.1 1795362004.12x", b"200 0.1 99999999999999999999"] {
        let read = parser.read(line).expect("readable");
        assert_eq!((read.status, read.duration_s, read.at), (Some(200), Some(0.1), None));
        assert!(read.time_is_unread);
    }
    assert!(!parser.read(b"200 0.1 -").expect("readable").time_is_unread, "it says none");
    let mut json = parser_with(Format::Json, FieldNames::default());
    for line in [r#"{"time":"noon","ts":1795362004,"status":200}"#, r#"{"ts":1795362004,"time":"noon"}"#] {
        let read = json.read(line.as_bytes()).expect("readable");
        assert_eq!((read.at, read.time_is_unread), (Some(AT), false), "another stamp of the line holds");
    }
}

#[test]
fn an_unreadable_line_says_why() {
    let mut parser = nginx("$status $request_time $msec");
    assert_eq!(parser.read(b"200 0.1"), Err(Unparsed::Format));
    assert_eq!(parser.read(b"20x 0.1 1.0"), Err(Unparsed::Status));
    assert_eq!(parser.read(b""), Err(Unparsed::Format));
}

#[test]
fn a_format_that_cannot_work_is_refused() {
    let refused = |format| {
        Parser::new(&Config { format, fields: FieldNames::default() }, Zone::of_host(), false).is_err()
    };
    assert!(refused(Format::Nginx { log_format: "no variable".into() }));
    assert!(refused(Format::Nginx { log_format: "log_format a 'unclosed $status".into() }));
    assert!(refused(Format::Regex { pattern: "(".into() }));
    assert!(refused(Format::Regex { pattern: "(?P<nothing>.)".into() }));
}

fn all_parsers() -> Vec<Parser> {
    let pattern = r"(?P<method>\w+) (?P<path>\S+) (?P<status>\d+)".to_owned();
    vec![
        parser(Format::Combined),
        nginx("$status $upstream_response_time $msec [$time_local] \"$request\""),
        parser(Format::Apache { log_format: r#"%t "%r" %>s %D "%{x}i""#.into() }),
        parser(Format::Json),
        parser(Format::Logfmt),
        parser(Format::Regex { pattern }),
    ]
}

proptest! {
    #[test]
    fn no_parser_panics_on_any_bytes(line in prop::collection::vec(any::<u8>(), 0..300)) {
        for mut parser in all_parsers() {
            let _ = parser.read(&line);
        }
    }

    #[test]
    fn no_parser_panics_on_damaged_lines(cut in 0_usize..120, byte in any::<u8>(), at in 0_usize..120) {
        let lines: [&[u8]; 4] = [
            br#"127.0.0.1 - - [22/Nov/2026:15:40:04 +0000] "GET /orders/1 HTTP/1.1" 200 612 "-" "curl""#,
            br#"200 0.010, 0.020 : 0.001 1795362004.123 [22/Nov/2026:15:40:04 +0000] "GET / HTTP/1.1""#,
            br#"{"time":"2026-11-22T15:40:04.5+09:00","http":{"method":"P\u00e9"},"status":500,"a":[{"b":"}"}]}"#,
            br#"ts=2026-11-22T15:40:04 msg="said \"hi\"" status=201 duration=12ms flag"#,
        ];
        for line in lines {
            let mut line = line[..line.len().min(cut)].to_vec();
            if let Some(place) = line.get_mut(at) {
                *place = byte;
            }
            for mut parser in all_parsers() {
                let _ = parser.read(&line);
            }
        }
    }

    #[test]
    fn any_instant_is_read_back(seconds in 0_i64..9_000_000_000, millis in 0_i64..1000) {
        let at = jiff::Timestamp::from_nanosecond(i128::from(seconds * 1000 + millis) * 1_000_000).expect("in range");
        let zoned = at.to_zoned(TimeZone::fixed(jiff::tz::offset(-7)));
        let expected = UnixNanos((seconds * 1000 + millis) * 1_000_000);
        let coarse = UnixNanos(seconds * 1_000_000_000);
        let mut parser = parser_with(Format::Logfmt, FieldNames::default());
        let mut read = |value: String| {
            let line = format!("time=\"{value}\"");
            let Fields { at, .. } = parser.read(line.as_bytes()).expect("readable");
            at.expect("has a time")
        };
        prop_assert_eq!(read(zoned.strftime("%d/%b/%Y:%H:%M:%S %z").to_string()), coarse);
        prop_assert_eq!(read(zoned.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()), expected);
        prop_assert_eq!(read(format!("{seconds}.{millis:03}")), expected);
    }
}

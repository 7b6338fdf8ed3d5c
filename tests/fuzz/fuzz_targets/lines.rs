//! The first line as a format, whose kind the first byte tells, and the rest as lines of it; then the
//! same lines through redaction.
#![no_main]

use goldentime_agent::inputs::parse::config::{Config, FieldNames, Format};
use goldentime_agent::inputs::parse::{Parser, instant::Zone};
use goldentime_agent::inputs::redact::redact;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let text = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let format = match kind {
        b'n' => Format::Nginx { log_format: text },
        b'a' => Format::Apache { log_format: text },
        b'r' => Format::Regex { pattern: text },
        b'j' => Format::Json,
        b'l' => Format::Logfmt,
        _ => Format::Combined,
    };
    let fields = FieldNames { verdict: Some("code".to_owned()), ..FieldNames::default() };
    let Ok(mut parser) = Parser::new(&Config { format, fields }, Zone::of_host(), true) else { return };
    for line in lines {
        let _ = parser.read(line);
        let _ = redact(&String::from_utf8_lossy(line));
    }
});

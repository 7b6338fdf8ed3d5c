//! Apache's `LogFormat` (mod_log_config).

use super::config::FormatError;
use super::pattern::{Pattern, Piece};
use super::role::{Role, Roles, Unit};
use super::unescape::Escape;

/// Compiles a format: the text between the quotes, or the whole `LogFormat "…" name` directive.
pub(super) fn compile(format: &str, roles: &Roles) -> Result<Pattern, FormatError> {
    let text = directive(format)?;
    let mut pieces = Vec::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find('%') {
        push_literal(&mut pieces, &rest[..at]);
        let (piece, used) = directive_piece(&rest[at + 1..], roles)?;
        pieces.extend(piece);
        rest = &rest[at + 1 + used..];
    }
    push_literal(&mut pieces, rest);
    if !pieces.iter().any(|piece| matches!(piece, Piece::Variable { .. })) {
        return Err(FormatError::NoVariable);
    }
    let ends = text.contains("%{end:");
    Ok(Pattern::compile(pieces, Escape::Backslash, !ends))
}

fn push_literal(pieces: &mut Vec<Piece>, text: &str) {
    if !text.is_empty() {
        pieces.push(Piece::Literal(text.into()));
    }
}

fn directive(format: &str) -> Result<String, FormatError> {
    let trimmed = format.trim();
    let Some(rest) = trimmed.strip_prefix("LogFormat").filter(|rest| rest.starts_with(char::is_whitespace))
    else {
        return Ok(trimmed.to_owned());
    };
    let quoted = rest.trim_start().strip_prefix('"').ok_or(FormatError::Quote)?;
    let end = quoted.rfind('"').ok_or(FormatError::Quote)?;
    Ok(quoted[..end].replace("\\\"", "\""))
}

/// The pieces of one `%…` directive, and how many bytes it takes.
fn directive_piece(text: &str, roles: &Roles) -> Result<(Vec<Piece>, usize), FormatError> {
    let broken = || FormatError::Variable(format!("%{}", text.chars().take(20).collect::<String>()));
    if text.starts_with('%') {
        return Ok((vec![Piece::Literal(b"%".to_vec())], 1));
    }
    let mut at = text.find(|c: char| !matches!(c, '<' | '>' | '!' | ',' | '0'..='9')).ok_or_else(broken)?;
    let mut argument = "";
    if text[at..].starts_with('{') {
        let end = text[at..].find('}').ok_or_else(broken)? + at;
        argument = &text[at + 1..end];
        at = end + 1;
    }
    let letter = text[at..].chars().next().filter(char::is_ascii).ok_or_else(broken)?;
    if letter == 't' && argument.is_empty() {
        let pieces = vec![
            Piece::Literal(b"[".to_vec()),
            Piece::Variable { role: Some(Role::Time), is_list: false },
            Piece::Literal(b"]".to_vec()),
        ];
        return Ok((pieces, at + 1));
    }
    let role = role_of(letter, argument, roles);
    Ok((vec![Piece::Variable { role, is_list: false }], at + letter.len_utf8()))
}

fn role_of(letter: char, argument: &str, roles: &Roles) -> Option<Role> {
    match letter {
        'r' => Some(Role::Request),
        'm' => Some(Role::Method),
        'U' => Some(Role::Path),
        's' => Some(Role::Status),
        'D' => Some(Role::Duration(Unit::Micros)),
        'T' => Some(Role::Duration(match argument {
            "ms" => Unit::Millis,
            "us" => Unit::Micros,
            _ => Unit::Seconds,
        })),
        't' => match argument.rsplit(':').next() {
            Some("sec" | "msec" | "usec") => Some(Role::Time),
            _ => None,
        },
        'v' | 'V' => roles.of("server_name"),
        'i' | 'o' | 'n' | 'e' => roles.of(argument),
        _ => None,
    }
}

//! nginx's `log_format`, as nginx writes it.

use super::config::FormatError;
use super::pattern::{Pattern, Piece};
use super::role::{Role, Roles};
use super::unescape::Escape;

/// nginx's predefined format.
pub const COMBINED: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status \
                            $body_bytes_sent \"$http_referer\" \"$http_user_agent\"";

/// Compiles a format: either the text between the quotes, or the whole directive with its quotes,
/// name and `escape=`, as it stands in `nginx.conf`.
pub(super) fn compile(format: &str, roles: &Roles) -> Result<Pattern, FormatError> {
    let (text, escape) = directive(format)?;
    let pieces = pieces(&text, roles)?;
    if !pieces.iter().any(|piece| matches!(piece, Piece::Variable { .. })) {
        return Err(FormatError::NoVariable);
    }
    Ok(Pattern::compile(pieces, escape, false))
}

/// Text and escaping of a `log_format …;` directive, or of a bare format.
fn directive(format: &str) -> Result<(String, Escape), FormatError> {
    let trimmed = format.trim();
    let Some(rest) = trimmed.strip_prefix("log_format").filter(|rest| rest.starts_with(char::is_whitespace))
    else {
        return Ok((trimmed.to_owned(), Escape::Hex));
    };
    let mut escape = Escape::Hex;
    let mut text = String::new();
    let mut rest = rest.trim_start();
    rest = rest.find(char::is_whitespace).map_or("", |end| rest[end..].trim_start());
    while let Some(first) = rest.chars().next() {
        match first {
            '\'' | '"' => {
                let end = closing(rest, first).ok_or(FormatError::Quote)?;
                text.push_str(&rest[1..end].replace("\\'", "'").replace("\\\"", "\""));
                rest = rest[end + 1..].trim_start();
            }
            ';' => break,
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || c == ';').unwrap_or(rest.len());
                match rest[..end].strip_prefix("escape=") {
                    Some("default") => escape = Escape::Hex,
                    Some("json") => escape = Escape::Backslash,
                    Some("none") => escape = Escape::None,
                    Some(other) => return Err(FormatError::Escape(other.to_owned())),
                    None => text.push_str(&rest[..end]),
                }
                rest = rest[end..].trim_start();
            }
        }
    }
    Ok((text, escape))
}

fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().skip(1).find_map(|(at, c)| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })
}

fn pieces(text: &str, roles: &Roles) -> Result<Vec<Piece>, FormatError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        if at > 0 {
            pieces.push(Piece::Literal(rest[..at].into()));
        }
        rest = &rest[at + 1..];
        let name;
        if let Some(braced) = rest.strip_prefix('{') {
            let end = braced.find('}').ok_or_else(|| FormatError::Variable(rest.to_owned()))?;
            (name, rest) = (&braced[..end], &braced[end + 1..]);
        } else {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            (name, rest) = rest.split_at(end);
        }
        if name.is_empty() {
            return Err(FormatError::Variable(format!("${rest}")));
        }
        let is_list = name.starts_with("upstream_");
        let role = roles.of(name).filter(|role| !is_shadowed(name, *role, text));
        pieces.push(Piece::Variable { role, is_list });
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest.into()));
    }
    Ok(pieces)
}

/// `$uri` is what nginx rewrote the target to, and `$time_local` is coarse: where the format also has
/// what says more, they are skipped.
fn is_shadowed(name: &str, role: Role, text: &str) -> bool {
    match role {
        Role::Path => name == "uri" && (text.contains("$request_uri") || text.contains("\"$request\"")),
        Role::Time => name != "msec" && text.contains("$msec"),
        _ => false,
    }
}

//! Text from outside on somebody's terminal, and tables.

use std::io::IsTerminal;

/// A text without anything that a terminal would obey or that would turn what is read around.
pub(in crate::commands) fn plain(text: &str) -> String {
    let escape = |c: char| {
        let is_turning =
            matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        c.is_control() || is_turning
    };
    text.chars().fold(String::with_capacity(text.len()), |mut plain, c| {
        match escape(c) {
            // As JSON writes it, so that JSON stays what it says.
            true => plain.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => plain.push(c),
        }
        plain
    })
}

/// The same of a text of several lines.
pub(super) fn plain_lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

/// Columns of standard output, if it is a terminal.
pub(in crate::commands) fn terminal_columns() -> Option<usize> {
    let out = std::io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(&out).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Prints a table; its last column is cut to the terminal. Cells are plain text.
pub(in crate::commands) fn table(head: &[&str], rows: &[Vec<String>], columns_max: Option<usize>) -> String {
    let last = head.len().saturating_sub(1);
    let widths: Vec<usize> = (0..last)
        .map(|at| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| width(cell));
            cells.chain([width(head[at])]).max().unwrap_or(0) + 2
        })
        .collect();
    let room = columns_max.map(|columns| columns.saturating_sub(widths.iter().sum()).max(12));
    let mut table = String::new();
    let heads: Vec<String> = head.iter().map(|&name| name.to_owned()).collect();
    for row in std::iter::once(&heads).chain(rows) {
        for (cell, wide) in row.iter().zip(&widths) {
            table.push_str(cell);
            table.push_str(&" ".repeat(wide.saturating_sub(width(cell))));
        }
        let cell = row.get(last).map_or("", String::as_str);
        table.push_str(&room.map_or_else(|| cell.to_owned(), |room| cut(cell, room)));
        table.push('\n');
    }
    table
}

/// A text of at most so many columns.
fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let (mut short, mut taken) = (String::new(), 1);
    for c in text.chars() {
        taken += wide(c);
        if taken > columns {
            break;
        }
        short.push(c);
    }
    short + "…"
}

fn width(text: &str) -> usize {
    text.chars().map(wide).sum()
}

/// Columns of a character, as far as tables need it: East Asian scripts take two.
const fn wide(c: char) -> usize {
    match c {
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' => 2,
        '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' => 2,
        '\u{1f300}'..='\u{1faff}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        assert_eq!(plain("a\u{1b}[2Jb\u{9b}c\u{202e}d결제"), "a\\u001b[2Jb\\u009bc\\u202ed결제");
        assert_eq!(plain_lines("a\n\u{7}b"), "a\n\\u0007b");
    }

    #[test]
    fn a_table_is_cut_to_the_terminal_in_its_last_column_only() {
        let rows = vec![
            vec!["1".to_owned(), "결제".to_owned(), "a long story of 결제 and more".to_owned()],
            vec!["20".to_owned(), "x".to_owned(), "short".to_owned()],
        ];
        let table = table(&["id", "what", "detail"], &rows, Some(26));
        assert_eq!(table, "id  what  detail\n1   결제  a long story of…\n20  x     short\n");
    }
}

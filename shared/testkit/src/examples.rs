//! Configuration files as they are shipped, with examples in comments.

/// The text with every example that stands in a comment taken in: a line such as `# spool:` or
/// `#   bytes_max: 1GiB`, told from prose by beginning with a key. An empty list that an example of
/// the same name follows (`channels: []`) gives way to it.
#[must_use]
pub fn uncommented(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let Some(example) = example(line) else {
            lines.push(line.to_owned());
            continue;
        };
        let empty = format!("{example} []");
        if let Some(at) = lines.iter().rposition(|known| *known == empty) {
            lines.remove(at);
        }
        lines.push(example);
    }
    lines.join("\n") + "\n"
}

/// The example that a comment holds.
fn example(line: &str) -> Option<String> {
    let (indent, rest) = line.split_once("# ").filter(|(indent, _)| indent.trim().is_empty())?;
    let item = rest.trim_start();
    let (key, value) = item.strip_prefix("- ").unwrap_or(item).split_once(':')?;
    let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let is_setting = value.is_empty() || value.starts_with(' ');
    (is_key && is_setting).then(|| format!("{indent}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_taken_in_and_prose_is_left() {
        let shipped = "# What is read: everything.\ninputs:\n  tail: []\n  # tail:\n  #   - name: a\n  #     \
                       paths: [/b]  # nginx\n# host: x\n";
        let wanted = "# What is read: everything.\ninputs:\n  tail:\n    - name: a\n      paths: [/b]  # nginx\nhost: \
                      x\n";
        assert_eq!(uncommented(shipped), wanted);
    }
}

//! Makes text from other systems safe to show.
//!
//! Rows contain text that attackers wrote: a process may be named after an escape sequence that rewrites the screen.
//! Anything that would control the terminal, or hide or reorder the text around it, is shown as an escape.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

/// The text with terminal controls written as escapes.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_active) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        push_visible(c, &mut out);
    }
    Cow::Owned(out)
}

fn push_visible(c: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if (c as u32) < 0x80 && is_active(c) => out.push_str(&format!("\\x{:02x}", c as u32)),
        c if is_active(c) => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
        c => out.push(c),
    }
}

/// Like [`visible`], but keeps line breaks and tabs.
pub(crate) fn visible_lines(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| is_active(c) && c != '\n' && c != '\t') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if c == '\n' || c == '\t' { out.push(c) } else { push_visible(c, &mut out) }
    }
    Cow::Owned(out)
}

/// Whether a character acts on the terminal instead of being shown.
fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Width of a visible text, in terminal columns.
pub(crate) fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().map(|c| c.width().unwrap_or(0)).sum() }
}

/// The text cut to a width; a cut text ends in `…`.
pub(crate) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if width(text) <= most {
        return Cow::Borrowed(text);
    }
    let mut used = 0;
    let mut out = String::new();
    for c in text.chars() {
        let next = c.width().unwrap_or(0);
        if used + next > most.saturating_sub(1) {
            break;
        }
        used += next;
        out.push(c);
    }
    out.push('…');
    Cow::Owned(out)
}

/// Lines of words that fit a width.
pub(crate) fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut().filter(|line| width(line) + 1 + width(word) <= most) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_shown() {
        for (text, shown) in [
            ("plain ünïcode 日本", "plain ünïcode 日本"),
            ("\u{1b}[2J\u{7}", "\\x1b[2J\\x07"),
            ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\x7f"),
            ("evil\u{202e}txt.exe", "evil\\u{202e}txt.exe"),
            ("zero\u{200b}width", "zero\\u{200b}width"),
        ] {
            assert_eq!(visible(text), shown);
        }
        assert_eq!(visible_lines("a\n\u{1b}b"), "a\n\\x1bb");
    }

    #[test]
    fn widths_and_cuts() {
        assert_eq!(width("日本"), 4);
        assert_eq!(width("e\u{301}"), 1);
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("abc", 0), "…");
        assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrapped("日本 日本", 4), ["日本", "日本"]);
        assert_eq!(wrapped("unbreakable a", 3), ["unbreakable", "a"]);
    }
}

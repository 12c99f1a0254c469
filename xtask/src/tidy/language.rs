//! Words that documentation and help texts do without.

use std::path::Path;

/// Words and phrases, with what to write instead.
const BANNED: [(&str, &str); 26] = [
    ("anew", "again"),
    ("anybody", "name the actor"),
    ("anybody's", "name the actor"),
    ("by and by", "gradually"),
    ("everybody", "name the actor"),
    ("fell silent", "stopped responding"),
    ("for good", "permanently"),
    ("henceforth", "from then on"),
    ("in so many words", "explicitly"),
    ("made anew", "rebuilt"),
    ("mend", "fix"),
    ("mended", "fixed"),
    ("mends", "fixes"),
    ("nobody", "name the actor"),
    ("nobody's", "name the actor"),
    ("passed over", "skipped"),
    ("passes over", "skips"),
    ("stands for", "represents"),
    ("takes note", "records"),
    ("take note", "record"),
    ("took note", "recorded"),
    ("thereof", "of it"),
    ("upkeep", "maintenance"),
    ("whence", "from where"),
    ("whoever", "name the actor"),
    ("whomever", "name the actor"),
];

/// One fault for each banned word in a Markdown file or in the comments of a Rust file.
pub(super) fn faults(name: &Path, text: &str) -> Vec<String> {
    let is_rust = name.extension().is_some_and(|it| it == "rs");
    let mut faults = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let prose = if is_rust { comment_of(line) } else { Some(line) };
        let Some(prose) = prose.map(words_of) else { continue };
        for (word, better) in BANNED {
            if prose.contains(&format!(" {word} ")) {
                let name = name.display();
                faults.push(format!("{name}:{}: `{word}`: better: {better}", number + 1));
            }
        }
    }
    faults
}

/// The text of a line that is a comment.
fn comment_of(line: &str) -> Option<&str> {
    let comment = line.trim_start().strip_prefix("//")?;
    Some(comment.trim_start_matches(['/', '!']))
}

/// The words in lower case, each between two spaces.
fn words_of(text: &str) -> String {
    let is_part = |it: char| it.is_alphanumeric() || it == '\'';
    let words = text.split(|it: char| !is_part(it)).filter(|word| !word.is_empty());
    let mut padded = " ".to_owned();
    for word in words {
        padded += &word.to_lowercase();
        padded.push(' ');
    }
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, text: &str, expected: &[&str]) {
        assert_eq!(faults(Path::new(name), text), expected);
    }

    #[test]
    fn banned_words_are_found_in_documentation_and_in_comments() {
        check("a.md", "It is built\nAnew.", &["a.md:2: `anew`: better: again"]);
        check("a.rs", "    /// Gone for good.", &["a.rs:1: `for good`: better: permanently"]);
    }

    #[test]
    fn code_and_parts_of_words_are_not() {
        check("a.rs", "let anew = \"anew\";", &[]);
        check("a.md", "Recommend an amendment for goods.", &[]);
    }
}

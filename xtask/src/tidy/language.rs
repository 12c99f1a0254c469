//! Words that documentation and help texts do without.

use std::path::Path;

/// Words and phrases, with what to write instead.
const BANNED: [(&str, &str); 25] = [
    ("anew", "again"),
    ("anybody", "name the actor"),
    ("anybody's", "name the actor"),
    ("by and by", "gradually"),
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

/// One fault for each banned word in a Markdown file, or in a comment or message of a Rust file.
pub(super) fn faults(name: &Path, text: &str) -> Vec<String> {
    let is_rust = name.extension().is_some_and(|it| it == "rs");
    let mut faults = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let prose = if is_rust { prose_of(line) } else { line.to_owned() };
        let prose = words_of(&prose);
        for (word, better) in BANNED {
            if prose.contains(&format!(" {word} ")) {
                let name = name.display();
                faults.push(format!("{name}:{}: `{word}`: better: {better}", number + 1));
            }
        }
    }
    faults
}

/// The comment of a line of Rust, or else what it has between quotes.
fn prose_of(line: &str) -> String {
    match line.trim_start().strip_prefix("//") {
        Some(comment) => comment.trim_start_matches(['/', '!']).to_owned(),
        None => line.split('"').skip(1).step_by(2).collect::<Vec<_>>().join(" "),
    }
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
    fn banned_words_are_found_in_documentation_comments_and_messages() {
        check("a.md", "It is built\nAnew.", &["a.md:2: `anew`: better: again"]);
        check("a.rs", "    /// Gone for good.", &["a.rs:1: `for good`: better: permanently"]);
        check("a.rs", "bail!(\"nobody listens\");", &["a.rs:1: `nobody`: better: name the actor"]);
    }

    #[test]
    fn code_and_parts_of_words_are_not() {
        check("a.rs", "let anew = anew();", &[]);
        check("a.md", "Recommend an amendment for goods.", &[]);
    }
}

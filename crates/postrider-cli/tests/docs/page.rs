//! A page of the documentation as a list of steps.

use std::fmt;

/// A comment of a page, invisible to readers, that tells how to run the next block.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Directive {
    /// `<!-- given: NAME, … -->`: what the page assumes; runs `given/NAME.sh` first.
    Given(Vec<String>),
    /// `<!-- not run: REASON -->`: the next block cannot run here.
    NotRun(String),
    /// `<!-- fails -->`: the last command of the next block fails.
    Fails,
    /// `<!-- terminal: NAME -->`: the next block runs in, or is the output of, another terminal.
    Terminal(String),
    /// `<!-- wait: CONDITION -->`: the next block runs once this command succeeds.
    Wait(String),
    /// `<!-- file: NAME -->`: the next block is saved as a file.
    File(String),
    /// `<!-- toolchain: COMMAND -->`: the blocks up to the next heading need this compiler, which
    /// the other tests do without. They run in a test of their own.
    Toolchain(String),
    /// `<!-- not output -->`: the next block is not the output of the one before.
    NotOutput,
    /// `<!-- setup`, and commands on the lines that follow, up to `-->`: run without being shown.
    Setup(String),
}

/// One thing to do.
#[derive(Debug, PartialEq)]
pub(crate) struct Step {
    /// The line of the page.
    pub(crate) line: usize,
    /// The compiler that it needs.
    pub(crate) toolchain: Option<String>,
    pub(crate) action: Action,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Action {
    /// Prepare what the page assumes.
    Given(String),
    /// Wait for a condition.
    Wait(String),
    /// Run commands in a terminal.
    Run { terminal: String, script: String, fails: bool },
    /// Compare the output of the last block of a terminal.
    Compare { terminal: String, text: String, is_json: bool },
    /// Write a file.
    Save { name: String, content: String },
    /// A block that does not run here, and why.
    Skip(String),
}

/// A mistake in a page.
#[derive(Debug)]
pub(crate) struct Mistake {
    line: usize,
    what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// The terminal of blocks without a directive.
pub(crate) const MAIN: &str = "main";

/// Reads a page.
pub(crate) fn read(text: &str) -> Result<Vec<Step>, Mistake> {
    let mut reader = Reader::default();
    let mut lines = text.lines().enumerate().map(|(index, text)| (index + 1, text));
    while let Some((line, text)) = lines.next() {
        let trimmed = text.trim_start();
        let mut rest = lines.by_ref().map(|(_, text)| text);
        if let Some(language) = trimmed.strip_prefix("```") {
            let indent = text.strip_suffix(trimmed).unwrap_or_default();
            let inner = rest.by_ref().take_while(|it| it.trim() != "```");
            let text =
                inner.map(|it| it.strip_prefix(indent).unwrap_or(it).to_owned() + "\n").collect();
            reader.block(line, language.trim(), text)?;
        } else if let Some(start) = trimmed.strip_prefix("<!--") {
            let comment = whole_comment(start, &mut rest);
            reader.directives.push(directive(line, &comment)?);
        } else {
            reader.prose(trimmed);
        }
    }
    reader.end_section();
    let left = reader.directives.first();
    left.map_or(Ok(reader.steps), |it| Err(mistake(0, format!("no block follows {it:?}"))))
}

fn mistake(line: usize, what: impl Into<String>) -> Mistake {
    Mistake { line, what: what.into() }
}

/// The text of a comment, which may go on over several lines.
fn whole_comment<'a>(start: &str, rest: &mut impl Iterator<Item = &'a str>) -> String {
    let mut text = start.to_owned();
    while !text.trim_end().ends_with("-->") {
        let Some(line) = rest.next() else { break };
        text = text + "\n" + line;
    }
    text.trim().trim_end_matches("-->").trim().to_owned()
}

fn directive(line: usize, comment: &str) -> Result<Directive, Mistake> {
    if let Some(commands) = comment.strip_prefix("setup\n") {
        return Ok(Directive::Setup(commands.to_owned()));
    }
    let (name, value) = comment.split_once(": ").unwrap_or((comment, ""));
    let owned = value.to_owned();
    Ok(match name {
        "given" => Directive::Given(value.split(", ").map(str::to_owned).collect()),
        "not run" if !value.is_empty() => Directive::NotRun(owned),
        "fails" => Directive::Fails,
        "terminal" => Directive::Terminal(owned),
        "wait" => Directive::Wait(owned),
        "file" => Directive::File(owned),
        "toolchain" => Directive::Toolchain(owned),
        "not output" => Directive::NotOutput,
        _ => return Err(mistake(line, format!("unknown directive {name:?}"))),
    })
}

#[derive(Default)]
struct Reader {
    steps: Vec<Step>,
    directives: Vec<Directive>,
    /// What the blocks of this section need.
    toolchain: Option<String>,
    /// Whether the last block of this section ran, so that the next may be its output.
    follows_run: bool,
    /// Whether only empty lines are between that block and this line.
    is_adjacent: bool,
}

impl Reader {
    fn prose(&mut self, text: &str) {
        if text.starts_with('#') {
            self.follows_run = false;
            self.end_section();
            self.toolchain = None;
        }
        if !text.is_empty() {
            self.is_adjacent = false;
        }
    }

    /// Takes the setup after the last block of the section.
    fn end_section(&mut self) {
        for directive in std::mem::take(&mut self.directives) {
            if let Directive::Setup(_) = directive {
                self.apply(0, directive, &mut How::default());
            } else {
                self.directives.push(directive);
            }
        }
    }

    fn step(&mut self, line: usize, action: Action) {
        self.steps.push(Step { line, toolchain: self.toolchain.clone(), action });
    }

    fn block(&mut self, line: usize, language: &str, text: String) -> Result<(), Mistake> {
        let mut how = How::default();
        for directive in std::mem::take(&mut self.directives) {
            self.apply(line, directive, &mut how);
        }
        let follows_run = std::mem::take(&mut self.follows_run);
        let is_adjacent = std::mem::replace(&mut self.is_adjacent, true);
        let terminal = how.terminal.unwrap_or_else(|| MAIN.to_owned());
        if let Some(reason) = how.not_run {
            self.step(line, Action::Skip(reason));
        } else if let Some(name) = how.file {
            self.step(line, Action::Save { name, content: text });
        } else {
            match language {
                "sh" => {
                    self.follows_run = true;
                    self.step(line, Action::Run { terminal, script: text, fails: how.fails });
                },
                "text" | "json" if follows_run && !how.not_output => {
                    let is_json = language == "json";
                    if is_json && !is_adjacent {
                        return Ok(());
                    }
                    self.follows_run = true;
                    self.step(line, Action::Compare { terminal, text, is_json });
                },
                "console" | "bash" | "shell" => {
                    return Err(mistake(line, "commands are in blocks of the language sh"));
                },
                _ => {},
            }
        }
        Ok(())
    }

    fn apply(&mut self, line: usize, directive: Directive, how: &mut How) {
        match directive {
            Directive::Given(names) => {
                for name in names {
                    self.step(line, Action::Given(name));
                }
            },
            Directive::NotRun(reason) => how.not_run = Some(reason),
            Directive::Fails => how.fails = true,
            Directive::Terminal(name) => how.terminal = Some(name),
            Directive::Wait(condition) => self.step(line, Action::Wait(condition)),
            Directive::File(name) => how.file = Some(name),
            Directive::NotOutput => how.not_output = true,
            Directive::Toolchain(command) => self.toolchain = Some(command),
            Directive::Setup(script) => {
                let terminal = MAIN.to_owned();
                self.step(line, Action::Run { terminal, script, fails: false });
            },
        }
    }
}

/// What the directives say about one block.
#[derive(Default)]
struct How {
    not_run: Option<String>,
    fails: bool,
    terminal: Option<String>,
    file: Option<String>,
    not_output: bool,
}

#[test]
fn a_page_is_read_as_steps() {
    let text = "# Page\n<!-- given: server -->\n```sh\nls\n```\nIt prints:\n```text\na\n```\n\
                <!-- not run: no cluster -->\n```sh\nkubectl\n```\n\
                <!-- terminal: other -->\n<!-- fails -->\n```sh\nfalse\n```\n## Next\n```text\nb\n```\n";
    let main = MAIN.to_owned();
    let actions = [
        Action::Given("server".into()),
        Action::Run { terminal: main.clone(), script: "ls\n".into(), fails: false },
        Action::Compare { terminal: main, text: "a\n".into(), is_json: false },
        Action::Skip("no cluster".into()),
        Action::Run { terminal: "other".into(), script: "false\n".into(), fails: true },
    ];
    let read = read(text).unwrap().into_iter().map(|it| it.action).collect::<Vec<_>>();
    assert_eq!(read, actions);
}

#[test]
fn a_toolchain_is_that_of_its_section() {
    let text = "```sh\nls\n```\n## Go\n<!-- toolchain: go -->\n```go\nx\n```\n```sh\ngo\n```\n\
                ```text\n1\n```\n<!-- setup\ngo x\n-->\n## Next\n```sh\nls\n```\n";
    let toolchains = read(text).unwrap().into_iter().map(|it| it.toolchain).collect::<Vec<_>>();
    let go = Some("go".to_owned());
    assert_eq!(toolchains, [None, go.clone(), go.clone(), go, None]);
}

#[test]
fn a_mistake_in_a_page_names_its_line() {
    let check = |text, line| assert_eq!(read(text).unwrap_err().line, line, "{text}");
    check("x\n```console\n$ ls\n```\n", 2);
    check("x\n\n<!-- nto run: x -->\n```sh\nls\n```\n", 3);
    check("<!-- fails -->\n", 0);
}

//! How long files and functions are, their unit tests aside.

use std::path::Path;

use anyhow::Context;
// Its feature `span-locations` tells the lines of syn's spans.
use proc_macro2 as _;
use syn::{ImplItemFn, ItemFn, TraitItemFn, visit::Visit};

use super::modules::is_test;

/// The longest file.
const MAX_LINES: usize = 600;

/// The median of all files.
const MEDIAN_LINES: usize = 150;

/// The longest function, from its signature to its closing brace.
const MAX_FUNCTION: usize = 70;

/// The median of all functions.
const MEDIAN_FUNCTION: usize = 9;

/// The sizes of all files.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    files: Vec<usize>,
    functions: Vec<usize>,
    faults: Vec<String>,
}

impl Sizes {
    /// Measures a file.
    pub(super) fn measure(&mut self, name: &Path, text: &str) -> anyhow::Result<()> {
        if name.ends_with("tests.rs") || name.iter().any(|part| part == "tests") {
            return Ok(());
        }
        let parsed = syn::parse_file(text).with_context(|| name.display().to_string())?;
        let mut functions = Functions::default();
        functions.visit_file(&parsed);
        let lines = code_of(text).lines().count();
        self.check(name, lines, &functions.found);
        Ok(())
    }

    fn check(&mut self, name: &Path, lines: usize, functions: &[(String, usize)]) {
        let name = name.display();
        if lines > MAX_LINES {
            self.faults.push(format!("{name}: {lines} lines, {MAX_LINES} at most"));
        }
        let long = functions.iter().filter(|(_, lines)| *lines > MAX_FUNCTION);
        self.faults.extend(long.map(|(function, lines)| {
            format!("{name}: `{function}` has {lines} lines, {MAX_FUNCTION} at most")
        }));
        self.files.push(lines);
        self.functions.extend(functions.iter().map(|(_, lines)| lines));
    }

    /// The medians and maxima on one line.
    pub(super) fn summary(&mut self) -> String {
        let longest = |sizes: &[usize]| sizes.iter().max().copied().unwrap_or_default();
        let (files, functions) = (self.files.len(), self.functions.len());
        let lines = self.files.iter().sum::<usize>();
        format!(
            "{lines} lines in {files} files (median {}, longest {}), {functions} functions \
             (median {}, longest {})",
            median(&mut self.files),
            longest(&self.files),
            median(&mut self.functions),
            longest(&self.functions)
        )
    }

    pub(super) fn faults(mut self) -> Vec<String> {
        let files = median(&mut self.files);
        if files > MEDIAN_LINES {
            let fault = format!("the median file has {files} lines, {MEDIAN_LINES} at most");
            self.faults.push(fault);
        }
        let functions = median(&mut self.functions);
        if functions > MEDIAN_FUNCTION {
            let fault =
                format!("the median function has {functions} lines, {MEDIAN_FUNCTION} at most");
            self.faults.push(fault);
        }
        self.faults
    }
}

/// The file without the unit tests at its end.
pub(super) fn code_of(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

fn median(sizes: &mut [usize]) -> usize {
    sizes.sort_unstable();
    sizes.get(sizes.len() / 2).copied().unwrap_or_default()
}

/// Names and lengths of functions.
#[derive(Default)]
struct Functions {
    found: Vec<(String, usize)>,
}

impl Functions {
    fn add(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let start = signature.fn_token.span.start().line;
        let lines = block.brace_token.span.close().end().line + 1 - start;
        self.found.push((signature.ident.to_string(), lines));
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_test(&module.attrs) {
            syn::visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.add(&function.sig, &function.block);
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.add(&function.sig, &function.block);
        syn::visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(block) = &function.default {
            self.add(&function.sig, block);
        }
        syn::visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mut sizes = Sizes::default();
        sizes.measure(Path::new("a.rs"), text).unwrap();
        assert_eq!(sizes.faults, expected);
    }

    #[test]
    fn long_files_are_faults_and_their_tests_do_not_count() {
        check(&"\n".repeat(600), &[]);
        check(&"\n".repeat(601), &["a.rs: 601 lines, 600 at most"]);
        check(&format!("\n#[cfg(test)]\nmod tests {{{}}}", "\n".repeat(601)), &[]);
    }

    #[test]
    fn long_functions_are_faults() {
        let function = |lines: usize| format!("impl A {{ fn f() {{{}}} }}", "\n".repeat(lines - 1));
        check(&function(70), &[]);
        check(&function(71), &["a.rs: `f` has 71 lines, 70 at most"]);
    }

    #[test]
    fn the_medians_are_checked() {
        let mut sizes = Sizes::default();
        sizes.measure(Path::new("a.rs"), &"\n".repeat(151)).unwrap();
        assert_eq!(sizes.faults(), ["the median file has 151 lines, 150 at most"]);
    }
}

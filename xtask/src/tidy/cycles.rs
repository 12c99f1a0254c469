//! Cycles of imports between the files of a crate.
//!
//! A file imports another if it names something that the other one declares, through any number
//! of re-exports. Declaring a module (`mod a;`) and re-exporting a name are not imports.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::modules::{ModuleIndex, Modules};

/// The files that each file imports.
type Imports = BTreeMap<PathBuf, BTreeSet<PathBuf>>;

/// Re-exports that are followed from one name to the next; more of them are a loop.
const MAX_STEPS: usize = 16;

/// One fault for each set of files that import each other.
pub(super) fn faults(modules: &Modules, workspace: &Path) -> Vec<String> {
    let imports = imports(modules);
    cycles(&imports).iter().map(|files| describe(files, &imports, workspace)).collect()
}

fn imports(modules: &Modules) -> Imports {
    let mut imports = Imports::new();
    for (index, module) in modules.all.iter().enumerate() {
        // A module that only passes a name on does not depend on it.
        let used = module.imports.iter().filter(|import| !import.is_export);
        let used = used.map(|import| &import.path).chain(&module.paths);
        let found = used.filter_map(|path| modules.declaring(index, path, MAX_STEPS));
        let files = found.map(|found| modules.all[found].file.clone());
        let files: BTreeSet<_> = files.filter(|file| *file != module.file).collect();
        imports.entry(module.file.clone()).or_default().extend(files);
    }
    imports
}

impl Modules {
    /// The module that declares what the path names, seen from a module; none if that is in
    /// another crate.
    fn declaring(&self, from: ModuleIndex, path: &[String], steps: usize) -> Option<ModuleIndex> {
        let (first, rest) = path.split_first()?;
        let steps = steps.checked_sub(1)?;
        match first.as_str() {
            "crate" => self.within(0, rest, steps),
            "self" => self.within(from, rest, steps),
            "super" => self.within(self.all[from].parent?, rest, steps),
            // A name alone is never a module: it can be that of a variable.
            _ if rest.is_empty() => self.imported(from, path, steps),
            name => match self.all[from].children.get(name) {
                Some(&child) => self.within(child, rest, steps),
                None => self.imported(from, path, steps),
            },
        }
    }

    /// The same for a path that begins in a module.
    fn within(&self, module: ModuleIndex, path: &[String], steps: usize) -> Option<ModuleIndex> {
        let Some((first, rest)) = path.split_first() else { return Some(module) };
        if first == "super" {
            return self.within(self.all[module].parent?, rest, steps);
        }
        if let Some(&child) = self.all[module].children.get(first) {
            return self.within(child, rest, steps);
        }
        if self.all[module].declared.contains(first) {
            return Some(module);
        }
        self.imported(module, path, steps)
    }

    /// The same for a path whose first name a module imports.
    fn imported(&self, module: ModuleIndex, path: &[String], steps: usize) -> Option<ModuleIndex> {
        let (first, rest) = path.split_first()?;
        let imports = &self.all[module].imports;
        let named = imports.iter().filter(|import| import.name == *first && import.path != path);
        let named = named.map(|import| import.path.iter().chain(rest).cloned().collect::<Vec<_>>());
        let globs = imports.iter().filter(|import| import.name == "*");
        let globs = globs.map(|import| import.path.iter().chain(path).cloned().collect());
        named.chain(globs).find_map(|path| self.declaring(module, &path, steps.checked_sub(1)?))
    }
}

/// Sets of files of which each imports all others, at least indirectly.
fn cycles(imports: &Imports) -> Vec<BTreeSet<&PathBuf>> {
    let reached: BTreeMap<_, _> =
        imports.keys().map(|file| (file, reachable(imports, file))).collect();
    let mut cycles = BTreeSet::new();
    for (&file, ahead) in &reached {
        if ahead.contains(file) {
            let both = ahead.iter().copied().filter(|other| reached[other].contains(file));
            cycles.insert(both.collect::<BTreeSet<_>>());
        }
    }
    cycles.into_iter().collect()
}

fn reachable<'a>(imports: &'a Imports, from: &PathBuf) -> BTreeSet<&'a PathBuf> {
    let mut reached = BTreeSet::new();
    let mut ahead: Vec<_> = imports[from].iter().collect();
    while let Some(file) = ahead.pop() {
        if reached.insert(file) {
            ahead.extend(&imports[file]);
        }
    }
    reached
}

/// The files of a cycle, each with those of them that it imports.
fn describe(files: &BTreeSet<&PathBuf>, imports: &Imports, workspace: &Path) -> String {
    let name = |file: &Path| file.strip_prefix(workspace).unwrap_or(file).display().to_string();
    let mut text = format!("{} files import each other:", files.len());
    for file in files {
        let others = imports[*file].iter().filter(|other| files.contains(other));
        let others: Vec<_> = others.map(|other| name(other)).collect();
        text.extend(["\n    ", &name(file), " imports ", &others.join(", ")]);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Reads a crate with these files and returns its faults.
    fn faults_of(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        faults(&Modules::read(&folder.path().join("lib.rs")).unwrap(), folder.path())
    }

    #[test]
    fn a_line_of_imports_is_no_cycle() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use a::A;"),
            ("a.rs", "use crate::b::B; pub struct A(B);"),
            ("b.rs", "pub struct B;"),
        ];
        assert_eq!(faults_of(&files), [""; 0]);
    }

    #[test]
    fn files_that_import_each_other_are_a_cycle() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::B; pub struct A(B);"),
            ("b.rs", "pub struct B; fn f() { crate::a::A::new(); }"),
        ];
        let cycle = "2 files import each other:\n    a.rs imports b.rs\n    b.rs imports a.rs";
        assert_eq!(faults_of(&files), [cycle]);
    }

    #[test]
    fn a_re_export_leads_to_the_file_that_declares_the_name() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use a::A; pub use b::*;"),
            ("a.rs", "use crate::B; pub struct A(B);"),
            ("b.rs", "use crate::A; pub struct B(A);"),
        ];
        assert_eq!(faults_of(&files).len(), 1);
    }

    #[test]
    fn a_child_and_its_parent_that_need_each_other_are_a_cycle() {
        let files = [
            ("lib.rs", "mod a;"),
            ("a.rs", "mod b; use self::b::B; pub struct A(B);"),
            ("a/b.rs", "use super::A; pub struct B;"),
        ];
        assert_eq!(faults_of(&files).len(), 1);
        let line = [
            ("lib.rs", "mod a;"),
            ("a.rs", "mod b; pub struct A;"),
            ("a/b.rs", "use super::A; impl A { fn f(&self) {} }"),
        ];
        assert_eq!(faults_of(&line), [""; 0]);
    }

    #[test]
    fn unit_tests_may_import_what_they_like() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::B; pub struct A(B);"),
            ("b.rs", "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }"),
        ];
        assert_eq!(faults_of(&files), [""; 0]);
    }
}

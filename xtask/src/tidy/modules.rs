//! The modules of a crate: which file contains each of them, which names it declares, and which
//! names it imports.
//!
//! Unit tests are left out: they may import what they like.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use syn::{Attribute, Item, ItemUse, UseTree, Visibility, visit::Visit};

/// The index of a module in [`Modules::all`]; the crate's root is 0.
pub(super) type ModuleIndex = usize;

/// All modules of a crate.
#[derive(Debug, Default)]
pub(super) struct Modules {
    pub all: Vec<Module>,
}

/// One module.
#[derive(Debug)]
pub(super) struct Module {
    pub file: PathBuf,
    pub parent: Option<ModuleIndex>,
    pub children: HashMap<String, ModuleIndex>,
    /// Names of the types, functions, constants and macros that it declares.
    pub declared: HashSet<String>,
    pub imports: Vec<Import>,
    /// Paths in the code itself, names alone among them.
    pub paths: Vec<Vec<String>>,
}

/// A name that a `use` brings into a module.
#[derive(Debug)]
pub(super) struct Import {
    /// The name in this module; `*` for all that the path has.
    pub name: String,
    pub path: Vec<String>,
    /// Whether others get the name from here.
    pub is_export: bool,
}

impl Modules {
    /// Reads the module in `root` and all below it.
    pub(super) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut modules = Self::default();
        let folder = root.parent().context("a source file is in a folder")?;
        modules.read_file(root, folder, None)?;
        Ok(modules)
    }

    /// `folder` is where the files of the module's children are.
    fn read_file(
        &mut self,
        file: &Path,
        folder: &Path,
        parent: Option<ModuleIndex>,
    ) -> anyhow::Result<ModuleIndex> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let parsed = syn::parse_file(&text).with_context(|| file.display().to_string())?;
        self.add(file, folder, parent, &parsed.items)
    }

    fn add(
        &mut self,
        file: &Path,
        folder: &Path,
        parent: Option<ModuleIndex>,
        items: &[Item],
    ) -> anyhow::Result<ModuleIndex> {
        let index = self.all.len();
        self.all.push(Module {
            file: file.to_owned(),
            parent,
            children: HashMap::new(),
            declared: HashSet::new(),
            imports: Vec::new(),
            paths: Vec::new(),
        });
        for item in items.iter().filter(|item| !is_test(attributes(item))) {
            if let Item::Mod(module) = item {
                let name = module.ident.to_string();
                let below = folder.join(&name);
                let child = match &module.content {
                    Some((_, items)) => self.add(file, &below, Some(index), items)?,
                    None => self.read_file(&below.with_extension("rs"), &below, Some(index))?,
                };
                self.all[index].children.insert(name, child);
            } else {
                self.all[index].take(item);
            }
        }
        Ok(index)
    }
}

impl Module {
    /// Records what an item declares, imports and names.
    fn take(&mut self, item: &Item) {
        if let Item::Use(used) = item {
            self.imports.extend(imports(used));
            return;
        }
        self.declared.extend(declared(item));
        let mut paths = Paths::default();
        paths.visit_item(item);
        self.imports.extend(paths.imports);
        self.paths.extend(paths.found);
    }
}

/// The paths in code and in macros' arguments, and the imports within functions.
#[derive(Default)]
struct Paths {
    found: Vec<Vec<String>>,
    imports: Vec<Import>,
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.found.push(path.segments.iter().map(|it| it.ident.to_string()).collect());
        }
        syn::visit::visit_path(self, path);
    }

    /// `pub(super)` names no item.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_item_use(&mut self, used: &'ast ItemUse) {
        self.imports.extend(imports(used));
    }
}

fn imports(used: &ItemUse) -> Vec<Import> {
    let mut found = Vec::new();
    collect(&used.tree, &mut Vec::new(), &mut found);
    let is_export = !matches!(used.vis, Visibility::Inherited);
    let named = found.into_iter();
    named.map(|(name, path)| Import { name, path, is_export }).collect()
}

/// Flattens `a::{b, c as d}` into the path of each name.
fn collect(tree: &UseTree, prefix: &mut Vec<String>, into: &mut Vec<(String, Vec<String>)>) {
    let mut add = |name: String, last: Option<String>| {
        // `use a::b::{self}` imports `b`.
        let last = last.filter(|it| it != "self" || prefix.is_empty());
        let path: Vec<_> = prefix.iter().cloned().chain(last).collect();
        let is_self = name == "self" && !prefix.is_empty();
        let name = if is_self { path.last().cloned().unwrap_or(name) } else { name };
        into.push((name, path));
    };
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            collect(&path.tree, prefix, into);
            prefix.pop();
        },
        UseTree::Name(name) => add(name.ident.to_string(), Some(name.ident.to_string())),
        UseTree::Rename(name) => add(name.rename.to_string(), Some(name.ident.to_string())),
        UseTree::Glob(_) => add("*".to_owned(), None),
        UseTree::Group(group) => {
            for tree in &group.items {
                collect(tree, prefix, into);
            }
        },
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "no other item declares a name")]
fn declared(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(it) => &it.ident,
        Item::Enum(it) => &it.ident,
        Item::Fn(it) => &it.sig.ident,
        Item::Macro(it) => it.ident.as_ref()?,
        Item::Static(it) => &it.ident,
        Item::Struct(it) => &it.ident,
        Item::Trait(it) => &it.ident,
        Item::Type(it) => &it.ident,
        Item::Union(it) => &it.ident,
        _ => return None,
    };
    Some(name.to_string())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "other items are not for tests alone")]
fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

/// Whether the item exists in tests only.
pub(super) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|it| it.is_ident("test"))
    })
}

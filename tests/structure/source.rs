//! The crate's modules, read from its sources: items, types and references, without tests.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::{Attribute, Item};

use crate::paths::PathReader;

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The segments of a path: `["net", "naming"]` for `crate::net::naming`.
pub(crate) type Segments = Vec<String>;

pub(crate) struct Module {
    /// The path of the file, relative to the package.
    pub(crate) file: PathBuf,
    items: Vec<Item>,
    /// Names brought in by `use`, with the paths that they stand for.
    imports: BTreeMap<String, Segments>,
    /// Paths of modules whose items are all brought in.
    globs: Vec<Segments>,
    references: Vec<(usize, Segments)>,
}

/// A path in the code, resolved to the module that declares its item.
pub(crate) struct Reference<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: String,
    pub(crate) file: &'a Path,
    pub(crate) line: usize,
}

/// A type at the level of a module.
pub(crate) struct Type<'a> {
    pub(crate) name: String,
    pub(crate) file: &'a Path,
    pub(crate) line: usize,
}

/// Every module outside tests by its path; the library's root is "" and the binary is `main`.
pub(crate) struct Sources {
    pub(crate) modules: BTreeMap<String, Module>,
    /// Files that belong to a module of tests.
    tests: BTreeSet<PathBuf>,
}

impl Sources {
    pub(crate) fn read() -> Self {
        let mut sources = Self {
            modules: BTreeMap::new(),
            tests: BTreeSet::new(),
        };
        sources.load(vec![], &root().join("src/lib.rs"), &root().join("src"));
        let main = vec!["main".to_owned()];
        sources.load(main, &root().join("src/main.rs"), &root().join("src"));
        let names: BTreeSet<String> = sources.modules.keys().cloned().collect();
        for (path, module) in &mut sources.modules {
            let reader = PathReader::read(split(path), &names, &module.items);
            module.references = reader.found;
            module.imports = reader.imports;
            module.globs = reader.globs;
        }
        sources
    }

    /// Reads a file and the files of the modules that it declares.
    fn load(&mut self, path: Segments, file: &Path, folder: &Path) {
        let text = fs::read_to_string(file).expect("a declared module has a file");
        let parsed = syn::parse_file(&text).expect("the crate compiles");
        self.add(path, file, folder, parsed.items);
    }

    fn add(&mut self, path: Segments, file: &Path, folder: &Path, items: Vec<Item>) {
        let mut own = Vec::new();
        for item in items {
            let Item::Mod(module) = item else {
                own.push(item);
                continue;
            };
            let name = module.ident.to_string();
            let below = [&path[..], std::slice::from_ref(&name)].concat();
            let inner = folder.join(&name);
            let named = [folder.join(format!("{name}.rs")), inner.join("mod.rs")];
            let named = named.into_iter().find(|file| file.exists());
            match (is_test(&module.attrs), module.content, named) {
                (false, Some((_, items)), _) => self.add(below, file, &inner, items),
                (false, None, named) => {
                    let named = named.unwrap_or_else(|| panic!("no file for {}", below.join("::")));
                    self.load(below, &named, &inner);
                }
                (true, None, Some(named)) => {
                    self.tests.insert(named);
                    self.tests.extend(rust_files(&inner));
                }
                (true, ..) => {}
            }
        }
        let module = Module {
            file: relative(file),
            items: own,
            imports: BTreeMap::new(),
            globs: Vec::new(),
            references: Vec::new(),
        };
        self.modules.insert(path.join("::"), module);
    }

    /// Files in `src` that no module outside tests is read from, and that are no tests either.
    pub(crate) fn unread(&self) -> Vec<PathBuf> {
        let read: BTreeSet<&Path> = self.modules.values().map(|m| &*m.file).collect();
        let mut files = rust_files(&root().join("src"));
        files.retain(|file| !self.tests.contains(file) && !read.contains(&*relative(file)));
        files
    }

    pub(crate) fn references(&self) -> Vec<Reference<'_>> {
        let mut all = Vec::new();
        for (from, module) in &self.modules {
            for (line, path) in &module.references {
                let to = self.declaring_module(path, 0);
                // Within one module nothing is imported.
                if to != *from {
                    all.push(Reference {
                        from,
                        to,
                        file: &module.file,
                        line: *line,
                    });
                }
            }
        }
        all.sort_by_key(|reference| (reference.file, reference.line, reference.to.clone()));
        all.dedup_by_key(|reference| (reference.file, reference.line, reference.to.clone()));
        all
    }

    /// The module that declares the item with this path, whichever module re-exports it.
    fn declaring_module(&self, path: &[String], depth: usize) -> String {
        let known = |n: &usize| self.modules.contains_key(&path[..*n].join("::"));
        let length = (0..=path.len()).rev().find(known).unwrap_or(0);
        let module = path[..length].join("::");
        let Some(name) = path.get(length) else {
            return module;
        };
        let found = &self.modules[&module];
        if depth > 8 || found.declares(name) {
            return module;
        }
        if let Some(origin) = found.imports.get(name) {
            let origin = [origin, &path[length + 1..]].concat();
            return self.declaring_module(&origin, depth + 1);
        }
        for glob in &found.globs {
            let origin = [glob, &path[length..]].concat();
            let declared = self.declaring_module(&origin, depth + 1);
            if self.modules[&declared].declares(name) {
                return declared;
            }
        }
        module
    }

    pub(crate) fn types(&self) -> Vec<Type<'_>> {
        let mut types = Vec::new();
        for module in self.modules.values() {
            for item in &module.items {
                let ident = match item {
                    Item::Struct(item) => &item.ident,
                    Item::Enum(item) => &item.ident,
                    Item::Union(item) => &item.ident,
                    Item::Trait(item) => &item.ident,
                    Item::Type(item) => &item.ident,
                    _ => continue,
                };
                if !is_test(attributes(item)) {
                    types.push(Type {
                        name: ident.to_string(),
                        file: &module.file,
                        line: ident.span().start().line,
                    });
                }
            }
        }
        types
    }
}

impl Module {
    fn declares(&self, name: &str) -> bool {
        self.items.iter().any(|item| match item {
            Item::Struct(item) => item.ident == name,
            Item::Enum(item) => item.ident == name,
            Item::Union(item) => item.ident == name,
            Item::Trait(item) => item.ident == name,
            Item::Type(item) => item.ident == name,
            Item::Const(item) => item.ident == name,
            Item::Static(item) => item.ident == name,
            Item::Fn(item) => item.sig.ident == name,
            Item::Macro(item) => item.ident.as_ref().is_some_and(|ident| ident == name),
            _ => false,
        })
    }
}

pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// True under `#[cfg(test)]`, `#[cfg(all(test, …))]` and `#[cfg(doctest)]`.
pub(crate) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else {
            return false;
        };
        let condition = list.tokens.to_string();
        let mut words = condition.split(|c: char| !c.is_alphanumeric());
        list.path.is_ident("cfg")
            && !condition.contains("not")
            && words.any(|word| word == "test" || word == "doctest")
    })
}

/// All Rust files below a folder, in order.
pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = files(folder);
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    files
}

/// All files below a folder, in order; none if there is no such folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

pub(crate) fn relative(file: &Path) -> PathBuf {
    file.strip_prefix(root()).unwrap_or(file).to_owned()
}

fn split(path: &str) -> Segments {
    path.split("::")
        .filter(|segment| !segment.is_empty())
        .map(str::to_owned)
        .collect()
}

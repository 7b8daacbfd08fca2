//! The paths in the code of a module: imports, inline paths and paths in the arguments of macros.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, Item, UseTree, visit::Visit};

use crate::source::{Segments, attributes, is_test};

/// The crate's own name, as its binary imports it.
const LIBRARY: &str = "distro_tui";

/// Collects the paths in a module that lead to a module of the crate.
pub(crate) struct PathReader<'a> {
    module: Segments,
    modules: &'a BTreeSet<String>,
    /// The paths, each with its line.
    pub(crate) found: Vec<(usize, Segments)>,
    /// Names brought in by `use`, with the paths that they stand for.
    pub(crate) imports: BTreeMap<String, Segments>,
    /// Paths of modules whose items are all brought in.
    pub(crate) globs: Vec<Segments>,
}

impl<'a> PathReader<'a> {
    /// Reads the items of `module`; `modules` are all modules of the crate.
    pub(crate) fn read(module: Segments, modules: &'a BTreeSet<String>, items: &[Item]) -> Self {
        let mut reader = Self {
            module,
            modules,
            found: Vec::new(),
            imports: BTreeMap::new(),
            globs: Vec::new(),
        };
        // Imports first: code may use a name above the line that imports it.
        for item in items {
            if let Item::Use(item) = item
                && !is_test(&item.attrs)
            {
                reader.visit_item_use(item);
            }
        }
        reader.found.clear();
        reader.globs.clear();
        for item in items {
            reader.visit_item(item);
        }
        reader
    }

    /// A path as written, from the crate's root; `None` if it leads out of the crate.
    fn absolute(&self, written: &[String]) -> Option<Segments> {
        let (first, rest) = written.split_first()?;
        let child = [&self.module[..], std::slice::from_ref(first)].concat();
        let mut base = match first.as_str() {
            "crate" => vec![],
            LIBRARY if self.module.first().is_some_and(|name| name == "main") => vec![],
            "self" => self.module.clone(),
            "super" => {
                let mut parent = self.module.clone();
                parent.pop();
                parent
            }
            name if self.imports.contains_key(name) => self.imports[name].clone(),
            _ if self.modules.contains(&child.join("::")) => child,
            _ => return None,
        };
        for segment in rest {
            match segment.as_str() {
                "super" => drop(base.pop()),
                "self" => {}
                segment => base.push(segment.to_owned()),
            }
        }
        Some(base)
    }

    fn note(&mut self, line: usize, written: &[String]) {
        if let Some(path) = self.absolute(written) {
            self.found.push((line, path));
        }
    }

    fn use_tree(&mut self, prefix: &mut Segments, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.use_tree(prefix, &path.tree);
                prefix.pop();
            }
            UseTree::Name(name) => self.imported(prefix, &name.ident, &name.ident),
            UseTree::Rename(rename) => self.imported(prefix, &rename.ident, &rename.rename),
            UseTree::Glob(glob) => {
                self.note(glob.star_token.spans[0].start().line, prefix);
                if let Some(path) = self.absolute(prefix) {
                    self.globs.push(path);
                }
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.use_tree(prefix, tree);
                }
            }
        }
    }

    fn imported(&mut self, prefix: &[String], name: &syn::Ident, local: &syn::Ident) {
        let mut written = prefix.to_vec();
        let mut local = local.to_string();
        if name == "self" {
            if local == "self" {
                local = prefix.last().cloned().unwrap_or_default();
            }
        } else {
            written.push(name.to_string());
        }
        self.note(name.span().start().line, &written);
        if let Some(path) = self.absolute(&written) {
            self.imports.insert(local, path);
        }
    }

    /// Paths in the arguments of a macro, which the parser leaves as tokens.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut written: Segments = Vec::new();
        let (mut line, mut colons) = (0, 0);
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.token_path(line, &mut written);
                        line = ident.span().start().line;
                    }
                    written.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.token_path(line, &mut written);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.token_path(line, &mut written);
    }

    fn token_path(&mut self, line: usize, written: &mut Segments) {
        let written = std::mem::take(written);
        if written.len() > 1 {
            self.note(line, &written);
        }
    }
}

impl<'ast> Visit<'ast> for PathReader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(attributes(item)) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            syn::visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.use_tree(&mut Vec::new(), &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let written: Segments = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if let (Some(first), 2..) = (path.segments.first(), written.len()) {
            self.note(first.ident.span().start().line, &written);
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.visit_path(&called.path);
        self.tokens(called.tokens.clone());
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}
}

//! Each module of the core uses only those before it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Lowest first; modules of one row do not use each other.
const LAYERS: &[&[&str]] = &[
    &["units", "error", "precision"],
    &["simulate"],
    &["fabric", "model", "facility", "reliability", "supply"],
    &["chain", "cost", "draw", "hall"],
    &["workload"],
    &["hardware"],
    &["network"],
    &["collective", "kernel"],
    &["plant"],
    &["training", "serving"],
    &["problem"],
    &["detail", "evaluate"],
    &["search", "service"],
    &["sampling", "wire"],
    &["many"],
];

fn sources(path: &Path, found: &mut Vec<(String, String)>, module: &str) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            sources(&entry.unwrap().path(), found, module);
        }
    } else {
        found.push((module.to_string(), fs::read_to_string(path).unwrap()));
    }
}

#[test]
fn modules_use_only_those_before_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut modules = BTreeSet::new();
    for entry in fs::read_dir(&root).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_string_lossy().to_string();
        if module != "lib" {
            sources(&path, &mut files, &module);
            modules.insert(module);
        }
    }
    let rank = |name: &str| LAYERS.iter().position(|layer| layer.contains(&name));
    for module in &modules {
        assert!(rank(module).is_some(), "module {module} has no layer in tests/layers.rs");
    }
    for (module, text) in &files {
        let shipped = text.split("#[cfg(test)]").next().unwrap();
        for other in &modules {
            let uses = shipped.contains(&format!("crate::{other}::"));
            if uses && other != module {
                assert!(rank(other) < rank(module), "{module} uses {other}, which is not below it");
            }
        }
    }
}

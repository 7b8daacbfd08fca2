//! Settings as values: each reader says what would be right.

use std::net::SocketAddr;

use crate::{
    input::suggest::suggest,
    queue::storage::Durability,
    ui::{ColorDepth, SymbolSet},
};

pub(super) fn one_of(text: &str, words: &[&str]) -> Result<String, String> {
    if words.contains(&text) {
        return Ok(text.to_owned());
    }
    let near = suggest(text, words.iter().copied());
    Err(format!(
        "`{text}` is not one of {}; did you mean `{near}`?",
        words.join(", ")
    ))
}

pub(super) fn number(text: &str, most: usize) -> Result<usize, String> {
    match text.replace('_', "").parse() {
        Ok(n) if (1..=most).contains(&n) => Ok(n),
        _ => Err(format!("`{text}` is not a number from 1 to {most}")),
    }
}

pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_other| format!("`{text}` is not an address and a port, such as 127.0.0.1:4433"))
}

pub(super) fn addresses(text: &str) -> Result<Vec<SocketAddr>, String> {
    text.split(',').map(|one| listen(one.trim())).collect()
}

/// A port alone is on loopback: whoever wants more says where.
pub(super) fn metrics(text: &str) -> Result<Option<SocketAddr>, String> {
    if text == "off" {
        return Ok(None);
    }
    if let Ok(port) = text.parse::<u16>() {
        return Ok(Some(SocketAddr::from(([127, 0, 0, 1], port))));
    }
    text.parse().map(Some).map_err(|_other| {
        format!(
            "`{text}` is neither off nor a port nor an address and a port, such as 127.0.0.1:9464"
        )
    })
}

pub(super) fn depth(text: &str) -> Result<ColorDepth, String> {
    Ok(
        match one_of(text, &["none", "16", "256", "true"])?.as_str() {
            "none" => ColorDepth::None,
            "16" => ColorDepth::Ansi16,
            "256" => ColorDepth::Ansi256,
            _ => ColorDepth::True,
        },
    )
}

pub(super) fn durability(text: &str) -> Result<Durability, String> {
    let word = one_of(text, &Durability::ALL.map(Durability::as_str))?;
    let found = Durability::ALL.into_iter().find(|d| d.as_str() == word);
    Ok(found.unwrap_or_default())
}

pub(super) fn symbols(text: &str) -> Result<SymbolSet, String> {
    Ok(match one_of(text, &["unicode", "ascii"])?.as_str() {
        "ascii" => SymbolSet::Ascii,
        _ => SymbolSet::Unicode,
    })
}
